"""Samples and events made by code, in which it is known what went wrong: a quiet fleet, and what is done to it.

Loaded by path (see `conftest.py`), because test folders are no packages.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sre.incidents.model import PlatformEvent
from sre.metrics.columns import by_identity
from sre.metrics.model import FloatArray, Selector, Series, SeriesId
from sre.metrics.selector import series_filter

START = 1_795_000_000.0
FAULT_TICK = 20


class MadeSamples:
    """A SampleSource over series held in memory."""

    name = "scraper"

    def __init__(self, series: list[Series]) -> None:
        self._series = series

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        wanted = series_filter(selector)
        found = []
        for one in self._series:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                found.append(Series(one.id, one.times[inside], one.values[inside]))
        return sorted(found, key=by_identity)


class Fleet:
    """A calm platform of `replicas`, scraped once a second; change its arrays, then take `samples()`.

    Gauges hold values, counters what they grow by at each tick; `restarts` are when a process (a replica's, or "" for
    the gateway's) was gone and came back. Noise is seeded.
    """

    def __init__(self, replicas: tuple[str, ...] = ("llm-0", "llm-1", "llm-2"), *, ticks: int = 60, seed: int = 1):
        self.replicas = replicas
        self.ticks = ticks
        self.events: list[PlatformEvent] = []
        self.restarts: dict[str, tuple[int, int]] = {}
        self._rng = np.random.default_rng(seed)
        self.gauges: dict[tuple[str, str, tuple[tuple[str, str], ...]], FloatArray] = {}
        self.counters: dict[tuple[str, str, tuple[tuple[str, str], ...]], FloatArray] = {}
        for replica in replicas:
            self._calm_replica(replica)
        self._calm_gateway()

    @property
    def start(self) -> float:
        return START - 0.5

    @property
    def end(self) -> float:
        return START + self.ticks

    def at(self, tick: int) -> float:
        return START + tick

    def gauge(self, name: str, replica: str = "", **labels: str) -> FloatArray:
        return self.gauges[name, replica, tuple(sorted(labels.items()))]

    def counter(self, name: str, replica: str = "", **labels: str) -> FloatArray:
        return self.counters[name, replica, tuple(sorted(labels.items()))]

    def event(self, tick: float, name: str, replica: str | None = None, note: str = "") -> None:
        line = f"events.jsonl:{len(self.events) + 1}"
        self.events.append(PlatformEvent(START + tick, name, replica, note, evidence=line))

    def samples(self) -> MadeSamples:
        times = START + np.arange(self.ticks, dtype=float)
        made = []
        for kind in (self.gauges, self.counters):
            for (name, replica, labels), values in kind.items():
                owner = replica if self._is_engine(name, replica) else ""
                shown = self._total(values, owner) if kind is self.counters else values
                job = {"job": "triton"} if owner else {"job": "gateway"}
                given = {**job, **dict(labels), **({"replica": replica} if replica else {})}
                known = ~np.isnan(shown)
                made.append(Series(SeriesId(name, tuple(sorted(given.items()))), times[known], shown[known]))
        return MadeSamples(made)

    def _total(self, grown: FloatArray, owner: str) -> FloatArray:
        """The counter that grew so; one of a process that was away has no samples meanwhile and begins anew."""
        if owner not in self.restarts:
            return np.cumsum(grown)
        gone, back = self.restarts[owner]
        away = np.full(back - gone, np.nan)
        return np.concatenate((np.cumsum(grown[:gone]), away, np.cumsum(grown[back:])))

    def _is_engine(self, name: str, replica: str) -> bool:
        return bool(replica) and not name.startswith("sre_gateway_")

    def _noise(self, mean: float, spread: float) -> FloatArray:
        return np.maximum(0.0, mean + spread * self._rng.standard_normal(self.ticks))

    def _calm_replica(self, replica: str) -> None:
        def gauge(name: str, values: FloatArray, **labels: str) -> None:
            self.gauges[name, replica, tuple(sorted(labels.items()))] = values

        def counter(name: str, values: FloatArray, **labels: str) -> None:
            self.counters[name, replica, tuple(sorted(labels.items()))] = values

        zeros, tokens = np.zeros(self.ticks), self._noise(400.0, 60.0)
        gauge("up", np.ones(self.ticks))
        running = np.round(self._noise(3.0, 1.0))
        gauge("vllm:num_requests_running", running)
        gauge("vllm:num_requests_waiting", zeros.copy())
        gauge("vllm:kv_cache_usage_perc", self._noise(0.2, 0.02))
        gauge("DCGM_FI_DEV_XID_ERRORS", zeros.copy())
        gauge("sre_gateway_replica_inflight", running.copy())
        for state in ("up", "ejected", "down", "draining"):
            gauge("sre_gateway_replica_state", np.full(self.ticks, float(state == "up")), state=state)
        counter("vllm:generation_tokens_total", tokens)
        counter("vllm:prompt_tokens_total", self._noise(800.0, 200.0))
        counter("vllm:inter_token_latency_seconds_count", tokens.copy())
        counter("vllm:inter_token_latency_seconds_sum", tokens * self._noise(0.007, 0.0003))
        counter("vllm:time_to_first_token_seconds_count", np.full(self.ticks, 2.0))
        counter("vllm:time_to_first_token_seconds_sum", 2.0 * self._noise(0.03, 0.005))
        counter("vllm:num_preemptions_total", zeros.copy())
        for reason in ("abort", "error", "stop"):
            counter("vllm:request_success_total", zeros.copy(), finished_reason=reason)
        for reason in ("connect", "error", "stall", "slow", "probe"):
            counter("sre_gateway_ejections_total", zeros.copy(), reason=reason)
        counter("sre_gateway_replica_requests_total", zeros.copy(), outcome="error")
        counter("sre_gateway_replica_requests_total", np.full(self.ticks, 2.0), outcome="ok")

    def _calm_gateway(self) -> None:
        def counter(name: str, values: FloatArray, **labels: str) -> None:
            self.counters[name, "", tuple(sorted(labels.items()))] = values

        self.gauges["up", "", ()] = np.ones(self.ticks)
        self.gauges["sre_gateway_queue_depth", "", ()] = np.zeros(self.ticks)
        requests = np.round(self._noise(6.0, 1.5))
        counter("sre_gateway_requests_total", requests, outcome="ok")
        for outcome in ("cancelled", "rejected", "error"):
            counter("sre_gateway_requests_total", np.zeros(self.ticks), outcome=outcome)
        counter("sre_gateway_tokens_total", requests * self._noise(450.0, 40.0), kind="prompt")
        counter("sre_gateway_tokens_total", self._noise(1200.0, 100.0), kind="generation")
        counter("sre_gateway_queue_seconds_count", requests.copy())
        counter("sre_gateway_queue_seconds_sum", np.zeros(self.ticks))
        counter("sre_gateway_ttft_seconds_count", requests.copy())
        counter("sre_gateway_ttft_seconds_sum", requests * self._noise(0.04, 0.004))
        counter("sre_gateway_poison_total", np.zeros(self.ticks), event="quarantined")


def after(values: FloatArray, change: float, *, tick: int = FAULT_TICK, ticks: int = 15) -> None:
    """Add `change` to the array from `tick` on, for so many ticks."""
    values[tick : tick + ticks] += change


def crash(fleet: Fleet, replica: str, *, tick: int = FAULT_TICK, back: int = 4) -> None:
    """The replica's process is killed at `tick` and is back after `back` ticks, with new counters."""
    fleet.event(tick - 0.6, "replica_exited", replica, "returncode=-9")
    fleet.event(tick, "replica_started", replica)
    fleet.event(tick + back - 1.5, "replica_ready", replica)
    fleet.gauge("up", replica)[tick : tick + back] = 0.0
    fleet.gauge("sre_gateway_replica_state", replica, state="down")[tick : tick + back] = 1.0
    fleet.counter("sre_gateway_ejections_total", replica, reason="connect")[tick] = 1.0
    fleet.counter("sre_gateway_replica_requests_total", replica, outcome="error")[tick] = 3.0
    fleet.restarts[replica] = (tick, tick + back)


def hang(fleet: Fleet, replica: str, *, tick: int = FAULT_TICK, ticks: int = 10) -> None:
    """The replica's server stands still: no page, no token, the gateway leaves it after a moment."""
    fleet.gauge("up", replica)[tick : tick + ticks] = 0.0
    fleet.counter("vllm:generation_tokens_total", replica)[tick : tick + ticks] = 0.0
    fleet.gauge("sre_gateway_replica_inflight", replica)[tick : tick + 3] = 4.0
    fleet.gauge("sre_gateway_replica_inflight", replica)[tick + 3 : tick + ticks] = 0.0
    fleet.gauge("sre_gateway_replica_state", replica, state="ejected")[tick + 2 : tick + ticks] = 1.0
    fleet.counter("sre_gateway_ejections_total", replica, reason="stall")[tick + 2] = 1.0
    fleet.counter("sre_gateway_replica_requests_total", replica, outcome="error")[tick + 2] = 4.0


def slow(fleet: Fleet, replica: str, *, tick: int = FAULT_TICK) -> None:
    """Every step of the replica takes four times as long."""
    fleet.counter("vllm:inter_token_latency_seconds_sum", replica)[tick : tick + 15] *= 4.0


def surge(fleet: Fleet, *, tick: int = FAULT_TICK) -> None:
    """Three times as many requests of the usual kind."""
    for name, labels in (
        ("sre_gateway_requests_total", {"outcome": "ok"}),
        ("sre_gateway_tokens_total", {"kind": "prompt"}),
        ("sre_gateway_queue_seconds_count", {}),
        ("sre_gateway_ttft_seconds_count", {}),
        ("sre_gateway_ttft_seconds_sum", {}),
    ):
        fleet.counter(name, **labels)[tick : tick + 15] *= 3.0
    after(fleet.gauge("sre_gateway_queue_depth"), 8.0, tick=tick)


def gateway_crash(fleet: Fleet, *, tick: int = FAULT_TICK) -> None:
    """The gateway's process is killed and back at once."""
    fleet.event(tick - 0.5, "gateway_exited", None, "returncode=-9")
    fleet.gauge("up")[tick : tick + 2] = 0.0
    fleet.restarts[""] = (tick, tick + 2)


def renamed(fleet: Fleet, names: Mapping[str, str]) -> Fleet:
    """The same platform with its replicas called otherwise."""
    other = Fleet(tuple(names[name] for name in fleet.replicas), ticks=fleet.ticks)
    other.gauges = {(n, names.get(r, r), labels): v.copy() for (n, r, labels), v in fleet.gauges.items()}
    other.counters = {(n, names.get(r, r), labels): v.copy() for (n, r, labels), v in fleet.counters.items()}
    other.restarts = {names.get(owner, owner): times for owner, times in fleet.restarts.items()}
    other.events = [
        PlatformEvent(e.at, e.event, names.get(e.replica or "", e.replica), e.note, evidence=e.evidence)
        for e in fleet.events
    ]
    return other
