"""Cases made by hand: an incident of an alert, and the drill of the factory as the store would keep it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import pytest

from sre.cost.provenance import CostLine, CostSum, Input
from sre.incidents.causes.model import Candidate, CauseEvidence, CauseRanking
from sre.incidents.events import (
    AlertSeen,
    Approved,
    Draft,
    ItemSet,
    Linked,
    Measured,
    MilestoneMark,
    Observed,
    Opened,
    RunbookStep,
    StatusSet,
)
from sre.reports.drill_case import drafts_of
from sre.reports.rebuild import without_store

T0 = 1_790_000_000.0


def draft(at, payload, text="", actor="ada"):
    return Draft(T0 + at, payload, text, "the phone", actor)


@pytest.fixture(scope="session")
def make_draft():
    return draft


@pytest.fixture(scope="session")
def alert_drafts():
    """An alert that paged, was taken, mended by a runbook's step, and looked back upon."""
    return (
        draft(0, Opened("Availability burns", "alertmanager", "SEV2", service="llm-gateway"), "page", "sre serve"),
        draft(0, AlertSeen("AvailabilityBurns", "firing", "f1", T0, None, runbook="runbooks/AvailabilityBurns.md")),
        draft(0, MilestoneMark("alerted", T0)),
        draft(0, MilestoneMark("detected", T0), actor="sre serve"),
        draft(40, MilestoneMark("acknowledged", T0 + 40)),
        draft(50, Observed("note"), "the graph of llm-1 looked flat"),
        draft(60, RunbookStep("AvailabilityBurns", "drain", "sre drain llm-1", 0, "ok", "ok", is_mutating=True)),
        draft(90, MilestoneMark("mitigated", T0 + 90, 5.0)),
        draft(95, StatusSet("mitigated"), "traffic is well"),
        draft(200, ItemSet("A1", "Alert on flat counters", "ada", None, "2026-10-01", "open")),
        draft(210, Measured({"requests_failed": "12", "requests": ""}, {"requests": "nobody counted them"})),
        draft(220, Approved("sre-lead", "Ada", "post-incident.html", "a" * 64)),
        draft(230, Linked("runbook", "runbooks/AvailabilityBurns.md", "Availability burns")),
    )


@pytest.fixture(scope="session")
def alert_case(alert_drafts):
    return without_store(alert_drafts, "INC-0007")


@pytest.fixture(scope="session")
def drill_case(drill, tmp_path_factory):
    return without_store(drafts_of(drill, tmp_path_factory.mktemp("none")), "INC-0001")


@pytest.fixture(scope="session")
def ranking():
    seen = (CauseEvidence("llm-1 exited", T0 + 30.2, 0.9, "events.jsonl:11"),)
    return CauseRanking(
        (Candidate(1, "replica", "llm-1", "replica-crash", 0.81, seen),), T0 + 30, ("no samples of GPUs",)
    )


@pytest.fixture(scope="session")
def cost_sum():
    lines = (
        CostLine("GPUs", Decimal("0.0053"), "measured", True, "4.1 replica-s x 2.99 USD", "cost.json"),
        CostLine("lost requests", Decimal("0.12"), "assumed", False, "6 x 0.02 USD", "finance.yaml"),
        CostLine("SLA credits", None, "assumed", False, "", "finance.yaml", "the month is not over"),
    )
    given = (Input("value of a request", Decimal("0.02"), "USD", "assumed", "finance.yaml:4", Decimal("0.01"), None),)
    return CostSum("What the incident cost", "USD", lines, given, ("Nothing was billed.",))


@pytest.fixture(scope="session")
def with_figures():
    def change(case, **figures):
        return replace(case, head=replace(case.head, figures=MappingProxyType(figures)))

    return change
