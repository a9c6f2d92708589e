"""What every storm of clients has in common: who it is sent to, how it starts, what shows that it arrived."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from sre.chaos.faults.background import background_processes, end_background, start_background
from sre.chaos.faults.http_status import is_loopback
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, whole
from sre.chaos.faults.targets import until
from sre.chaos.processes.storm.model import Counts, Kind, StormPlan, read_counts
from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.spawn import last_lines

REQUESTS_METRIC = "sre_gateway_requests_total"
QUEUE_METRIC = "sre_gateway_queue_depth"
SEEN_WITHIN_S = 15.0
ENOUGH = 3
"""So many requests of the storm must have had their ending before it counts as proven."""
MOST_RPS = 1000.0


class Storm(Fault):
    """A helper process full of clients. Everything after the plan is the same for all kinds."""

    family: ClassVar[Family] = "traffic"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        arguments = (json.dumps(lease.plan.handles["storm"]), str(counts_file(platform, lease)))
        start_background(platform, lease, "sre.chaos.processes.storm", arguments)

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        witness = Witness(platform, lease)
        if not until(witness.sees_it, within_s=SEEN_WITHIN_S, poll_s=0.2):
            raise NotProven(f"{lease.fault}: {witness.why_not()}")
        return witness.seen()

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        end_background(lease)

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        """A storm is over when what it queued up is."""
        if not until(lambda: _queue_is_empty(platform), within_s=timeout_s):
            raise PlatformError(f"requests still queue in the gateway {timeout_s:g} s after the {lease.fault}")
        return time.time()


def storm_plan(platform: Platform, kind: Kind, params: Mapping[str, Any]) -> Plan:
    """`params` are fields of a `StormPlan`. Raises PlatformError when it may not be sent there: storms are for our own
    gateway, on this machine.
    """
    storm = StormPlan(kind=kind, url=platform.gateway_url, **params)
    if platform.driver != "kubernetes" and not is_loopback(storm.url):
        raise PlatformError(f"{storm.url}: a storm is sent to this machine only: use a platform started with `sre up`")
    key = storm.api_key_env
    if key is not None and not os.environ.get(key):
        raise PlatformError(f"api_key_env: the environment variable {key} is not set: export the tenant's key in it")
    before = outcomes(platform)
    return Plan(components=("traffic",), handles={"storm": storm.to_dict(), "before": before})


def outcomes(platform: Platform) -> dict[str, float]:
    """Requests the gateway has finished so far, by outcome. Raises PlatformError when it does not answer."""
    samples = platform.metric("gateway", REQUESTS_METRIC)
    return {sample.labels.get("outcome", ""): sample.value for sample in samples}


def request_complaints(prompt_tokens: object, output_tokens: object, timeout_s: object) -> tuple[str | None, ...]:
    """What may be wrong with the requests of any storm."""
    return (
        whole("prompt_tokens", prompt_tokens, least=1, most=1_000_000),
        whole("output_tokens", output_tokens, least=1, most=100_000),
        number("timeout_s", timeout_s, above=0, most=3600),
    )


def counts_file(platform: Platform, lease: Lease) -> Path:
    return platform.state_dir / "logs" / f"{lease.fault}-{lease.fault_id}.json"


class Witness:
    """Compares what the storm says it did with what the gateway says came in."""

    def __init__(self, platform: Platform, lease: Lease) -> None:
        self._platform = platform
        self._lease = lease
        self._kind = lease.plan.handles["storm"]["kind"]
        self._before: Mapping[str, float] = lease.plan.handles["before"]
        self._file = counts_file(platform, lease)
        self._counts: Counts | None = None
        self._moved: dict[str, float] = {}
        self._silent = ""

    def sees_it(self) -> bool:
        """The storm's requests had their endings, at the rate that was asked, and the gateway counted as many."""
        self._counts = counts = read_counts(self._file)
        if counts is None or self._own(counts) < ENOUGH:
            return False
        span_s = counts.at - counts.started_at
        if counts.rate_rps is not None and counts.sent + counts.skipped < 0.5 * counts.rate_rps * span_s:
            return False
        try:
            now, self._silent = outcomes(self._platform), ""
        except PlatformError as error:
            self._silent = str(error)
            return False
        self._moved = {name: value - self._before.get(name, 0.0) for name, value in now.items()}
        return self._counted(counts)

    def seen(self) -> str:
        counts = self._counts
        assert counts is not None  # noqa: S101  (for the type checker: `sees_it` was true)
        rate = "" if counts.rate_rps is None else f" ({counts.rate_rps:.1f} requests/s)"
        endings = {
            "ok": counts.ok,
            "hung up": counts.hung_up,
            "rejected": counts.rejected,
            "timed out": counts.timeout,
            "failed": counts.failed,
            "repeated": counts.retries,
        }
        own = ", ".join(f"{count} {name}" for name, count in endings.items() if count)
        moved = ", ".join(f"{name} +{value:.0f}" for name, value in sorted(self._moved.items()) if value)
        return f"the storm sent {counts.sent}{rate}: {own}; the gateway counted {moved}"

    def why_not(self) -> str:
        counts = self._counts
        if counts is not None and counts.note:
            return counts.note
        if counts is not None and counts.denied:
            return "the gateway wants a key (401): name the environment variable that holds one in api_key_env"
        if counts is not None and counts.invalid:
            return "the gateway refuses its requests (4xx): check model, and prompt_tokens against the context length"
        if not background_processes(self._lease.fault_id):
            words = last_lines(self._file.with_suffix(".log"), count=1) or "it said nothing"
            return f"its helper process ended early: {words}"
        if self._silent:
            return self._silent
        if self._kind == "retry" and counts is not None and counts.ok:
            return f"no client had a reason to repeat ({counts.ok} were answered): shorten timeout_s, or add clients"
        sent = 0 if counts is None else counts.sent
        return f"{sent} requests sent in {SEEN_WITHIN_S:g} s, too few had an ending the gateway counted: see its log"

    def _own(self, counts: Counts) -> int:
        """What makes it this kind of storm."""
        return {"retry": counts.retries, "hang-up": counts.hung_up}.get(self._kind, counts.served_or_lost)

    def _counted(self, counts: Counts) -> bool:
        """Whether the gateway saw it too."""
        if self._kind == "hang-up":
            return self._moved.get("cancelled", 0.0) >= ENOUGH
        return sum(self._moved.values()) >= max(ENOUGH, counts.ok + counts.rejected)


def _queue_is_empty(platform: Platform) -> bool:
    try:
        return all(sample.value <= 0 for sample in platform.metric("gateway", QUEUE_METRIC))
    except PlatformError:
        return False
