"""Brings a generation's pieces to the client, as a stream of events or as one body, and keeps the request's account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from serving.gateway.accounting import Account
from serving.gateway.errors import (
    ApiError,
    DeadlinePassed,
    JobRefused,
    Truncated,
    deadline_exceeded,
    invalid,
    unavailable,
)
from serving.gateway.exchange import Exchange
from serving.gateway.generation import Generation
from serving.gateway.model import Piece
from serving.gateway.sse import EventStream, Reply, event


@dataclass(frozen=True, slots=True)
class Terms:
    """How one answer is delivered: the headers that go with it, and the time its client gave us.

    `deadline_at` is the client's own deadline on the delivery's clock; None when it set none.
    """

    headers: Callable[[], Mapping[str, str]]
    deadline_at: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One admitted request. The caller closes the generation, and settles the account of what ends in an error."""

    client: Exchange
    reply: Reply
    generation: Generation
    account: Account
    terms: Terms
    clock: Callable[[], float]

    async def stream(self, *, include_usage: bool) -> None:
        """Headers are sent with the first token: until then any failure is a true HTTP error (ApiError)."""
        piece = await self._first()
        await self.client.open(self.terms.headers())
        try:
            await self._send(EventStream(self.reply, include_usage=include_usage), piece)
        except Truncated as cut:
            await self._cut(cut, unavailable(str(cut), code="stream_cut"))
        except DeadlinePassed as passed:
            self.account.expired("stream")
            await self._cut(passed, deadline_exceeded("stream"))

    async def whole(self) -> None:
        """One JSON body. Raises ApiError when it cannot be completed."""
        piece = await self._first()
        texts = [piece.text]
        try:
            while piece.finish is None:
                piece = await self._next()
                texts.append(piece.text)
        except Truncated as cut:
            raise unavailable(str(cut), status=502, code="replica_failed") from cut
        except DeadlinePassed as passed:
            raise deadline_exceeded("stream") from passed
        finished_at = self.clock()
        await self.client.whole(self.reply.body("".join(texts), piece.finish), self.terms.headers())
        self.account.settle("ok", finished_at)

    async def _send(self, events: EventStream, piece: Piece) -> None:
        """All events, from the first piece on, and the end of the body."""
        write = self.client.write
        pending = events.opening()
        while piece.finish is None:
            await write(pending + events.token(piece.text))
            pending = b""
            piece = await self._next()
        finished_at = self.clock()
        last = events.token(piece.text) if piece.text else b""
        await write(pending + last + events.ending(piece.finish))
        await self.client.end()
        self.account.settle("ok", finished_at)

    async def _cut(self, cause: Exception, error: ApiError) -> None:
        """The stream ends here: say so in an event, and send no end mark."""
        self.account.detail = str(cause)
        self.account.settle("truncated", self.clock())
        await self.client.write(event(error.body()))
        await self.client.end()

    async def _first(self) -> Piece:
        try:
            return await self._next()
        except JobRefused as refusal:
            raise invalid(str(refusal), code="invalid_value") from refusal
        except DeadlinePassed as passed:
            raise deadline_exceeded("engine") from passed

    async def _next(self) -> Piece:
        piece = await self._read()
        if piece.text or piece.finish is None:
            self.account.token(self.clock(), piece.tokens)
        if piece.finish is not None:
            self.account.usage(piece.finish)
        return piece

    async def _read(self) -> Piece:
        """The next piece. Raises DeadlinePassed when the client's deadline comes first."""
        if self.terms.deadline_at is None:
            return await self.generation.next()
        try:
            async with asyncio.timeout(max(0.0, self.terms.deadline_at - self.clock())):
                return await self.generation.next()
        except TimeoutError as error:
            raise DeadlinePassed("the client's deadline passed") from error
