"""Two attempts at one late first token: the first piece wins, the other attempt is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from serving.gateway.attempt import Attempt
from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Piece


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who came first, with what; a failure when none is left. `hedged`: there was a second attempt."""

    attempt: Attempt
    result: Piece | ReplicaFailed
    hedged: bool


async def race(
    first: Attempt,
    after_s: float,
    second: Callable[[], Awaitable[Attempt | None]],
    drop: Callable[[Attempt, ReplicaFailed], None],
) -> Outcome:
    """The first piece of `first`, or after `after_s` of whichever of it and `await second()` is quicker.

    `drop` gets an attempt that failed while the other still runs. Losers are abandoned, and both attempts when a read
    raises another error or the caller is cancelled.
    """
    running = {asyncio.create_task(first.read()): first}
    hedge: Attempt | None = None
    try:
        try:
            done, _ = await asyncio.wait(running, timeout=after_s)
            hedge = None if done else await second()
            if hedge is not None:
                running[asyncio.create_task(hedge.read())] = hedge
            winner = await _first_of(running, drop)
        finally:
            await _end(running)
    except BaseException:  # also when cancelled while the loser ends: nobody would hear of the winner
        if hedge is not None:
            hedge.abandon()
        raise
    return Outcome(winner[0], winner[1], hedge is not None)


async def _first_of(
    running: dict[asyncio.Task[Piece], Attempt], drop: Callable[[Attempt, ReplicaFailed], None]
) -> tuple[Attempt, Piece | ReplicaFailed]:
    """The winner; it is taken out of `running`, losers stay in."""
    while True:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in running if task in done]:  # in one order, also when both came at once
            attempt = running.pop(task)
            try:
                return attempt, task.result()
            except ReplicaFailed as failure:
                if not running:
                    return attempt, failure
                drop(attempt, failure)


async def _end(losers: dict[asyncio.Task[Piece], Attempt]) -> None:
    for task, attempt in losers.items():
        task.cancel()
        task.add_done_callback(_retrieve)
        attempt.abandon()
    if losers:
        await asyncio.wait(losers)


def _retrieve(task: asyncio.Task[Piece]) -> None:
    """Look at the result, so that a failure nobody waits for leaves no warning."""
    if not task.cancelled():
        task.exception()
