"""What an inject shows, taken from a drill's files. Without a file there is no artefact, and the reason is said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sre.metrics.model import SampleSource, Selector
from sre.reports.formats import clock, count, date_time, multiple, number, percent, target
from sre.reports.model import DrillReport
from sre.slo.model import Alert, Slo, SloResult
from sre.slo.rules.alerts import alert_name
from sre.tabletop.charts import CHARTS, chart_of
from sre.tabletop.facts import NO_DRILL
from sre.tabletop.model import Artefact
from sre.tabletop.scenario import InjectTemplate, Kind
from sre.tabletop.secrecy import found_in, masked
from sre.tabletop.seen import Instants, first_alert, first_tokens_at, seen_at

_TITLES = {
    "alert": "The page",
    "requests": "Requests by outcome",
    "ttft": "Time to first token",
    "replicas": "Replica states",
    "budget": "Objectives and budgets",
    "readings": "The gateway's own page",
    "engines": "The engines' own pages",
    "log": "Log",
    "figures": "Figures until now",
}
GATEWAY = (
    "sre_gateway_requests_total",
    "sre_gateway_replica_up",
    "sre_gateway_replica_inflight",
    "sre_gateway_ejections_total",
    "sre_gateway_rejections_total",
    "sre_gateway_replays_total",
    "sre_gateway_poison_total",
    "sre_gateway_expired_total",
    "sre_gateway_queue_depth",
    "sre_gateway_predicted_ttft_seconds",
)
ENGINES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:num_preemptions_total",
    "DCGM_FI_DEV_XID_ERRORS",
    "up",
)
_ALWAYS = ("sre_gateway_requests_total", "sre_gateway_replica_up", "vllm:num_requests_running", "up")
_HIDDEN = ("instance", "job", "model_name")
_FRESH_S, _OLD_S = 15.0, 2.5
_LINES = 12


@dataclass(frozen=True, slots=True)
class Recording:
    """A drill's report with its samples. `samples` is None, with `no_samples`, when they are not there."""

    report: DrillReport
    instants: Instants
    samples: SampleSource | None
    no_samples: str = ""


def artefacts_of(
    template: InjectTemplate, inject: str, recording: Recording | None, terms: Sequence[str]
) -> tuple[Artefact, ...]:
    """The artefacts of one inject, in the template's order."""
    return tuple(_artefact(kind, template, f"{inject}-{kind}", recording, terms) for kind in template.artefacts)


def _artefact(
    kind: Kind, template: InjectTemplate, name: str, recording: Recording | None, terms: Sequence[str]
) -> Artefact:
    if recording is None:
        return Artefact(name, _TITLES[kind], "", absent=NO_DRILL)
    at = recording.instants.at(template.at)
    seen = seen_at(recording.report, at)
    title = f"{_TITLES[kind]}, {clock(at)} UTC"
    if kind in CHARTS:
        chart = chart_of(kind, first_tokens_at(recording.report, at) if kind == "ttft" else seen, name)
        if chart is None:
            return Artefact(name, title, "", absent="n/a (the recording has no data for this chart)")
        return Artefact(name, title, chart.alt, chart.svg)
    if kind == "alert":
        text = _alert(recording.report, terms)
        return Artefact(name, title, text, absent="" if text else "n/a (no alert fired in the drill)")
    if kind == "log":
        return Artefact(name, title, log_text(seen, terms))
    if kind == "budget":
        text = budget_text(seen)
        return Artefact(name, title, text, absent="" if text else "n/a (the drill judged no objective)")
    if kind == "figures":
        return Artefact(name, title, _figures(seen))
    families = GATEWAY if kind == "readings" else ENGINES
    text, absent = readings_text(recording, families, at)
    return Artefact(name, title, text, absent=absent)


def log_text(seen: DrillReport, terms: Sequence[str]) -> str:
    """The newest lines of supervisor, gateway and clients, with the file each was read from."""
    rows = [row for row in seen.incident.timeline if row.kind != "load" and row.at >= seen.started_at]
    lines = [masked(f"{clock(row.at)}  {row.text}  [{row.source}]", terms) for row in rows]
    told = [line for line in lines if line is not None]
    gone = len(lines) - len(told)
    notes = [f"({gone} line(s) withheld by exercise control)"] if gone else []
    if not told:
        notes.append(f"(no line since {clock(seen.started_at)[:8]}: every replica had started before)")
    return "\n".join([*told[-_LINES:], *notes])


def readings_text(recording: Recording, families: Sequence[str], at: float) -> tuple[str, str]:
    """Values before and now of everything that moved or always matters, as a table of text; or why there is none."""
    if recording.samples is None:
        return "", recording.no_samples
    calm, _ = _values(recording.samples, families, recording.instants.calm)
    now, newest = _values(recording.samples, families, at)
    names = [name for name in _ordered(families, (calm, now)) if _matters(name, calm.get(name), now.get(name))]
    if not names:
        return "", "n/a (the samples hold none of these metrics)"
    width = max(len(name) for name in names)
    head = f"{'':{width}}  {clock(recording.instants.calm)[:8]:>9}  {clock(at)[:8]:>9}"
    rows = [f"{name:{width}}  {_said(calm.get(name)):>9}  {_said(now.get(name)):>9}" for name in names]
    is_old = newest is not None and at - newest > _OLD_S
    note = [f"(newest sample {at - newest:.0f} s old)"] if newest is not None and is_old else []
    return "\n".join((head, *rows, *note)), ""


