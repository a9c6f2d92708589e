"""Sections about size: throughput against concurrency, tensor and pipeline parallelism, scaling policies."""

from __future__ import annotations

from collections.abc import Sequence

from sre.cost.model import Price
from sre.platforms.performance import KneePoint, ParallelRun, Tail, WorkClass
from sre.platforms.scaling import PolicyComparison
from sre.reports.autoscale import cost_of, per_million_good
from sre.reports.formats import count, money, number, percent, seconds
from sre.reports.performance.columns import column, ratio, tail_columns
from sre.reports.performance.knee import RULE, find_knee
from sre.reports.performance.model import (
    Column,
    Figure,
    Finding,
    Origin,
    Plot,
    Row,
    Section,
    Series,
    Simulated,
    Table,
)
from sre.reports.performance.service_sections import Origins, stretch_words

NOT_SEEN = "no first token came in the window"
GOOD_SHARE = 0.99


def knee_section(
    measured: Sequence[KneePoint],
    simulated: Sequence[KneePoint],
    origins: Origins,
    *,
    work: WorkClass,
    time_scale: float,
) -> Section:
    """Throughput of one replica against the number of clients, and where it bends."""
    sides = (("measured", origins.measured, measured), ("simulated", origins.simulated, simulated))
    tables, series, findings = [], [], []
    for name, origin, points in sides:
        if origin is None or not points:
            continue
        knee = find_knee([(p.concurrency, p.tokens_per_s) for p in points])
        at = None if knee is None else knee.index
        tables.append(_levels(name, points, origin, at))
        series.append(_line(name, points, origin, at))
        findings.append(Finding(_knee_words(points, at, None if knee is None else knee.distance), origin))
    tables += _levels_compared(measured, simulated, origins)
    return Section(
        key="knee",
        title="Throughput against concurrency",
        question="From which number of clients on does one replica gain little but make all wait?",
        findings=tuple(findings),
        tables=tuple(tables),
        plots=(_curve(series),),
        method=(
            f"One replica, closed loop: so many clients, each sending its next request when its last one ended. "
            f"{work.title}.",
            "Tokens are counted in a window after the clients settled, an answer's spread evenly between its first and "
            "its last. A closed loop finds what a replica can do; users do not wait for each other.",
            f"Knee: the point {RULE}.",
            *stretch_words(time_scale),
        ),
    )


def _levels(name: str, points: Sequence[KneePoint], origin: Origin, knee: int | None) -> Table:
    rows = tuple(
        Row(f"c{p.concurrency}", str(p.concurrency), "knee" if index == knee else "") for index, p in enumerate(points)
    )
    columns = (
        column("tokens_per_s", "tokens/s", "per_second", [p.tokens_per_s for p in points], origin),
        *tail_columns("ttft", "first token", [p.ttft for p in points], origin, NOT_SEEN),
        *tail_columns("inter_token", "inter-token", [p.inter_token for p in points], origin, NOT_SEEN),
        column("answers", "answers in the window", "count", [float(p.answers) for p in points], origin),
    )
    return Table(name, f"Levels, {name}", "clients", rows, columns)


def _line(name: str, points: Sequence[KneePoint], origin: Origin, knee: int | None) -> Series:
    drawn = tuple((float(p.concurrency), Figure("per_second", p.tokens_per_s, origin)) for p in points)
    label = "" if knee is None else f"knee, {points[knee].concurrency} clients"
    return Series(name, name, drawn, knee, label)


def _curve(series: Sequence[Series]) -> Plot:
    return Plot(
        key="knee",
        title="Throughput against concurrency",
        caption="each line of one origin; the marked point is its knee",
        x_label="clients",
        y_label="tokens/s",
        series=tuple(series),
    )


def _knee_words(points: Sequence[KneePoint], knee: int | None, distance: float | None) -> str:
    if knee is None or distance is None:
        return f"No knee up to {points[-1].concurrency} clients: throughput still grows as straight as it began."
    at, last = points[knee], points[-1]
    return (
        f"Knee at {at.concurrency} clients: {number(at.tokens_per_s)} tokens/s, "
        f"{percent(ratio(at.tokens_per_s, last.tokens_per_s), 0)} of what {last.concurrency} clients get, at an "
        f"inter-token p50 of {seconds(at.inter_token.p50)} against "
        f"{seconds(last.inter_token.p50)} (height above the diagonal {distance:.2f})."
    )


def _levels_compared(measured: Sequence[KneePoint], simulated: Sequence[KneePoint], origins: Origins) -> list[Table]:
    origin = origins.compared
    if origin is None or len(measured) != len(simulated) or not measured:
        return []
    pairs = list(zip(measured, simulated, strict=True))
    rows = tuple(Row(f"c{one.concurrency}", str(one.concurrency)) for one in measured)
    none = "one side has none"
    columns = (
        column(
            "tokens_per_s", "tokens/s", "ratio", [ratio(s.tokens_per_s, m.tokens_per_s) for m, s in pairs], origin, none
        ),
        column("ttft_p50", "first token p50", "ratio", [ratio(s.ttft.p50, m.ttft.p50) for m, s in pairs], origin, none),
        column(
            "inter_token_p50",
            "inter-token p50",
            "ratio",
            [ratio(s.inter_token.p50, m.inter_token.p50) for m, s in pairs],
            origin,
            none,
        ),
    )
    return [Table("compared", "Simulator against platform", "clients", rows, columns, ("Simulated over measured.",))]


