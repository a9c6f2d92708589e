"""`expected:`, `weakness:`: what the drill is scored by, and what it is known to fail."""

from __future__ import annotations

import re

from sre.chaos.model import Expected, ExpectedCost, Weakness
from sre.chaos.section.fields import Fields, above, between

KEYS = ("alert", "recovered_within_s", "failed_requests", "cost")
SILENCE = "none"
_RISK = re.compile(r"RISK-\d{3}")
_SECONDS = "seconds, above 0"


def read_expected(section: Fields) -> Expected:
    fields = section.sub("expected", KEYS, mend="say which alert must fire, and when")
    if fields is None:
        return Expected(None, 0.0, 1.0)
    slo, within_s = _alert(fields)
    return Expected(
        alert_slo=slo,
        alert_within_s=within_s,
        recovered_within_s=fields.number("recovered_within_s", _SECONDS, above(0)),
        failed_requests=fields.whole_or_none("failed_requests", "a whole number, 0 or more", between(0, 1e9)),
        cost=_cost(fields),
    )


def read_weakness(section: Fields) -> Weakness | None:
    fields = section.sub("weakness", ("risk", "text"))
    if fields is None:
        return None
    mend = "name the risk in the risk list, e.g. RISK-001"
    risk = fields.faults.required(fields.at, "risk", mend)
    name = fields.faults.text(risk, mend)
    if risk is not None and name and not _RISK.fullmatch(name):
        fields.faults.add(risk, f"is {name!r}: {mend}")
    mend = "say in one line what is weak"
    return Weakness(name, fields.faults.text(fields.faults.required(fields.at, "text", mend), mend))


def _alert(expected: Fields) -> tuple[str | None, float]:
    mend = "give slo and within_s, or write none when no alert may fire"
    node = expected.faults.required(expected.at, "alert", mend)
    if node is None or node.scalar == SILENCE:
        return None, 0.0
    if node.fields is None:
        expected.faults.add(node, f"is {node.kind}: {mend}")
        return None, 0.0
    fields = expected.sub("alert", ("slo", "within_s"))
    assert fields is not None  # noqa: S101  (it is there: see above)
    return fields.slug("slo", "name an SLO, e.g. availability"), fields.number("within_s", _SECONDS, above(0))


def _cost(expected: Fields) -> ExpectedCost:
    fields = expected.sub("cost", ("max_incident_usd", "max_good_token_factor"))
    if fields is None:
        return ExpectedCost()
    return ExpectedCost(
        max_incident_usd=fields.money_or_none("max_incident_usd", "US dollars, 0 or more"),
        max_good_token_factor=fields.number_or_none(
            "max_good_token_factor", "a factor of 1 (every token was good) to 1000", between(1, 1000)
        ),
    )
