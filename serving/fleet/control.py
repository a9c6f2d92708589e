"""The supervisor's control API: a listener on loopback, a secret in `control.json`, a few calls (docs/contracts.md)."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import ServingError
from serving.fleet.journal import write_atomically
from serving.fleet.membership import Membership, Refused, UnknownReplica
from serving.fleet.model import PlatformState, Route, StateFiles
from serving.fleet.ports import HOST
from serving.fleet.routes import GATEWAY, Routes

MAX_BODY_BYTES = 64 * 1024


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ScaleAsked(_Asked):
    """Body of `POST /scale`."""

    replicas: int
    reason: Annotated[str, Field(max_length=500)] = ""


class DrainAsked(_Asked):
    """Body of `POST /replicas/{name}/drain`."""

    grace_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 30.0
    restart: bool = False
    force: bool = False


_PORT = r"(127\.0\.0\.1|localhost|\[::1\]):[0-9]{1,5}"
Owner = Annotated[str, Field(min_length=1, max_length=100)]


class RouteAsked(_Asked):
    """Body of `PUT /replicas/{name}/route` and `PUT /gateway/route`. Only this machine is led to."""

    owner: Owner
    until: Annotated[float, Field(allow_inf_nan=False)]
    grpc_address: Annotated[str, Field(pattern=f"^{_PORT}$")] | None = None
    metrics_url: Annotated[str, Field(pattern=f"^http://{_PORT}/metrics$")] | None = None


class UnrouteAsked(_Asked):
    """Body of the two `DELETE` calls."""

    owner: Owner


class Nothing(_Asked):
    """Body of a call without options."""


Body = TypeVar("Body", bound=_Asked)


@asynccontextmanager
async def control_api(
    files: StateFiles, state: PlatformState, members: Membership, routes: Routes
) -> AsyncIterator[str]:
    """Listen while the block runs; `control.json` says where. Yields the URL."""
    token = secrets.token_urlsafe(32)
    runner = web.AppRunner(application(state, members, routes, token=token), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        url = f"http://{HOST}:{runner.addresses[0][1]}"
        write_atomically(files.control, json.dumps({"url": url, "token": token}), mode=0o600)
        yield url
    finally:
        files.control.unlink(missing_ok=True)
        await runner.cleanup()


def application(state: PlatformState, members: Membership, routes: Routes, *, token: str) -> web.Application:
    """The calls, each behind the bearer token. Every error is `{"error": "one line"}`."""
    calls = _Calls(state, members, routes)
    app = web.Application(middlewares=[_errors, _bearer(token)], client_max_size=MAX_BODY_BYTES)
    app.router.add_get("/state", calls.state)
    app.router.add_post("/scale", calls.scale)
    app.router.add_post("/replicas/{name}/drain", calls.drain)
    app.router.add_post("/replicas/{name}/undrain", calls.undrain)
    for path in ("/replicas/{name}/route", "/gateway/route"):
        app.router.add_put(path, calls.route)
        app.router.add_delete(path, calls.unroute)
    return app


class _Calls:
    def __init__(self, state: PlatformState, members: Membership, routes: Routes) -> None:
        self._state = state
        self._members = members
        self._routes = routes

    async def state(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._state.to_json(), content_type="application/json")

    async def scale(self, request: web.Request) -> web.Response:
        asked = await _body(request, ScaleAsked)
        self._require_ready()
        return web.json_response({"replicas": await self._members.scale(asked.replicas, reason=asked.reason)})

    async def drain(self, request: web.Request) -> web.Response:
        asked, name = await _body(request, DrainAsked), request.match_info["name"]
        self._require_ready()
        await self._members.drain(name, grace_s=asked.grace_s, restart=asked.restart, force=asked.force)
        return web.json_response({"replica": name, "grace_s": asked.grace_s}, status=202)

    async def undrain(self, request: web.Request) -> web.Response:
        await _body(request, Nothing)
        self._require_ready()
        await self._members.undrain(request.match_info["name"])
        return web.json_response({"replica": request.match_info["name"]}, status=202)

    async def route(self, request: web.Request) -> web.Response:
        asked, name = await _body(request, RouteAsked), request.match_info.get("name", GATEWAY)
        self._require_ready()
        await self._routes.put(name, Route(asked.owner, asked.until, asked.grpc_address, asked.metrics_url))
        return web.json_response({"routed": name})

    async def unroute(self, request: web.Request) -> web.Response:
        """In every phase: what was set must be possible to take back."""
        asked, name = await _body(request, UnrouteAsked), request.match_info.get("name", GATEWAY)
        return web.json_response({"unrouted": await self._routes.drop(name, owner=asked.owner)})

    def _require_ready(self) -> None:
        if self._state.phase != "ready":
            raise Refused(f"the platform is {self._state.phase}: it changes its replicas only while it is ready")


async def _body(request: web.Request, kind: type[Body]) -> Body:
    return kind.model_validate_json(await request.read() or b"{}")


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors(include_url=False)]
        return _error(400, "; ".join(faults))
    except UnknownReplica as error:
        return _error(404, str(error))
    except Refused as error:
        return _error(409, str(error))
    except ServingError as error:
        return _error(400, str(error))
    except web.HTTPException as error:
        return _error(error.status, f"{request.method} {request.path}: {error.reason}: see docs/contracts.md")


def _bearer(token: str) -> Middleware:
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, expected):
            return _error(401, "the bearer token is missing or wrong: it is in control.json of the state directory")
        return await handler(request)

    return check


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)
