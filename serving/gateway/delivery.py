"""Brings a generation's pieces to the client, as a stream of events or as one body, and keeps the request's account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.errors import ApiError, JobRefused, Truncated, invalid, unavailable
from serving.gateway.generation import Generation
from serving.gateway.log import emit
from serving.gateway.model import Outcome, Piece
from serving.gateway.sse import EventStream, Reply, event

_STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One admitted request. The caller closes the generation, and settles the account of what ends in an error."""

    http: web.Request
    reply: Reply
    generation: Generation
    account: Account
    clock: Callable[[], float]

    async def stream(self, *, include_usage: bool) -> web.StreamResponse:
        """Headers are sent with the first token: until then any failure is a true HTTP error (ApiError)."""
        events = EventStream(self.reply, include_usage=include_usage)
        piece = await self._first()
        response = web.StreamResponse(headers=_STREAM_HEADERS | self.headers())
        await response.prepare(self.http)
        pending = events.opening()
        try:
            while piece.finish is None:
                await response.write(pending + events.token(piece.text))
                pending = b""
                piece = await self._next()
            last = events.token(piece.text) if piece.text else b""
            await response.write(pending + last + events.ending(piece.finish))
            self._settle("ok")
        except Truncated as cut:
            self._settle("truncated")
            emit("request_truncated", request_id=self.reply.request_id, tokens=self.account.tokens, detail=str(cut))
            await response.write(event(unavailable(str(cut), code="stream_cut").body()))
        await response.write_eof()
        return response

    async def whole(self) -> web.Response:
        """One JSON body. Raises ApiError when it cannot be completed."""
        piece = await self._first()
        texts = [piece.text]
        try:
            while piece.finish is None:
                piece = await self._next()
                texts.append(piece.text)
        except Truncated as cut:
            raise unavailable(str(cut), status=502, code="replica_failed") from cut
        self._settle("ok")
        return web.json_response(self.reply.body("".join(texts), piece.finish), headers=self.headers())

    def headers(self) -> dict[str, str]:
        return response_headers(self.reply.request_id, self.generation.replicas)

    def _settle(self, outcome: Outcome) -> None:
        self.account.settle(outcome, self.clock())

    async def _first(self) -> Piece:
        try:
            return await self._next()
        except JobRefused as refusal:
            raise invalid(str(refusal), code="invalid_value") from refusal

    async def _next(self) -> Piece:
        piece = await self.generation.next()
        if piece.text or piece.finish is None:
            self.account.token(self.clock())
        if piece.finish is not None:
            self.account.usage(piece.finish)
        return piece


def response_headers(request_id: str, replicas: list[str]) -> dict[str, str]:
    return {"x-sre-request-id": request_id, "x-sre-replicas": ",".join(replicas)}


def error_response(error: ApiError, headers: dict[str, str]) -> web.Response:
    """The OpenAI-shaped answer to a request that has not begun."""
    if error.retry_after_s is not None:
        headers = headers | {"Retry-After": str(error.retry_after_s)}
    return web.json_response(error.body(), status=error.status, headers=headers)
