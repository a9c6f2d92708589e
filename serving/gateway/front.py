"""The public routes, in whichever process carries the bytes; pages about the gateway come from where its core is."""

from __future__ import annotations

import json
import logging
from typing import NamedTuple, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from serving.gateway.config import GatewayConfig
from serving.gateway.connection import timed_headers
from serving.gateway.errors import ApiError, invalid, unavailable
from serving.gateway.exchange import error_response
from serving.gateway.handler import GenerationHandler

_KEPT_HEADERS = ("Allow",)
_SHUTDOWN_TIMEOUT_S = 0.5


class Page(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str
    body: str

    @classmethod
    def of(cls, data: dict[str, object], *, status: int = 200) -> Page:
        return cls(status, "application/json; charset=utf-8", json.dumps(data))


class Pages(Protocol):
    """Where `/health`, `/ready` and `/metrics` are answered; `accept` is the client's header."""

    async def page(self, path: str, accept: str) -> Page: ...


def serving(app: web.Application) -> web.AppRunner:
    """A runner in which a client that leaves cancels its handler."""
    return web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)


class Front:
    """All public routes. `started_at` (Unix seconds) dates the model's card."""

    def __init__(self, config: GatewayConfig, handler: GenerationHandler, pages: Pages, *, started_at: int) -> None:
        self._config = config
        self._handler = handler
        self._pages = pages
        self._started_at = started_at

    def application(self) -> web.Application:
        app = web.Application(client_max_size=self._config.max_body_bytes, middlewares=[timed_headers, _shape_errors])
        app.router.add_post("/v1/completions", self._handler.completions)
        app.router.add_post("/v1/chat/completions", self._handler.chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{model}", self._model)
        for path in ("/health", "/ready", "/metrics"):
            app.router.add_get(path, self._page)
        return app

    def _model_card(self) -> dict[str, object]:
        return {"id": self._config.model, "object": "model", "created": self._started_at, "owned_by": "sre"}

    async def _models(self, http: web.Request) -> web.Response:
        self._handler.authenticate(http.headers)
        return web.json_response({"object": "list", "data": [self._model_card()]})

    async def _model(self, http: web.Request) -> web.Response:
        self._handler.authenticate(http.headers)
        name = http.match_info["model"]
        if name != self._config.model:
            error = invalid(f"The model {name!r} does not exist", param="model", code="model_not_found", status=404)
            return error_response(error, {})
        return web.json_response(self._model_card())

    async def _page(self, http: web.Request) -> web.Response:
        page = await self._pages.page(http.path, http.headers.get("Accept", ""))
        return web.Response(status=page.status, body=page.body.encode(), headers={"Content-Type": page.content_type})


@web.middleware
async def _shape_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever else goes wrong is answered in OpenAI's shape as well."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error, {})
    except web.HTTPException as error:
        refusal = invalid(f"{error.reason}: {request.method} {request.path}", status=error.status)
        return error_response(refusal, {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers})
    except ConnectionError:
        raise
    except Exception:  # the boundary: a bug must not end without an answer and a log line
        logging.getLogger("serving.gateway").exception("internal_error")
        return error_response(unavailable("internal error", status=500, code="internal_error"), {})
