"""Sections about how work is served: by class, by routing, by batching knobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.platforms.performance import FleetRun, Service, WorkClass
from sre.reports.formats import multiple, number, percent, plural, seconds
from sre.reports.performance.columns import column, compared_columns, ratio, service_columns
from sre.reports.performance.model import (
    Column,
    Compared,
    Finding,
    Measured,
    Origin,
    Row,
    Section,
    Simulated,
    Sufficiency,
    Table,
)

COUNTING = (
    "First token and inter-token time are counted apart. Inter-token time is the mean gap between the tokens of one "
    "request, as the objective counts it; the longest gap stands beside it. Percentiles: nearest rank over requests, "
    "at the client.",
)


_VLLM_TIME = ("Real vLLM runs in real time, with the thresholds as the class has them.",)
_VLLM_ROWS = (Row("chat", "chat, cut short"),)


@dataclass(frozen=True, slots=True)
class Origins:
    """None where that column was not asked for; `vllm` is a measured one of its own."""

    measured: Measured | None = None
    simulated: Simulated | None = None
    vllm: Measured | None = None

    @property
    def compared(self) -> Compared | None:
        if self.measured is None or self.simulated is None:
            return None
        return Compared(self.measured, self.simulated)


@dataclass(frozen=True, slots=True)
class Both:
    """Runs of one section by origin, in the order of its rows; empty where that column was not asked for."""

    measured: tuple[FleetRun, ...] = ()
    simulated: tuple[FleetRun, ...] = ()
    vllm: tuple[FleetRun, ...] = ()

    def parts(self, origins: Origins) -> list[tuple[str, Origin, tuple[FleetRun, ...]]]:
        named = (
            ("measured", origins.measured, self.measured),
            ("vllm", origins.vllm, self.vllm),
            ("simulated", origins.simulated, self.simulated),
        )
        return [(name, origin, runs) for name, origin, runs in named if origin is not None and runs]


def classes_section(
    works: Sequence[WorkClass], both: Both, origins: Origins, *, time_scale: float, absent: Sequence[str]
) -> Section:
    """SLO attainment of each class, with its tails."""
    rows = [Row(work.name, work.name) for work in works]
    limits = tuple(
        f"{work.title}; {work.lengths}; good: first token within {seconds(work.ttft_s * time_scale)}, inter-token time "
        f"at most {seconds(work.inter_token_s * time_scale)}"
        for work in works
    )
    tables = [
        Table(
            name,
            _titled("SLO attainment", name),
            "class",
            _marked(_VLLM_ROWS if name == "vllm" else rows, runs),
            service_columns(_services(runs), origin),
        )
        for name, origin, runs in both.parts(origins)
    ]
    tables += _comparison(rows, both, origins, "class")
    findings = [
        Finding(f"{work.name}{', real vLLM' * (name == 'vllm')}: {_attained(run.service)}.", origin)
        for name, origin, runs in both.parts(origins)
        for work, run in zip(works, runs, strict=False)
    ]
    return Section(
        key="classes",
        title="SLO attainment by class of work",
        question="Does each class of work get its first token and the next ones in time?",
        findings=tuple(findings),
        tables=tuple(tables),
        method=(*COUNTING, *limits, *stretch_words(time_scale), *_VLLM_TIME * bool(both.vllm)),
        absent=tuple(absent),
        sufficiency=_sufficiency(both.measured or both.simulated),
    )


def routing_section(
    names: Sequence[str], both: Both, origins: Origins, *, work: WorkClass, time_scale: float
) -> Section:
    """Prefix affinity against what looks at no prefix, on the same requests. The last name is what all is held to."""
    rows = [Row(name, name.replace("_", " ")) for name in names]
    tables, findings = [], []
    for name, origin, runs in both.parts(origins):
        columns = (_hits(runs, origin), *service_columns(_services(runs), origin))
        tables.append(Table(name, _titled("The same requests", name), "routing", _marked(rows, runs), columns))
        tables.append(_against_last(rows, runs, origin, name))
        findings.append(Finding(_routing_words(rows, runs), origin))
    tables += _comparison(rows, both, origins, "routing")
    return Section(
        key="routing",
        title="Prefix routing against round robin",
        question="What does it bring to send a prompt where its beginning is cached?",
        findings=tuple(findings),
        tables=tuple(tables),
        method=(
            f"{work.title}; {work.lengths}. Each routing gets a fresh fleet and the same requests at the same times.",
            "affinity: the gateway's default, by prefix with overflow to the least loaded; least outstanding: the same "
            "without prefixes; round robin: each replica in turn.",
            *stretch_words(time_scale),
        ),
        sufficiency=_sufficiency(both.measured or both.simulated),
    )


def batching_section(
    both: Both, twins: Sequence[FleetRun], origins: Origins, *, work: WorkClass, time_scale: float, rate_rps: float
) -> Section:
    """One replica with other limits of its scheduler. `twins` are the simulated runs of the offers that were measured,
    which are shorter than those of `both.simulated`.
    """
    tables, findings = [], []
    for name, origin, runs in both.parts(origins):
        rows = [_knobs(run) for run in runs]
        best = _best(runs)
        shown = [Row(row.key, row.label, "chosen" if index == best else "") for index, row in enumerate(rows)]
        tables.append(
            Table(
                name,
                _titled("Limits of the scheduler", name),
                "limits",
                tuple(shown),
                service_columns(_services(runs), origin),
            )
        )
        findings.append(Finding(_knob_words(rows, runs, best), origin))
    matched = Both(both.measured, tuple(twins))
    tables += _comparison([_knobs(run) for run in both.measured], matched, origins, "limits")
    return Section(
        key="batching",
        title="Batching knobs",
        question="How many sequences, and how many tokens a step, should a replica take at once?",
        findings=tuple(findings),
        tables=tuple(tables),
        method=(
            f"One replica, {work.name} at {number(rate_rps)} requests/s of real time. max_num_seqs bounds the "
            "sequences of a step, max_num_batched_tokens its tokens: decodes first, prefill in chunks of what is left.",
            "Chosen: the most good requests; among equals the shortest first token at p95.",
            *stretch_words(time_scale),
        ),
        sufficiency=_sufficiency(both.measured or both.simulated),
    )


def _knobs(run: FleetRun) -> Row:
    seqs, budget = run.fleet.max_num_seqs, run.fleet.max_num_batched_tokens
    return Row(f"{seqs}-{budget}", f"{seqs} sequences, {budget} tokens")


def _best(runs: Sequence[FleetRun]) -> int:
    def rank(index: int) -> tuple[float, float]:
        service = runs[index].service
        return -(service.attainment or 0.0), service.ttft.p95 if service.ttft.p95 is not None else float("inf")

    return min(range(len(runs)), key=rank)


def _knob_words(rows: Sequence[Row], runs: Sequence[FleetRun], best: int) -> str:
    worst = max(range(len(runs)), key=lambda index: runs[index].service.ttft.p95 or 0.0)
    first, last = runs[best].service, runs[worst].service
    return (
        f"{rows[best].label}: {percent(first.attainment)} good, first token p95 {seconds(first.ttft.p95)}, inter-token "
        f"p95 {seconds(first.inter_token.p95)}; the slowest first token has {rows[worst].label}: "
        f"{percent(last.attainment)} good, p95 {seconds(last.ttft.p95)} and {seconds(last.inter_token.p95)}."
    )


def _hits(runs: Sequence[FleetRun], origin: Origin) -> Column:
    return column(
        "hit_share", "prompt from cache", "share", [run.hit_share for run in runs], origin, "nothing looked up"
    )


def _against_last(rows: Sequence[Row], runs: Sequence[FleetRun], origin: Origin, name: str) -> Table:
    base = runs[-1]
    columns = (
        column(
            "ttft_p50",
            "first token p50",
            "ratio",
            [ratio(r.service.ttft.p50, base.service.ttft.p50) for r in runs],
            origin,
        ),
        column(
            "ttft_p95",
            "first token p95",
            "ratio",
            [ratio(r.service.ttft.p95, base.service.ttft.p95) for r in runs],
            origin,
        ),
        column("hit_share", "prompt from cache", "ratio", [ratio(r.hit_share, base.hit_share) for r in runs], origin),
    )
    return Table(f"{name}-ratio", f"Over {rows[-1].label}, {name}", "routing", tuple(rows), columns)


def _routing_words(rows: Sequence[Row], runs: Sequence[FleetRun]) -> str:
    first, last = runs[0], runs[-1]
    gain = ratio(last.service.ttft.p95, first.service.ttft.p95)
    return (
        f"{rows[0].label} finds {percent(first.hit_share, 0)} of the prompt tokens in a cache, {rows[-1].label} "
        f"{percent(last.hit_share, 0)}; first token p95 {seconds(first.service.ttft.p95)} against "
        f"{seconds(last.service.ttft.p95)} ({multiple(gain)}), good {percent(first.service.attainment)} against "
        f"{percent(last.service.attainment)}."
    )


def _comparison(rows: Sequence[Row], both: Both, origins: Origins, head: str) -> list[Table]:
    """The line of its own: simulator against platform."""
    if origins.compared is None or not both.measured or len(both.measured) != len(both.simulated):
        return []
    columns = compared_columns(_services(both.measured), _services(both.simulated), origins.compared)
    notes = (
        "Simulated over measured: 1 is agreement. The emulated engine has the simulator's step times, so this is what "
        "gateway, processes and the load of the machine add. The gateway's own time limits are not stretched: under "
        "overload the platform gives up earlier.",
    )
    return [Table("compared", "Simulator against platform", head, tuple(rows), columns, notes)]


def _services(runs: Sequence[FleetRun]) -> list[Service]:
    return [run.service for run in runs]


def _marked(rows: Sequence[Row], runs: Sequence[FleetRun]) -> tuple[Row, ...]:
    return tuple(
        Row(row.key, row.label, "" if run.service.is_sufficient else "not sufficient")
        for row, run in zip(rows, runs, strict=True)
    )


def _titled(title: str, name: str) -> str:
    return f"{title}, {'real vLLM, measured' if name == 'vllm' else name}"


def _attained(service: Service) -> str:
    return (
        f"{percent(service.attainment)} of {plural(service.measured, 'request')} good; first token p50/p95/p99 "
        f"{seconds(service.ttft.p50)} / {seconds(service.ttft.p95)} / {seconds(service.ttft.p99)}, inter-token "
        f"{seconds(service.inter_token.p50)} / {seconds(service.inter_token.p95)} / {seconds(service.inter_token.p99)}"
        + (f"; {plural(service.failed, 'request')} failed" if service.failed else "")
    )


def stretch_words(time_scale: float) -> tuple[str, ...]:
    if time_scale == 1.0:
        return ()
    return (
        f"All times of this section are stretched {number(time_scale)} times, thresholds too, and rates are as much "
        "lower: one small machine carries the whole fleet that way. Divided by it they are the profile's real time.",
    )


def _sufficiency(runs: Sequence[FleetRun]) -> Sufficiency | None:
    if not runs:
        return None
    return Sufficiency(min(run.service.warm_up for run in runs), min(run.service.measured for run in runs))
