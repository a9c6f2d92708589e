"""`gate:`, what must be left of error budgets before the run starts."""

from __future__ import annotations

from sre.chaos.gate.model import GateSettings
from sre.chaos.section.fields import Fields, between, slugs

KEYS = ("min_budget_left", "slos")


def read_gate(section: Fields) -> GateSettings:
    """The gate that the experiment states, or the one that every experiment has."""
    default = GateSettings()
    fields = section.sub("gate", KEYS)
    if fields is None:
        return default
    named = slugs(
        fields.fields.get("slos"), "list the SLOs whose budget must be left, e.g. [availability]", fields.faults
    )
    return GateSettings(
        min_budget_left=fields.number(
            "min_budget_left", "a share of 0 to 1, e.g. 0.1", between(0, 1), default=default.min_budget_left
        ),
        slos=named or default.slos,
        stated=True,
    )
