"""People's time: in the response, afterwards, and in a drill. A role's line is people x hours x rate."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sre.cost.finance import DrillTeam, Finance, Role
from sre.cost.measured import Measure, measured, product, unknown
from sre.cost.provenance import CostLine, Input


def response_lines(finance: Finance, response: Measure) -> tuple[CostLine, ...]:
    """A line for each role that responds. `response` is acknowledged to resolved in hours; where it is not known the
    hours that finance.yaml assumes are used.
    """
    roles = [role for role in finance.labour if role.response_hours is not None]
    if not roles:
        return (unknown("labour: response", finance.missing("labour with response_hours"), is_billed=False),)
    return tuple(_response(role, response) for role in roles)


def _response(role: Role, response: Measure) -> CostLine:
    name = f"labour: {role.name}, response"
    if response.value is None:
        return _worked(name, role.people, role.response_hours, role.hourly_rate)
    hours = Input("acknowledged to resolved", response.value, "h", "measured", response.source)
    return _worked(name, role.people, hours, role.hourly_rate)


def follow_up_lines(finance: Finance) -> tuple[CostLine, ...]:
    """A line for each role that has hours afterwards: review, actions, letters."""
    return tuple(
        _worked(f"labour: {role.name}, follow-up", role.people, role.follow_up_hours, role.hourly_rate)
        for role in finance.labour
        if role.follow_up_hours is not None
    )


def drill_lines(finance: Finance) -> tuple[CostLine, ...]:
    """A line for each member of the drill's team."""
    if finance.drill is None or not finance.drill.team:
        return (unknown("labour: drill", finance.missing("drill with a team"), is_billed=False),)
    return tuple(_member(finance, member) for member in finance.drill.team)


def _member(finance: Finance, member: DrillTeam) -> CostLine:
    role = finance.role(member.role)
    name = f"labour: {member.role}, drill"
    if role is None:
        return unknown(name, finance.missing(f"hourly rate of {member.role}"), is_billed=False)
    return _worked(name, member.people, member.hours, role.hourly_rate)


def _worked(name: str, people: int, hours: Input | None, rate: Input) -> CostLine:
    heads = measured(Decimal(people), "person" if people == 1 else "people", "finance.yaml")
    line = product(name, heads, (hours, rate), missing="no hours are given")
    seen = (hours.source,) if hours is not None and hours.basis == "measured" else ()
    return replace(line, source="; ".join((*seen, "finance.yaml: labour")))
