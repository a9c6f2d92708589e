"""From samples to what one metric of a policy saw: a value a replica, one value, or a reason why there is none.

A `Snapshot` is one scrape of gateway and replicas, made by the live scraper or by the simulator. An HPA's metric
names cannot hold a colon, so `vllm_num_requests_waiting` stands for `vllm:num_requests_waiting`, as a rule of a
Prometheus adapter would map it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from serving.autoscale.model import LabelMatcher, MetricSpec

GPU_UTILIZATION = "DCGM_FI_DEV_GPU_UTIL"
"""NVIDIA's DCGM exporter's name for the share of time in which any kernel ran, per cent."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' last value; `replica` is None for the gateway's."""

    name: str
    value: float
    replica: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

    def label(self, name: str) -> str:
        """Empty when absent, as in PromQL."""
        if name == "replica" and self.replica is not None:
            return self.replica
        return dict(self.labels).get(name, "")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every sample of one scrape. `silent` names the targets that did not answer, with why."""

    samples: tuple[Sample, ...]
    silent: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PerPod:
    """A value for each replica that had one."""

    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Single:
    """One value for the whole."""

    value: float


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Unknown is never 0: the controller will not scale in on it."""

    reason: str


Observation = PerPod | Single | Unavailable


class Evaluator(Protocol):
    """Answers a KEDA trigger's query: one value, or why there is none. None: the query had an empty result."""

    def __call__(self, query: str, /) -> float | Unavailable | None: ...


def exposed_names(name: str) -> tuple[str, ...]:
    """The names under which an engine or gateway may expose a policy's metric."""
    head, _, tail = name.partition("_")
    return (name, f"{head}:{tail}") if tail else (name,)


def observe(metric: MetricSpec, snapshot: Snapshot, evaluate: Evaluator) -> Observation:
    """What `metric` saw in `snapshot`."""
    if metric.query is not None:
        return _of_query(metric, evaluate)
    if metric.source in ("Resource", "ContainerResource"):
        return Unavailable(f"{metric.title}: usage against a pod's requests exists on a cluster only")
    names = exposed_names(metric.name)
    found = [sample for sample in snapshot.samples if sample.name in names and _matches(sample, metric.selector)]
    if metric.source == "Pods":
        return _per_pod(metric, found)
    if metric.source == "Object":
        found = [sample for sample in found if sample.replica is None]
    if not found:
        return Unavailable(f"{metric.title}: {_nobody(snapshot)}")
    return Single(sum(sample.value for sample in found))


def _per_pod(metric: MetricSpec, found: Iterable[Sample]) -> Observation:
    values: dict[str, float] = {}
    for sample in found:
        if sample.replica is not None:
            values[sample.replica] = values.get(sample.replica, 0.0) + sample.value
    return PerPod(values) if values else Unavailable(f"{metric.title}: no replica exposes it")


def _of_query(metric: MetricSpec, evaluate: Evaluator) -> Observation:
    answer = evaluate(metric.query or "")
    if answer is None:
        return Single(0.0) if metric.empty_is_zero else Unavailable(f"{metric.title}: the query has an empty result")
    return answer if isinstance(answer, Unavailable) else Single(answer)


def _nobody(snapshot: Snapshot) -> str:
    silent = ", ".join(f"{target} ({why})" for target, why in snapshot.silent)
    return f"nobody exposes it; silent: {silent}" if silent else "nobody exposes it"


def _matches(sample: Sample, selector: Iterable[LabelMatcher]) -> bool:
    return all(matcher_test(matcher)(sample.label(matcher.label)) for matcher in selector)


def matcher_test(matcher: LabelMatcher) -> Callable[[str], bool]:
    """Whether a label's value passes; regular expressions are anchored, as in PromQL."""
    if matcher.op in ("=", "!="):
        return lambda seen: (seen == matcher.value) == (matcher.op == "=")
    pattern = re.compile(matcher.value, re.DOTALL)
    return lambda seen: (pattern.fullmatch(seen) is not None) == (matcher.op == "=~")
