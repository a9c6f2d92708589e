"""The error budget before a run: what is spent already is not there to be spent on purpose.

Judged over what the platform's samples know. The stretches of earlier runs do not count: what a drill spent was decided
when it was let in. A platform too young to have allowed a single failure cannot be judged, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sre.chaos.gate.model import GateSettings
from sre.chaos.leases.ledger import LedgerRecord
from sre.chaos.sight import Sight
from sre.errors import NoData, SreError
from sre.metrics.following import FollowingSamples
from sre.slo.budget import Correction
from sre.slo.gate import GateRule, decide
from sre.slo.model import Slo
from sre.slo.openslo import load_slos
from sre.slo.status import newest_sample, standing
from sre.slo.words import percent

AFTERMATH_S = 60.0
"""A run's requests end, and its alerts reset, some time after it."""


def slos_named(names: Sequence[str], slo_dir: Path) -> dict[str, Slo]:
    """The SLO documents of these names. Raises SreError for one that is not there, naming those that are."""
    known = {slo.name: slo for slo in load_slos(slo_dir)}
    missing = sorted(set(names) - set(known))
    if missing:
        there = ", ".join(sorted(known))
        raise SreError(f"{slo_dir}: no SLO is named {', '.join(missing)}: use one of {there}")
    return {name: known[name] for name in names}


def budget_says(
    sight: Sight, slos: Iterable[Slo], settings: GateSettings, *, records: Iterable[LedgerRecord], now: float
) -> tuple[list[str], list[str]]:
    """(refusals, notes), each a sentence. Raises SreError when samples are there and cannot be read."""
    rule = GateRule("the run", min_remaining=settings.min_budget_left, block_on=(), no_data="allow")
    refusals: list[str] = []
    notes: list[str] = []
    excluded = earlier_runs(records, now=now)
    with sight.open() as recorded:
        source = FollowingSamples(recorded)
        for slo in slos:
            try:
                at = newest_sample(source, (slo,), now=now)
                found = standing(source, slo, at=at, corrections=excluded)
            except NoData as error:
                notes.append(f"{slo.name}: {error}")
                continue
            if found.budget.allowed < 1:
                seen = f"{found.budget.total:,.0f} requests are known"
                notes.append(f"{slo.name}: {seen}, too few to have spent {percent(slo.budget)} of them: not judged")
                continue
            for reason in decide((found,), rule).reasons:
                (refusals if reason.blocks else notes).append(f"{reason.slo}: {reason.text}")
    return refusals, notes


def earlier_runs(records: Iterable[LedgerRecord], *, now: float) -> tuple[Correction, ...]:
    """The stretches of runs in this ledger, with their aftermath."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    for record in records:
        run = str(record.detail.get("run", ""))
        if record.event == "run_begin":
            begun[run] = record.at
        elif record.event == "run_end":
            ended[run] = record.at
    stretches = {run: (at, min(ended.get(run, now) + AFTERMATH_S, now)) for run, at in begun.items()}
    return tuple(
        Correction(start, end, None, f"run {run}", "sre.chaos.control", end) for run, (start, end) in stretches.items()
    )