def look_up_rows(recording: Recording, families: Sequence[str], instants: Sequence[float]) -> list[tuple[str, ...]]:
    """The same over several instants, for the facilitator."""
    if recording.samples is None:
        return []
    columns = [_values(recording.samples, families, at)[0] for at in instants]
    names = _ordered(families, columns)
    moved = [name for name in names if _matters(name, *(column.get(name) for column in columns))]
    return [(name, *(_said(column.get(name)) for column in columns)) for name in moved]


def budget_text(seen: DrillReport) -> str:
    """Each objective with its error ratio's burn in the fastest page's windows, and what fires, as of now."""
    rows = [_budget_row(result) for result in seen.primary_results()]
    if not rows:
        return ""
    width = max(len(row[0]) for row in rows)
    head = f"{'':{width}}  {'target':>7}  {'burn, long':>10}  {'burn, short':>11}  fires"
    return "\n".join((head, *(f"{a:{width}}  {b:>7}  {c:>10}  {d:>11}  {e}" for a, b, c, d, e in rows)))


def _budget_row(result: SloResult) -> tuple[str, str, str, str, str]:
    pages = [curve for curve in result.curves if curve.tier.severity == "page" and len(curve.times)]
    fastest = min(pages, key=lambda curve: curve.tier.long_s, default=None)
    burns = ("n/a", "n/a") if fastest is None else (_burn(fastest.long_burn[-1]), _burn(fastest.short_burn[-1]))
    firing = ", ".join(f"{alert.tier} ({alert.severity})" for alert in result.alerts if alert.reset_at is None)
    return (result.slo.name, target(result.slo.target), *burns, firing or "nothing")


def _burn(value: float) -> str:
    return multiple(float(value)) if math.isfinite(value) else "no traffic"


def _values(samples: SampleSource, families: Sequence[str], at: float) -> tuple[dict[str, float], float | None]:
    """The newest value of each series, and when the newest of all was taken; none older than `_FRESH_S`."""
    found: dict[str, float] = {}
    newest: float | None = None
    for family in families:
        for one in samples.series(Selector(family), start=at - _FRESH_S, end=at):
            labels = ",".join(f'{k}="{v}"' for k, v in one.id.labels if k not in _HIDDEN)
            if labels or one.id.label("replica") is not None or family != "up":
                found[f"{one.id.name}{{{labels}}}" if labels else one.id.name] = float(one.values[-1])
                newest = max(float(one.times[-1]), newest or 0.0)
    return found, newest


def _ordered(families: Sequence[str], columns: Sequence[Mapping[str, float]]) -> list[str]:
    """Every series of the columns: families as given, then by labels."""
    names = {name for column in columns for name in column}
    return sorted(names, key=lambda name: (families.index(name.partition("{")[0]), name))


def _matters(name: str, *values: float | None) -> bool:
    return name.startswith(_ALWAYS) or len(set(values)) > 1


def _said(value: float | None) -> str:
    return "no sample" if value is None else number(value)


def _alert(report: DrillReport, terms: Sequence[str]) -> str:
    """The page as Alertmanager tells it. A link that names what it is, is withheld."""
    alert = first_alert(report)
    if alert is None:
        return ""
    slo, summary = _slo_of(report, alert), _summary(report, alert)
    runbook = slo.runbook or "n/a (the objective names none)"
    if found_in(runbook, terms):
        runbook = "withheld by exercise control: say which page you would open"
    rows = (
        ("alertname", alert_name(slo)),
        ("severity", alert.severity),
        ("slo", f"{slo.name}, objective {target(slo.target)}"),
        ("tier", alert.tier),
        ("service", slo.service),
        ("startsAt", date_time(alert.fired_at)),
        ("summary", summary),
        ("runbook_url", runbook),
    )
    return "\n".join(("[FIRING:1]", *(f"{name + ':':13} {value}" for name, value in rows)))


def _slo_of(report: DrillReport, alert: Alert) -> Slo:
    return next(result.slo for result in report.primary_results() if alert in result.alerts)


def _summary(report: DrillReport, alert: Alert) -> str:
    curves = [curve for r in report.primary_results() if alert in r.alerts for curve in r.curves]
    curve = next((one for one in curves if one.tier.name == alert.tier), None)
    points = [] if curve is None else list(zip(curve.times, curve.long_burn, strict=True))
    burns = [burn for at, burn in points if at <= alert.fired_at]
    how = f"{number(float(burns[-1]))} times too fast" if burns else "too fast"
    return f"{alert.slo} burns its error budget {how}"


def _figures(seen: DrillReport) -> str:
    bad = [point for point in seen.requests if point.outcome not in ("ok", "cancelled", "invalid")]
    share = len(bad) / len(seen.requests) if seen.requests else None
    rows = (
        ("requests ended", count(len(seen.requests))),
        ("of these failed", f"{count(len(bad))} ({percent(share)})"),
        ("first failure (UTC)", clock(min(p.at + p.e2e_s for p in bad)) if bad else "none until now"),
        ("last failure (UTC)", clock(max(p.at + p.e2e_s for p in bad)) if bad else "none until now"),
    )
    return "\n".join(f"{name:20} {value}" for name, value in rows)
