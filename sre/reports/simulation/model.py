"""A simulation judged: SLOs, alerts against the faults that were injected, an incident, money."""

from __future__ import annotations

from dataclasses import dataclass

from sre.cost.model import Price
from sre.incidents.model import Duration, FaultWindow, Impact, Incident, Milestone
from sre.platforms.simulation import Simulation
from sre.reports.simulation.money import SimulatedBill
from sre.slo.model import SloResult

SOURCE = "simulated"
"""What the source of samples is called: it stands beside every figure of an SLO."""


def budget_share_of_period(result: SloResult, clock_factor: float) -> float | None:
    """The part of a whole period's error budget that the run would have spent, its time counted `clock_factor` times;
    None without events.
    """
    if result.error_ratio is None:
        return None
    return result.error_ratio / result.slo.budget * (result.end - result.start) * clock_factor / result.slo.period_s


@dataclass(frozen=True, slots=True)
class LabelledAlert:
    """An alert with the fault that it is about, None for none, and how long after its begin it fired."""

    slo: str
    tier: str
    severity: str
    fired_s: float
    reset_s: float | None
    fault: int | None
    delay_s: float | None


@dataclass(frozen=True, slots=True)
class FaultStory:
    """One fault from its injection to the end of what it did. Instants are Unix seconds of the simulation's clock."""

    window: FaultWindow
    milestones: tuple[Milestone, ...]
    durations: tuple[Duration, ...]
    impact: Impact

    def seconds(self, name: str) -> float | None:
        """A duration by name (`time_to_detect`); None where it is n/a."""
        return next((one.seconds for one in self.durations if one.name == name), None)


@dataclass(frozen=True, slots=True, eq=False)
class SimulationReport:
    """Everything a page or a file shows of one simulation. `bill` is None, with `no_bill`, without a price."""

    simulation: Simulation
    clock_factor: float
    results: tuple[SloResult, ...]
    alerts: tuple[LabelledAlert, ...]
    stories: tuple[FaultStory, ...]
    incident: Incident | None
    bill: SimulatedBill | None
    no_bill: str
    book: tuple[Price, ...]