def parallelism_section(
    runs: Sequence[ParallelRun], origin: Simulated, *, work: WorkClass, gpus: int, absent: Sequence[str]
) -> Section:
    """One model over the same number of GPUs, cut in different ways. `origin` names all profiles."""
    ranked = sorted(range(len(runs)), key=lambda index: _merit(runs[index]), reverse=True)
    rows = tuple(
        Row(
            run.key, run.label, "chosen" if index == ranked[0] and run.sustained_rps else "failed" if run.reason else ""
        )
        for index, run in enumerate(runs)
    )
    findings = [Finding(_choice_words(runs, ranked, gpus), origin)]
    findings += [Finding(f"{run.label}: {run.reason}.", origin) for run in runs if run.reason]
    return Section(
        key="parallelism",
        title="Tensor and pipeline parallelism",
        question=f"How should {gpus} GPUs be cut into replicas of this model?",
        findings=tuple(findings),
        tables=(Table("simulated", "Cuts, simulated", "cut", rows, _cut_columns(runs, origin)),),
        method=(
            f"{work.title}; {work.lengths}; the thresholds of the class in real time. For each cut the highest rate of "
            f"the whole fleet at which {percent(GOOD_SHARE, 0)} of the requests are good, found by halving.",
            "Chosen: the most good requests/s on the same GPUs; among equals the shorter inter-token time.",
        ),
        absent=tuple(absent),
    )


def _merit(run: ParallelRun) -> tuple[float, float]:
    service = run.service
    gap = service.inter_token.p95 if service is not None and service.inter_token.p95 is not None else float("inf")
    return (run.sustained_rps or 0.0, -gap)


def _cut_columns(runs: Sequence[ParallelRun], origin: Simulated) -> tuple[Column, ...]:
    none = "it carries nothing within the thresholds"
    tails = [Tail(0, None, None, None) if run.service is None else run.service.ttft for run in runs]
    gaps = [Tail(0, None, None, None) if run.service is None else run.service.inter_token for run in runs]
    per_gpu = [None if run.sustained_rps is None else run.sustained_rps / run.gpus for run in runs]
    return (
        column("gpus_per_replica", "GPUs a replica", "count", [float(run.gpus_per_replica) for run in runs], origin),
        column("replicas", "replicas", "count", [float(run.replicas) for run in runs], origin),
        column("sustained_rps", "good requests/s", "per_second", [run.sustained_rps for run in runs], origin, none),
        column("per_gpu_rps", "per GPU", "per_second", per_gpu, origin, none),
        *tail_columns("ttft", "first token", tails, origin, none),
        *tail_columns("inter_token", "inter-token", gaps, origin, none),
    )


def _choice_words(runs: Sequence[ParallelRun], ranked: Sequence[int], gpus: int) -> str:
    """The first, the next, and where precision differs the best of the other ones: fewer bits are another answer."""
    first = runs[ranked[0]]
    if first.sustained_rps is None:
        return f"No cut of {gpus} GPUs meets the thresholds."
    said = f"{first.label}: {number(first.sustained_rps)} good requests/s on {gpus} GPUs"
    others = [runs[index] for index in ranked[1:] if runs[index].sustained_rps is not None]
    if not others:
        return f"{said}; nothing else meets the thresholds."
    said += f"; next is {others[0].label} with {number(others[0].sustained_rps)}"
    same = [run for run in others if run.precision == first.precision]
    if len(same) == len(others):
        return f"{said}."
    return (
        f"{said}. {first.precision} against {others[0].precision} is another model: this says nothing of its answers."
    )


def autoscaling_section(
    comparison: PolicyComparison, price: Price, origin: Simulated, *, absent: Sequence[str]
) -> Section:
    """Scaling policies on the same traffic, as `sre autoscale compare` has them."""
    runs = comparison.runs
    gpus = comparison.gpus_per_replica
    meeting = [run for run in runs if run.attainment >= GOOD_SHARE and not run.is_baseline]
    cheapest = min(meeting, key=lambda run: run.replica_s, default=None)
    rows = tuple(Row(run.name, run.name, "chosen" if run is cheapest else "") for run in runs)
    per_million = [per_million_good(run, price, gpus) for run in runs]
    columns = (
        column("attainment", "good", "share", [run.attainment for run in runs], origin),
        column("ttft_p50", "first token p50", "duration_s", [run.ttft_p50_s for run in runs], origin),
        column("ttft_p99", "p99", "duration_s", [run.ttft_p99_s for run in runs], origin),
        column("replica_hours", "replica-hours", "count", [run.replica_s / 3600 for run in runs], origin),
        column("cost", "cost", "usd", [float(cost_of(run, price, gpus)) for run in runs], origin),
        column(
            "per_million",
            "per million good tokens",
            "usd",
            [None if amount is None else float(amount) for amount in per_million],
            origin,
            "no good tokens",
        ),
        column("scalings", "scalings", "count", [float(run.scale_events) for run in runs], origin),
    )
    said = (
        f"No policy keeps {percent(GOOD_SHARE, 0)} good."
        if cheapest is None
        else f"{cheapest.name} is the cheapest that keeps {percent(GOOD_SHARE, 0)} good: "
        f"{percent(cheapest.attainment)} "
        f"for {money(cost_of(cheapest, price, gpus), price.currency)} in {seconds(comparison.duration_s)}."
    )
    return Section(
        key="autoscaling",
        title="Autoscaling policies",
        question="Which policy keeps the thresholds at the least cost?",
        findings=(Finding(said, origin),),
        tables=(Table("simulated", "Policies, simulated", "policy", rows, columns),),
        method=(
            f"{comparison.traffic}; {count(comparison.requests)} requests. `sre autoscale compare` has the charts.",
            f"Price: {money(price.per_gpu_hour, price.currency)} for an hour of one {price.gpu} ({price.source}).",
            "Chosen: the fewest replica-hours among the policies that keep the share. Fixed fleets are there to be "
            "compared with: one must know the peak before it comes.",
        ),
        absent=tuple(absent),
    )
