"""Sections about beginnings and ends: cold start by phase, failover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sre.platforms.performance import Failover
from sre.reports.formats import number, plural, seconds
from sre.reports.performance.columns import column, ratio, tail_columns
from sre.reports.performance.model import Column, Finding, Origin, Row, Section, Table
from sre.reports.performance.service_sections import Origins, stretch_words

_ENGINE = "engine_"


@dataclass(frozen=True, slots=True)
class Phases:
    """Seconds by phase of a start: of a replica with the emulated engine, of one with real vLLM, and of the GPU engine
    as the profile has them; empty where there are none.
    """

    measured: Mapping[str, float]
    vllm: Mapping[str, float]
    stated: Mapping[str, float]


def cold_start_section(phases: Phases, origins: Origins, *, cold_start_scale: float, absent: Sequence[str]) -> Section:
    """What a replica does before its first token."""
    sides = (
        ("measured", "Phases of a start, measured", origins.measured, phases.measured),
        ("vllm", "Phases of a start with real vLLM, measured", origins.vllm, phases.vllm),
        ("simulated", "Phases of the GPU engine, by the profile", origins.simulated, phases.stated),
    )
    known = [(key, title, origin, found) for key, title, origin, found in sides if origin is not None and found]
    return Section(
        key="cold_start",
        title="Cold start by phase",
        question="How long until a new replica serves, and what is it waiting for?",
        findings=tuple(Finding(_start_words(key, found, cold_start_scale), origin) for key, _, origin, found in known),
        tables=tuple(_phases(key, title, found, origin) for key, title, origin, found in known),
        method=(
            "Measured from the spawn of the server's process to an answered inference, by the supervisor; the phases "
            "add up to the whole. With the emulated engine, what begins with engine is the profile's cold start waited "
            f"out, times {number(cold_start_scale)}: it says nothing about a GPU.",
        ),
        absent=tuple(absent),
    )


def _start_words(key: str, found: Mapping[str, float], scale: float) -> str:
    total_s, longest = sum(found.values()), max(found, key=lambda phase: found[phase])
    if key == "measured":
        own_s = sum(taken for phase, taken in found.items() if not phase.startswith(_ENGINE))
        return (
            f"Server, model process and first inference take {seconds(own_s)} of {seconds(total_s)}; the rest waits as "
            f"the profile says, times {number(scale)}."
        )
    what = "With real vLLM" if key == "vllm" else "On the GPU"
    return f"{what} {seconds(total_s)} in all, most of it {longest.replace('_', ' ')} ({seconds(found[longest])})."


def _phases(key: str, title: str, phases: Mapping[str, float], origin: Origin) -> Table:
    rows = (*(Row(phase, phase.replace("_", " ")) for phase in phases), Row("total", "in all"))
    taken = [*phases.values(), sum(phases.values())]
    columns = (
        column("seconds", "time", "duration_s", taken, origin),
        column("share", "share", "share", [ratio(value, taken[-1]) for value in taken], origin, "it takes no time"),
    )
    return Table(key, title, "phase", rows, columns)


def failover_section(
    measured: Failover | None,
    simulated: Failover | None,
    origins: Origins,
    *,
    replicas: int,
    restart_s: float,
    time_scale: float,
) -> Section:
    """One of several replicas killed under load."""
    sides = (("measured", origins.measured, measured), ("simulated", origins.simulated, simulated))
    tables, findings = [], []
    for name, origin, found in sides:
        if origin is None or found is None:
            continue
        tables.append(Table(name, f"One kill, {name}", "fault", (_ROW,), _columns(found, origin)))
        findings.append(Finding(_words(found), origin))
    if origins.compared is not None and measured is not None and simulated is not None:
        tables.append(_compared(measured, simulated, origins))
    return Section(
        key="failover",
        title="Failover",
        question="What does a client notice when a replica dies under it?",
        findings=tuple(findings),
        tables=tuple(tables),
        method=(
            f"kill -9 of the server with the most requests in flight, one of {replicas} replicas, through the ledger "
            "of faults. Gap: the longest wait between two tokens of each request that was under way then.",
            "Lost tokens: asked for and never received. Computed again: the prompts and tokens of streams that went on "
            "elsewhere. Recovery: from the kill until that replica served again.",
            f"The simulator is told that a restart takes {seconds(restart_s)}: it models no process of an operating "
            "system, and what it says depends on nothing that was measured.",
            *stretch_words(time_scale),
        ),
    )


_ROW = Row("crash", "kill -9, the busiest replica")


def _columns(found: Failover, origin: Origin) -> tuple[Column, ...]:
    counters = "the counters could not be read"
    moved = None if found.moved is None else float(found.moved)
    again = None if found.recomputed_tokens is None else float(found.recomputed_tokens)
    return (
        column("requests", "requests", "count", [float(found.requests)], origin),
        column("failed", "failed", "count", [float(found.failed)], origin),
        column("lost_tokens", "tokens lost", "tokens", [float(found.lost_tokens)], origin),
        column("under_way", "under way", "count", [float(found.under_way)], origin),
        column("moved", "moved", "count", [moved], origin, counters),
        column("recomputed_tokens", "computed again", "tokens", [again], origin, counters),
        *tail_columns("gap", "longest gap", [found.gap], origin),
        column("calm_gap_p95", "before, p95", "duration_s", [found.calm_gap.p95], origin, "none was over before"),
        column("recovery", "recovery", "duration_s", [found.recovery_s], origin, "it did not serve again in time"),
    )


def _words(found: Failover) -> str:
    moved = "an unknown number" if found.moved is None else plural(found.moved, "stream")
    back = (
        "did not serve again in time" if found.recovery_s is None else f"served again after {seconds(found.recovery_s)}"
    )
    return (
        f"{plural(found.failed, 'request')} failed of {found.requests}, {plural(found.lost_tokens, 'token')} lost; "
        f"{moved} went on elsewhere, longest gap {seconds(found.gap.p99)} (before the kill "
        f"{seconds(found.calm_gap.p95)}); the replica {back}."
    )


def _compared(measured: Failover, simulated: Failover, origins: Origins) -> Table:
    origin = origins.compared
    assert origin is not None  # noqa: S101  (for the type checker; the caller asked)
    pairs = (
        ("moved", "moved", measured.moved, simulated.moved),
        ("recomputed_tokens", "computed again", measured.recomputed_tokens, simulated.recomputed_tokens),
        ("gap_p99", "longest gap p99", measured.gap.p99, simulated.gap.p99),
        ("recovery", "recovery", measured.recovery_s, simulated.recovery_s),
    )
    columns = tuple(
        column(key, label, "ratio", [ratio(two, one)], origin, "one side has none") for key, label, one, two in pairs
    )
    return Table("compared", "Simulator against platform", "fault", (_ROW,), columns, ("Simulated over measured.",))
