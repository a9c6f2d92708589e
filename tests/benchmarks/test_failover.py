"""A worker killed, and a worker frozen, under load: what clients see through our gateway and through vllm-router.

The same four stub workers stand behind both; the load goes through one and then the other, in turn, each against
fresh harm. Every stream's text is compared with what the worker would have said undisturbed.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import pytest
from stub_fleet import ROUTER, StubFleet
from stub_worker import MARK
from token_stream import stream

from serving.engine.tokens import Voice

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not ROUTER.exists(), reason="vllm-router is not installed: `make setup-bench`"),
]
WORKERS = 4
DELAY_MS = 20.0
TOKENS = 60
RATE_RPS = 20.0
LOAD_S = 2.5
HARM_AFTER_S = 1.5
KILLS = 20
FREEZES = 5
CLIENT_TIMEOUT_S = 10.0
EJECT_WITHIN_S = 15.0


@dataclass
class Tally:
    """What one gateway's clients saw over all rounds."""

    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: int = 0
    gaps_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    control_gaps_s: list[float] = field(default_factory=list)
    ejected_s: list[float] = field(default_factory=list)

    def add_round(self, streams, control):
        """The streams of one round, and one beside them that had no gateway and no fault."""
        for prompt, seen in streams:
            self._add(prompt, seen)
        complete = [seen for _, seen in streams if seen.complete]
        self.gaps_s.append(max(seen.worst_gap_s for seen in complete))
        self.first_s.append(max(seen.first_s for seen in complete))
        self.control_gaps_s.append(control.worst_gap_s)

    def _add(self, prompt, seen):
        self.verdicts[seen.verdict] += 1
        whole = "".join(map(Voice(prompt).token, range(TOKENS)))
        self.wrong += seen.text != (whole if seen.complete else whole[: len(seen.text)])

    @property
    def lost(self):
        return self.verdicts.total() - self.verdicts["ok"]

    def line(self):
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.verdicts.items()))
        gaps = f"worst gap of a round {_spread(self.gaps_s)}, worst first token {_spread(self.first_s)}"
        control = f"a stream without gateway and fault {_spread(self.control_gaps_s)}"
        return f"{counts}, {self.wrong} with wrong text\n{'':15}complete streams: {gaps}; {control}"


def _spread(seconds):
    return f"p50 {statistics.median(seconds):.2f} s, max {max(seconds):.2f} s"


def test_a_worker_killed_mid_stream(tmp_path):
    tallies = asyncio.run(_campaign(tmp_path, KILLS, _kill))
    print(f"\nkill -9 of one of {WORKERS} workers, {KILLS} times, {RATE_RPS:g} requests/s:")
    _print(tallies)
    assert tallies["ours"].lost == 0
    assert tallies["ours"].wrong == 0


def test_a_worker_frozen_mid_stream(tmp_path):
    tallies = asyncio.run(_campaign(tmp_path, FREEZES, _freeze))
    print(f"\nSIGSTOP of one of {WORKERS} workers, {FREEZES} times, {RATE_RPS:g} requests/s:")
    _print(tallies)
    for name, tally in tallies.items():
        print(f"  {name:12} ejected after {_spread(tally.ejected_s)}")
    assert tallies["ours"].lost == 0
    assert tallies["ours"].wrong == 0


def _print(tallies):
    for name, tally in tallies.items():
        print(f"  {name:12} {tally.line()}")


async def _campaign(folder, rounds, harm):
    dice = random.Random(1)
    with StubFleet(folder, workers=WORKERS, delay_ms=DELAY_MS) as fleet:
        gateways = [fleet.start_gateway(), fleet.start_router()]
        tallies = {gateway.name: Tally() for gateway in gateways}
        async with aiohttp.ClientSession() as session:
            for number in range(rounds):
                victim = dice.choice(fleet.worker_ports)
                for gateway in gateways:
                    await _all_in_rotation(session, fleet, gateways)
                    await _round(session, fleet, gateway, tallies[gateway.name], number, victim, harm)
    return tallies


async def _all_in_rotation(session, fleet, gateways):
    for gateway in gateways:
        if await gateway.wait_for(session, fleet.worker_ports) == float("inf"):
            raise RuntimeError(f"{gateway.name} does not take all workers into rotation")


async def _round(session, fleet, gateway, tally, number, victim, harm):
    """`LOAD_S` of new streams, the harm in their middle; ends when all streams ended and the worker is healed."""
    harmed = asyncio.create_task(_later(HARM_AFTER_S, harm(session, fleet, gateway, tally, victim)))
    unharmed = next(port for port in fleet.worker_ports if port != victim)
    whole_round = {"prompt": f"control {MARK}", "max_tokens": int(LOAD_S / DELAY_MS * 1000)}
    control = asyncio.create_task(stream(fleet.url_of(unharmed), whole_round))
    began = time.monotonic()
    streams = []
    for index in range(int(RATE_RPS * LOAD_S)):
        await asyncio.sleep(max(0.0, began + index / RATE_RPS - time.monotonic()))
        prompt = f"round {number} request {index} {MARK}"
        body = {"prompt": prompt, "max_tokens": TOKENS}
        streams.append((prompt, asyncio.create_task(stream(gateway.url, body, timeout_s=CLIENT_TIMEOUT_S))))
    tally.add_round([(prompt, await task) for prompt, task in streams], await control)
    heal = await harmed
    heal(victim)


async def _later(delay_s, then):
    await asyncio.sleep(delay_s)
    return await then


async def _kill(session, fleet, gateway, tally, victim):
    fleet.kill_worker(victim)
    return fleet.start_worker


async def _freeze(session, fleet, gateway, tally, victim):
    fleet.freeze_worker(victim)
    others = set(fleet.worker_ports) - {victim}
    tally.ejected_s.append(await gateway.wait_for(session, others, within_s=EJECT_WITHIN_S))
    return fleet.thaw_worker
