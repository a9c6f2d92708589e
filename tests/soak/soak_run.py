"""One soak: a real local platform under open-loop load while its replicas are harmed, and what its clients saw.

The text of every stream is compared with the emulated model's answer, a pure function of the prompt.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from soak_harm import Harm, rss_mb
from token_stream import stream

from serving.engine.sampling import Sampling
from serving.engine.tokens import answer

PROMPTS = 200
CLIENT_TIMEOUT_S = 90.0
MEMORY_EVERY_S = 1.0
WARM_UP_SHARE = 0.25


@dataclass(frozen=True)
class Load:
    """`rate_rps` None means `share` of what `streams` concurrent ones get through in `measure_s`."""

    duration_s: float
    rate_rps: float | None = None
    share: float = 0.8
    streams: int = 96
    measure_s: float = 20.0
    seed: int = 1


@dataclass
class Result:
    """What the clients saw, and what it did to the gateway."""

    rate_rps: float = 0.0
    capacity_rps: float | None = None
    faults: Counter[str] = field(default_factory=Counter)
    fault_log: list[tuple[float, str, str]] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    tokens: int = 0
    moved: int = 0
    first_s: list[float] = field(default_factory=list)
    gaps_s: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    counters: dict[str, float] = field(default_factory=dict)

    def growth_mb_per_min(self) -> float:
        """Least-squares slope of the gateway's resident memory, its first quarter (warm-up) left out."""
        kept = [(at / 60, mb) for at, mb in self.memory if at >= WARM_UP_SHARE * self.memory[-1][0]]
        return statistics.linear_regression(*zip(*kept, strict=True)).slope

    def table(self) -> str:
        first = sorted(self.first_s)
        capacity = "" if self.capacity_rps is None else f" of {self.capacity_rps:.1f} measured"
        rows = {
            "load": f"{self.rate_rps:.1f} requests/s{capacity}",
            "sent": f"{self.verdicts.total()} requests, {self.tokens} tokens",
            "faults": ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items())),
            "requests": ", ".join(f"{count} {verdict}" for verdict, count in sorted(self.verdicts.items())),
            "moved before first token": f"{self.moved} requests",
            **{name: f"{value:g}" for name, value in self.counters.items()},
            "first token": f"p50 {_at(first, 0.5):.3f} s, p99 {_at(first, 0.99):.3f} s",
            "worst gap between tokens": f"{max(self.gaps_s, default=0):.2f} s",
            "gateway memory": f"{self.memory[0][1]:.0f} -> {self.memory[-1][1]:.0f} MB, "
            f"{self.growth_mb_per_min():+.2f} MB/min after warm-up",
        }
        return "\n".join(f"  {name:28} {value}" for name, value in rows.items())


class Client:
    """Sends requests whose answers it knows."""

    def __init__(self, url: str, result: Result, seed: int) -> None:
        self._url = url
        self._result = result
        self._dice = random.Random(seed)
        self._prompts = [
            " ".join(self._dice.choices("abcdefgh", k=self._dice.randint(20, 300))) for _ in range(PROMPTS)
        ]

    def order(self) -> tuple[str, dict[str, object]]:
        prompt = f"{self._dice.choice(self._prompts)} {self._dice.randrange(10**6)}"
        return prompt, {"max_tokens": self._dice.randint(20, 120), "ignore_eos": self._dice.random() < 0.7}

    async def send(self, order: tuple[str, dict[str, object]]) -> None:
        prompt, sampling = order
        seen = await stream(self._url, {"prompt": prompt, **sampling}, timeout_s=CLIENT_TIMEOUT_S)
        result = self._result
        expected = answer(prompt, Sampling(**sampling)).text()
        verdict = "wrong text" if seen.complete and seen.text != expected else seen.verdict
        result.verdicts[verdict] += 1
        result.tokens += len(seen.token_times)
        if verdict == "ok":
            result.first_s.append(seen.first_s)
            result.gaps_s.append(seen.worst_gap_s)
            result.moved += "," in seen.headers.get("x-sre-replicas", "")
        else:
            result.problems.append(f"{verdict}: HTTP {seen.status}, {len(seen.token_times)} tokens, {seen.error}")


async def soak(platform, load: Load, *, every_s: float, hang_s: float) -> Result:
    """Run it. Faults stop in time for the last one to show; all streams are waited for."""
    state = json.loads((platform.state_dir / "state.json").read_text())
    url, pid = state["gateway"]["url"], state["gateway"]["pid"]
    result = Result()
    if load.rate_rps is None:
        result.capacity_rps = await _capacity_rps(url, load)
    result.rate_rps = load.rate_rps or load.share * result.capacity_rps
    harm = Harm(platform, every_s=every_s, hang_s=hang_s, seed=load.seed)
    began = time.monotonic()
    beside = [asyncio.create_task(harm.run()), asyncio.create_task(_watch_memory(pid, result, began))]
    try:
        await _open_loop(Client(url, result, load.seed), result.rate_rps, load, until=began + load.duration_s)
    finally:
        for task in beside:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    result.faults, result.fault_log = harm.done, harm.log
    result.counters = await _counters(url)
    assert json.loads((platform.state_dir / "state.json").read_text())["gateway"]["pid"] == pid, "the gateway died"
    return result


async def _capacity_rps(url: str, load: Load) -> float:
    """Requests a second with `load.streams` clients that each send the next as soon as one ended."""
    result = Result()
    client = Client(url, result, load.seed)
    ends_at = time.monotonic() + load.measure_s

    async def one_after_another():
        while time.monotonic() < ends_at:
            await client.send(client.order())

    began = time.monotonic()
    await asyncio.gather(*(one_after_another() for _ in range(load.streams)))
    assert not result.problems, result.problems[:5]
    return result.verdicts["ok"] / (time.monotonic() - began)


async def _open_loop(client: Client, rate_rps: float, load: Load, *, until: float) -> None:
    """Poisson arrivals, whatever the platform does with them."""
    dice = random.Random(load.seed + 1)
    running: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    while (due := due + dice.expovariate(rate_rps)) < until:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.create_task(client.send(client.order()))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)


async def _watch_memory(pid: int, result: Result, began: float) -> None:
    while True:
        result.memory.append((time.monotonic() - began, rss_mb(pid)))
        await asyncio.sleep(MEMORY_EVERY_S)


async def _counters(url: str) -> dict[str, float]:
    """The gateway's own view of what it had to do."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        page = await response.text()
    wanted = {"sre_gateway_replays_total": "replays", "sre_gateway_retries_total": "retries"}
    wanted |= {"sre_gateway_replayed_tokens_total": "replayed tokens", "sre_gateway_ejections_total": "ejections"}
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in wanted and sample.value:
                label = next((sample.labels[key] for key in ("result", "reason", "kind") if key in sample.labels), "")
                found[f"{wanted[sample.name]} ({label})"] += sample.value
    return dict(sorted(found.items()))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
