"""What the briefing's figures rest on: labour role by role, and every other input with its range, basis and source."""

from __future__ import annotations

from collections.abc import Sequence

from sre.cost.finance import Role
from sre.cost.measured import shown
from sre.cost.provenance import Input, weakest
from sre.reports.finops_model import FinopsBriefing
from sre.reports.page import Cell, Grid, Tone, grid


def inputs(found: FinopsBriefing) -> tuple[Grid, Grid]:
    """Budgets are left out: they stand in a table of their own, with their sources."""
    said = {one for role in found.labour for one in _of(role)} | {member.hours for member in found.drill_team}
    said |= {given for _, given in found.monthly_budgets}
    return input_rows([one for one in found.inputs if one not in said]), _labour(found)


def input_rows(used: Sequence[Input]) -> Grid:
    """A row an input."""
    head = ("input", ">value", "range", "basis", "source")
    return grid("input-table", "", head, [_row(one) for one in used], empty="No input was used.")


def _row(one: Input) -> tuple[Cell, ...]:
    return (
        Cell(one.name),
        Cell(f"{shown(one.value)} {one.unit}"),
        Cell(range_of(one)),
        Cell(one.basis, "unsure" if one.basis == "assumed" else "good"),
        Cell(one.source),
    )


def range_of(given: Input) -> str:
    """`0.1 to 0.5`, or empty where the value is exact."""
    low, high = given.bounds
    return "" if low == high else f"{shown(low)} to {shown(high)}"


def _of(role: Role) -> tuple[Input, ...]:
    given = (role.hourly_rate, role.response_hours, role.follow_up_hours)
    return tuple(one for one in given if one is not None)


def _labour(found: FinopsBriefing) -> Grid:
    drilled = {member.role: member for member in found.drill_team}
    rows = []
    for role in found.labour:
        member = drilled.get(role.name)
        used = (*_of(role), *(() if member is None else (member.hours,)))
        basis = weakest(used)
        tone: Tone = "unsure" if basis == "assumed" else "good"
        drill = "none" if member is None else f"{member.people} x {_ranged(member.hours)}"
        rows.append(
            (
                Cell(f"{role.name}, {role.people}"),
                Cell(_ranged(role.hourly_rate)),
                Cell(_ranged(role.response_hours)),
                Cell(_ranged(role.follow_up_hours)),
                Cell(drill),
                Cell(basis, tone),
                Cell("; ".join(dict.fromkeys(one.source for one in used))),
            )
        )
    rate = f">{found.currency} an hour"
    head = ("role, people", rate, ">h in a response", ">h of follow-up", ">h in a drill", "basis", "source")
    return grid("labour-table", "Labour", head, rows, empty="finance.yaml has no labour.")


def _ranged(given: Input | None) -> str:
    """`95 (70 to 130)`."""
    if given is None:
        return "none"
    within = range_of(given)
    return f"{shown(given.value)} ({within})" if within else shown(given.value)
