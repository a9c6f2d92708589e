"""The people of `finance.yaml`: roles with their rates and hours, and who takes part in a drill."""

from __future__ import annotations

from sre.cost.finance import DrillPolicy, DrillTeam, Role, Traffic
from sre.cost.finance_fields import HOURS, MONEY_PER_HOUR, Amounts
from sre.slo.documents import Faults, Node


def read_labour(node: Node | None, amounts: Amounts) -> tuple[Role, ...]:
    """The roles of the `labour` list; () when it is absent."""
    listed = amounts.faults.list_of(node, "list roles {role: SRE, people: 2, hourly_rate: ...}")
    roles = tuple(role for item in listed if (role := _role(item, amounts)) is not None)
    names = [role.name for role in roles]
    if node is not None and len(set(names)) < len(names):
        amounts.faults.add(node, "names a role twice: give its people once")
    return roles


def _role(node: Node, amounts: Amounts) -> Role | None:
    faults = amounts.faults
    fields = faults.mapping(node, ("role", "people", "hourly_rate", "response_hours", "follow_up_hours"))
    name = faults.text(faults.required(node, "role", "name it, e.g. SRE lead"), "name it, e.g. SRE lead")
    people = _people(faults.required(node, "people", "write how many take part"), faults)
    rate = amounts.read(
        faults.required(node, "hourly_rate", "write what an hour costs, salary and overhead"),
        f"hour of {name}",
        MONEY_PER_HOUR,
    )
    response = amounts.read(fields.get("response_hours"), f"{name}: hours in a response", HOURS)
    after = amounts.read(fields.get("follow_up_hours"), f"{name}: hours of follow-up", HOURS)
    return None if not name or people is None or rate is None else Role(name, people, rate, response, after)


def _people(node: Node | None, faults: Faults) -> int | None:
    if node is None:
        return None
    if isinstance(node.scalar, bool) or not isinstance(node.scalar, int) or not 1 <= node.scalar <= 1000:
        faults.add(node, f"is {node.kind}: write a whole number of people, 1 to 1000")
        return None
    return node.scalar


def read_drill(node: Node | None, amounts: Amounts) -> DrillPolicy | None:
    """The `drill` section; None when it is absent."""
    if node is None:
        return None
    faults = amounts.faults
    fields = faults.mapping(node, ("traffic", "team"))
    word = "write generated (the load generator's) or customers"
    traffic = faults.one_of(faults.required(node, "traffic", word), ("generated", "customers"), word)
    team = tuple(
        member
        for item in faults.list_of(fields.get("team"), "list {role: SRE, people: 2, hours: ...}")
        if (member := _member(item, amounts)) is not None
    )
    chosen: Traffic = "customers" if traffic == "customers" else "generated"
    return DrillPolicy(chosen, team)


def _member(node: Node, amounts: Amounts) -> DrillTeam | None:
    faults = amounts.faults
    faults.mapping(node, ("role", "people", "hours"))
    role = faults.text(faults.required(node, "role", "name a role of labour"), "name a role of labour")
    people = _people(faults.required(node, "people", "write how many take part"), faults)
    hours = amounts.read(
        faults.required(node, "hours", "write each person's hours for one drill"), f"{role}: hours for a drill", HOURS
    )
    return None if not role or people is None or hours is None else DrillTeam(role, people, hours)
