"""The control API: which replicas there are, and who is to be drained (docs/contracts.md, "Control API").

An application of its own for a loopback listener of its own, so that nothing of it can be reached through the public
one. Every call carries the token of the configuration.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from serving.gateway.config import ReplicaConfig
from serving.gateway.errors import ApiError, invalid
from serving.gateway.pool import Pool
from serving.gateway.replica import Replica

MAX_REPLICAS = 64
_MAX_BODY_BYTES = 256 * 1024


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Parsed = TypeVar("_Parsed", bound=_Body)


class _Replicas(_Body):
    replicas: Annotated[list[ReplicaConfig], Field(max_length=MAX_REPLICAS)]

    @field_validator("replicas")
    @classmethod
    def _unique(cls, replicas: list[ReplicaConfig]) -> list[ReplicaConfig]:
        names = [replica.name for replica in replicas]
        if len(set(names)) < len(names):
            raise ValueError("replica names must be unique")
        return replicas


class _Drain(_Body):
    grace_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 30.0


class ControlApi:
    """Answers for one pool."""

    def __init__(self, pool: Pool, token: str, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._token_hash = _hash(token)
        self._clock = clock

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[self._guard])
        app.router.add_get("/control/replicas", self._list)
        app.router.add_put("/control/replicas", self._put)
        app.router.add_post("/control/replicas/{name}/drain", self._drain)
        app.router.add_post("/control/replicas/{name}/undrain", self._undrain)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The token first, then the call; errors in OpenAI's shape."""
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if not hmac.compare_digest(_hash(token), self._token_hash) or scheme.lower() != "bearer":
                message = "wrong token: send Authorization: Bearer <control.token>"
                raise invalid(message, code="unauthorized", status=401)
            return await handler(request)
        except ApiError as error:
            return web.json_response(error.body(), status=error.status)
        except web.RequestPayloadError:
            answer = invalid("the body cannot be decoded: check Content-Encoding and Transfer-Encoding")
            return web.json_response(answer.body(), status=answer.status)
        except web.HTTPException as error:
            answer = invalid(f"{error.reason}: {request.method} {request.path}", status=error.status)
            return web.json_response(answer.body(), status=error.status)

    async def _list(self, _: web.Request) -> web.Response:
        return self._answer()

    async def _put(self, http: web.Request) -> web.Response:
        self._pool.put(_parse(_Replicas, await http.read()).replicas)
        return self._answer()

    async def _drain(self, http: web.Request) -> web.Response:
        replica = self._replica(http)
        raw = await http.read()
        self._pool.drain(replica, _parse(_Drain, raw or b"{}").grace_s)
        return self._answer()

    async def _undrain(self, http: web.Request) -> web.Response:
        self._pool.undrain(self._replica(http))
        return self._answer()

    def _replica(self, http: web.Request) -> Replica:
        name = http.match_info["name"]
        replica = self._pool.get(name)
        if replica is None:
            raise invalid(f"there is no replica {name!r}", param="name", code="not_found", status=404)
        return replica

    def _answer(self) -> web.Response:
        now = self._clock()
        return web.json_response({"replicas": [describe(replica, now) for replica in self._pool]})


def describe(replica: Replica, now: float) -> dict[str, Any]:
    """A replica as the API's answers show it; `now` is the pool's clock."""
    config = replica.config
    address = {"url": config.url} if config.grpc_address is None else {"grpc_address": config.grpc_address}
    return {
        "name": replica.name,
        **address,
        "state": replica.health.state,
        "inflight": replica.inflight,
        "outstanding_tokens": replica.outstanding_tokens,
        "silent_s": round(replica.silent_s(now), 3),
        "down_s": round(replica.health.down_s(now), 3),
    }


def _parse(kind: type[_Parsed], raw: bytes) -> _Parsed:
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        places = [".".join(str(part) for part in fault["loc"]) or "body" for fault in faults]
        message = "; ".join(f"{place}: {fault['msg']}" for place, fault in zip(places, faults, strict=True))
        raise invalid(message, param=places[0], code="invalid_value") from error


def _hash(token: str) -> bytes:
    """Equal length for whatever comes, so that the comparison takes the same time."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
