"""The socket between a worker and the coordinator."""

from __future__ import annotations

import asyncio
import socket

import pytest

from serving.gateway.errors import deadline_exceeded, invalid, rejected
from serving.gateway.ratelimit import Allowance
from serving.gateway.workers.line import Line
from serving.gateway.workers.messages import (
    Close,
    Enter,
    Granted,
    Leave,
    Progress,
    Report,
    allowances_of,
    decode,
    encode,
    error_of,
    fault_of,
    plain,
)

WITHIN_S = 5


class End:
    """One end of a line, and what it heard."""

    def __init__(self, **more):
        self.heard = []
        self.over = asyncio.Event()
        self.line = Line(self.heard.append, self.over.set, **more)

    async def until(self, count):
        async with asyncio.timeout(WITHIN_S):
            while len(self.heard) < count:
                await asyncio.sleep(0.01)


@pytest.fixture
async def ends():
    both = End(), End()
    for end, sock in zip(both, socket.socketpair(), strict=True):
        await end.line.open(sock)
    yield both
    for end in both:
        end.line.close()


async def test_messages_arrive_in_the_order_they_were_said(ends):
    one, other = ends
    for number in range(50):
        one.line.send(Leave(number, 0))
        if number % 7 == 0:
            await asyncio.sleep(0)
    await other.until(50)
    assert other.heard == [Leave(number, 0) for number in range(50)]


async def test_a_frame_may_come_in_pieces_and_several_at_once():
    heard = []
    line = Line(heard.append, lambda: None)
    frames = [encode([Enter(1, 2, "a"), Close()]), encode([Leave(2, 7)])]
    stream = b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)
    for at in range(len(stream)):
        line.data_received(stream[at : at + 1])
    line.data_received(stream)
    assert heard == [Enter(1, 2, "a"), Close(), Leave(2, 7)] * 2


async def test_something_may_be_put_before_what_is_about_to_leave():
    speaker, hearer = End(first=lambda: Close()), End()
    for end, sock in zip((speaker, hearer), socket.socketpair(), strict=True):
        await end.line.open(sock)
    speaker.line.send(Leave(1, 1))
    await hearer.until(2)
    assert hearer.heard == [Close(), Leave(1, 1)]
    speaker.line.close()
    hearer.line.close()


async def test_what_was_said_before_the_farewell_is_heard(ends):
    one, other = ends
    one.line.send(Leave(1, 1))
    one.line.close()
    async with asyncio.timeout(WITHIN_S):
        await other.over.wait()
    assert other.heard == [Leave(1, 1)]
    other.line.send(Leave(2, 2))
    await asyncio.sleep(0)


def test_a_message_survives_the_wire():
    progress = Progress(3, 2, True, 0.1, 0.30000000000000004, None, 7)
    said = [
        Granted(1, 2, {"name": "llm-0", "grpc_address": "127.0.0.1:1", "url": None}, 4, 12345.678901234567, {}),
        Report(5, [progress], [("c", ("x",), [1.0])]),
    ]
    granted, report = decode(encode(said))
    assert granted == said[0]
    assert Progress(*report.progress[0]) == progress


@pytest.mark.parametrize(
    "error",
    [
        rejected("too much", reason="rate_limit", code="rate_limit_exceeded", retry_after_s=1.234),
        deadline_exceeded("queue"),
        invalid("no", param="max_tokens", code="context_length_exceeded"),
    ],
)
def test_a_refusal_is_the_same_on_the_other_side(error):
    copy = error_of(fault_of(error))
    for name in ("status", "outcome", "rejection", "expired"):
        assert getattr(copy, name) == getattr(error, name)
    assert (copy.body(), copy.headers(), str(copy)) == (error.body(), error.headers(), str(error))


def test_allowances_are_the_same_on_the_other_side():
    left = {"requests": Allowance(10, 3, 0.25)}
    assert allowances_of(plain(left)) == left
