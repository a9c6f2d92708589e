"""What holds at this moment, for a page that somebody reads now: topology, capacity, budgets left, open faults.

Only read, and shown with the time. Pages that are kept never hold it: they would be false a minute later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sre.chaos.leases.standing import standing as faults_standing
from sre.errors import SreError
from sre.metrics.files import RecordedSamples
from sre.platforms.local import LocalPlatform
from sre.platforms.model import Platform, Replica
from sre.runbooks.render import Now
from sre.slo.model import Slo
from sre.slo.status import Standing, newest_sample, standing

Row = tuple[str, str]


def now_of(state_dir: Path, slos: Sequence[Slo], *, at: float) -> Now:
    """The rows; what cannot be read says why, and never stops the page."""
    said = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    platform = LocalPlatform(state_dir)
    rows = (*_platform_rows(platform), *_fault_rows(state_dir), *_budget_rows(state_dir, slos, at))
    return Now(said, rows, gateway=_gateway(platform))


def _gateway(platform: LocalPlatform) -> str:
    try:
        return platform.gateway_url
    except SreError:
        return ""


def _platform_rows(platform: LocalPlatform) -> Iterator[Row]:
    try:
        state, replicas = platform.state(), platform.replicas()
    except SreError as error:
        yield "platform", f"n/a ({error})"
        return
    yield "platform", f"{state.phase}, engine {state.engine or 'n/a'}, gateway {state.gateway_url}"
    at_work = sum(one.serving is True for one in replicas)
    yield "replicas", f"{at_work} of {len(replicas)} get work: {', '.join(map(_replica, replicas))}"
    yield "wanted", f"{platform.desired_replicas()} replicas{_autoscaler(state.autoscaler)}"
    yield "in hand", _in_hand(platform)
    yield "first token", _gauge(platform, "sre_gateway_predicted_ttft_seconds", "{:.2f} s for a request arriving now")
    yield "KV cache", _kv(platform, replicas)


def _replica(one: Replica) -> str:
    return f"{one.name} {one.state}/{one.rotation or 'n/a'}"


def _autoscaler(entry: object) -> str:
    policy = getattr(entry, "policy", None)
    return "" if policy is None else f", autoscaler {policy}"


def _in_hand(platform: LocalPlatform) -> str:
    try:
        inflight, queued = platform.inflight(), platform.queue_depth()
    except SreError as error:
        return f"n/a ({error})"
    return f"{sum(inflight.values()):g} requests on replicas, {queued:g} waiting"


def _gauge(platform: Platform, name: str, words: str) -> str:
    try:
        found = platform.metric("gateway", name)
    except SreError as error:
        return f"n/a ({error})"
    return words.format(found[0].value) if found else f"n/a (the gateway shows no {name})"


def _kv(platform: Platform, replicas: Sequence[Replica]) -> str:
    told = []
    for one in replicas:
        try:
            found = platform.metric(one.name, "vllm:kv_cache_usage_perc")
        except SreError:
            found = ()
        told.append(f"{one.name} {found[0].value:.0%}" if found else f"{one.name} n/a")
    return ", ".join(told) or "n/a (no replica)"


def _fault_rows(state_dir: Path) -> Iterator[Row]:
    try:
        opened = faults_standing(state_dir).open
    except SreError as error:
        yield "faults of drills", f"n/a ({error})"
        return
    yield "faults of drills", ", ".join(f"{one.fault} of {one.plan.target}" for one in opened) or "none is open"


def _budget_rows(state_dir: Path, slos: Sequence[Slo], at: float) -> Iterator[Row]:
    try:
        source = RecordedSamples(state_dir / "samples")
        moment = newest_sample(source, slos, now=at)
        for slo in slos:
            yield f"budget of {slo.name}", _budget(standing(source, slo, at=moment))
    except SreError as error:
        yield "budgets", f"n/a ({error})"


def _budget(one: Standing) -> str:
    left = one.budget.remaining_share
    if left is None:
        return f"n/a ({one.budget.no_data_reason or 'no data'})"
    firing = ", ".join(now.tier.name for now in one.tiers if now.firing) or "nothing"
    return f"{left:.1%} left, fires: {firing}. {one.words}"
