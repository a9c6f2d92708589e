"""Reads `finance.yaml`: strict, and with every fault at once, each as `file:line: path: what: mend`."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path

from sre.cost.currencies import CODES
from sre.cost.finance import NAME, CreditStep, Finance, Programme, ServiceCredits, no_finance
from sre.cost.finance_fields import MINUTES, MONEY, SHARE, Amounts, Kind
from sre.cost.finance_people import read_drill, read_labour
from sre.cost.provenance import Input
from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, read_documents

_KEYS = (
    "schema",
    "illustrative",
    "currency",
    "good_request",
    "slow_request_share",
    "requests_a_month",
    "sla",
    "error_budgets",
    "labour",
    "recovery_capacity",
    "gpu_price",
    "drill",
    "monthly_budgets",
    "programme",
)
_BUDGETS = ("gpus", "drills")
_PROGRAMME = (
    ("drills_a_month", Kind("drills a month", Decimal(1000))),
    ("incidents_a_year_without", Kind("incidents a year", Decimal(100_000))),
    ("incidents_a_year_with", Kind("incidents a year", Decimal(100_000))),
    ("minutes_without", MINUTES),
    ("minutes_with", MINUTES),
    ("share_of_requests_lost", SHARE),
)
_FIXED = "fixed_cost_a_year"


def read_finance(path: Path) -> Finance:
    """The economics in a file. Raises BadDocument with every fault."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}: holds {len(documents)} documents: write one, beginning with `schema: 1`"])
    faults = Faults(path)
    found = _finance(documents[0], faults, hashlib.sha256(path.read_bytes()).hexdigest())
    _check_team(documents[0], found, faults)
    if faults.all:
        raise BadDocument([fault.text for fault in sorted(faults.all)])
    return found


def finance_in(workspace: Path, currency: str) -> Finance:
    """The economics of a workspace; without its file only what is on a bill can be told, in `currency`."""
    path = workspace / NAME
    return read_finance(path) if path.is_file() else no_finance(currency)


def _finance(root: Node, faults: Faults, sha256: str) -> Finance:
    fields = faults.mapping(root, _KEYS)
    faults.constant(faults.required(root, "schema", "write `schema: 1`"), 1, "this version reads schema 1")
    currency = _currency(faults.required(root, "currency", "write an ISO 4217 code, e.g. USD"), faults)
    amounts = Amounts(faults, currency)
    recovery = faults.one_of(
        fields.get("recovery_capacity"), ("counted", "not counted"), "write counted or not counted"
    )
    return Finance(
        path=faults.file.name,
        sha256=sha256,
        currency=currency,
        is_illustrative=faults.boolean(fields.get("illustrative"), "write true or false"),
        good_request=amounts.read(fields.get("good_request"), "value of a good request", MONEY),
        slow_request_share=amounts.read(
            fields.get("slow_request_share"), "share of that value lost when the answer is too slow", SHARE
        ),
        requests_a_month=amounts.read(fields.get("requests_a_month"), "requests a month", Kind("requests")),
        credits=_credits(fields.get("sla"), amounts),
        error_budgets=_named(fields.get("error_budgets"), amounts, "whole error budget of {}"),
        labour=read_labour(fields.get("labour"), amounts),
        counts_recovery_capacity=recovery != "not counted",
        gpu_price=faults.text(fields.get("gpu_price"), "write the name of a price (`sre cost prices`)") or None,
        drill=read_drill(fields.get("drill"), amounts),
        monthly_budgets=_named(fields.get("monthly_budgets"), amounts, "budget a month for {}", known=_BUDGETS),
        programme=_programme(fields.get("programme"), amounts),
    )


def _check_team(root: Node, found: Finance, faults: Faults) -> None:
    """A member of the drill team is paid by the rate of a role, so the role must be there."""
    for member in () if found.drill is None else found.drill.team:
        if found.role(member.role) is None:
            known = ", ".join(role.name for role in found.labour) or "none"
            drill = (root.fields or {})["drill"]
            faults.add(drill, f"has a {member.role!r} in its team, whom labour does not know: use one of {known}")


def _currency(node: Node | None, faults: Faults) -> str:
    code = faults.text(node, "write an ISO 4217 code, e.g. USD")
    if node is not None and code and code not in CODES:
        faults.add(node, f"{code!r} is no currency of ISO 4217: write a code in capitals, e.g. USD or EUR")
    return code


def _credits(node: Node | None, amounts: Amounts) -> ServiceCredits | None:
    if node is None:
        return None
    faults = amounts.faults
    fields = faults.mapping(node, ("monthly_fee", "credits", "source"))
    fee = amounts.read(
        faults.required(node, "monthly_fee", "write what the customers pay a month"),
        "fee of the service a month",
        MONEY,
    )
    source = faults.text(faults.required(node, "source", "name the contract or page"), "name the contract or page")
    listed = faults.required(node, "credits", "list steps {below: 0.999, percent: 10}")
    steps = [_step(item, amounts) for item in faults.list_of(listed, "list steps {below: 0.999, percent: 10}")]
    known = tuple(sorted((step for step in steps if step), key=lambda step: -step.below))
    if listed is not None and listed.items is not None:
        _check_steps(listed, known, faults)
    return None if fee is None or not known or "credits" not in fields else ServiceCredits(fee, known, source)


def _step(node: Node, amounts: Amounts) -> CreditStep | None:
    faults = amounts.faults
    faults.mapping(node, ("below", "percent"))
    below = amounts.number(faults.required(node, "below", "write an availability, e.g. 0.999"), SHARE)
    percent = amounts.number(faults.required(node, "percent", "write 10 for 10 %"), Kind("%", Decimal(100)))
    return None if below is None or percent is None else CreditStep(below, percent)


def _check_steps(listed: Node, steps: tuple[CreditStep, ...], faults: Faults) -> None:
    if not listed.items:
        faults.add(listed, "is empty: list at least one step {below: 0.999, percent: 10}")
    if len({step.below for step in steps}) < len(steps):
        faults.add(listed, "has two steps below the same availability: keep one")
    if [step.percent for step in steps] != sorted(step.percent for step in steps):
        faults.add(listed, "gives less back for a worse availability: let the percent rise as `below` falls")


def _named(
    node: Node | None, amounts: Amounts, title: str, known: tuple[str, ...] | None = None
) -> tuple[tuple[str, Input], ...]:
    if node is None:
        return ()
    if node.fields is None or known is not None:
        amounts.faults.mapping(node, known or ("name",))
    read = ((name, amounts.read(child, title.format(name), MONEY)) for name, child in (node.fields or {}).items())
    return tuple((name, found) for name, found in read if found is not None)


def _programme(node: Node | None, amounts: Amounts) -> Programme | None:
    if node is None:
        return None
    fields = amounts.faults.mapping(node, (*(name for name, _ in _PROGRAMME), _FIXED))
    read = {
        name: amounts.read(amounts.faults.required(node, name, "a return needs it"), name.replace("_", " "), kind)
        for name, kind in _PROGRAMME
    }
    fixed = amounts.read(fields.get(_FIXED), "fixed cost of the programme a year", MONEY)
    known = {name: found for name, found in read.items() if found is not None}
    return None if len(known) < len(_PROGRAMME) else Programme(**known, fixed_cost_a_year=fixed)
