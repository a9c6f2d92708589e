"""`python -m serving.loadgen --plan plan.json`: one run, its two files, one line of progress a second on stdout."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from serving.errors import BadInput, ServingError
from serving.loadgen.client import CompletionClient, open_session
from serving.loadgen.clock import Clock, steady_clock
from serving.loadgen.model import Progress, RequestRecord, Schedule
from serving.loadgen.plan import Plan, load_plan
from serving.loadgen.records import RecordWriter
from serving.loadgen.runner import ClosedLoop, Loop, OpenLoop, tick
from serving.loadgen.schedule import build_schedule
from serving.loadgen.workload import describe, run_facts, write_workload

_PROGRESS_S = 1.0


class Stop:
    """Why the run should end early: the first signal that came, or SIGPIPE when nobody reads the progress any more."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.signal: int | None = None

    def request(self, number: int) -> None:
        self.signal = self.signal or number
        self.event.set()

    def listen(self) -> None:
        """SIGTERM and SIGINT end the run in order; a second one ends the process at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._heard, loop, number)

    def _heard(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        loop.remove_signal_handler(number)
        self.request(number)


async def run(plan: Plan, schedule: Schedule, *, api_key: str | None) -> int:
    """Offers `schedule`; returns the exit code: 0, or 128 + the signal that stopped it."""
    clock, stop = steady_clock(), Stop()
    started, cpu_started = clock(), time.process_time()
    stop.listen()
    with RecordWriter(plan.out) as writer:
        write_workload(plan.out, describe(plan, schedule))
        async with open_session(api_key) as session:
            client = CompletionClient(session, url=plan.url, model=plan.model, timeout_s=plan.timeout_s, clock=clock)
            loop = _loop(plan, client, clock=clock, on_record=writer.write)
            await _watched(loop, schedule, plan.seed, stop)
    facts = run_facts(
        loop.records,
        wall_s=clock() - started,
        cpu_s=time.process_time() - cpu_started,
        interrupted=stop.signal is not None,
    )
    write_workload(plan.out, describe(plan, schedule, facts))
    return 0 if stop.signal is None else 128 + stop.signal


def _loop(plan: Plan, client: CompletionClient, *, clock: Clock, on_record: Callable[[RequestRecord], None]) -> Loop:
    if plan.concurrency is None:
        return OpenLoop(client, clock=clock, on_record=on_record)
    return ClosedLoop(
        client, clock=clock, on_record=on_record, concurrency=plan.concurrency, duration_s=plan.duration_s
    )


async def _watched(loop: Loop, schedule: Schedule, seed: int, stop: Stop) -> None:
    emit = _printer(loop.progress, stop)
    ticking = asyncio.create_task(tick(emit, every_s=_PROGRESS_S))
    try:
        await loop.run(schedule, seed=seed, stop=stop.event)
    finally:
        ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticking
    emit()


def _printer(progress: Callable[[], Progress], stop: Stop) -> Callable[[], None]:
    def emit() -> None:
        try:
            sys.stdout.write(json.dumps(asdict(progress())) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains at its exit
            stop.request(signal.SIGPIPE)

    return emit


def _api_key(plan: Plan) -> str | None:
    if plan.api_key_env is None:
        return None
    key = os.environ.get(plan.api_key_env)
    if not key:
        raise BadInput(f"api_key_env: the environment variable {plan.api_key_env} is not set")
    return key


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m serving.loadgen", description="Load for an OpenAI-compatible server: open loop, or closed."
    )
    parser.add_argument("--plan", type=Path, required=True, help="plan.json, see docs/contracts.md")
    options = parser.parse_args(arguments)
    try:
        plan = load_plan(options.plan)
        return asyncio.run(run(plan, build_schedule(plan), api_key=_api_key(plan)))
    except ServingError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
