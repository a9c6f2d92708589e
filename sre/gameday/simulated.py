"""A simulation judged as a drill is: what the gateway noticed is read from its samples, as after a real one."""

from __future__ import annotations

from collections.abc import Sequence

from sre.cost.model import Price
from sre.gameday.rotation import rotation_events
from sre.platforms.simulation import Simulation
from sre.reports.simulation.judge import judged
from sre.reports.simulation.model import SimulationReport
from sre.reports.simulation.samples import source_of
from sre.slo.model import Slo


def judge_simulation(simulation: Simulation, *, slos: Sequence[Slo], book: Sequence[Price]) -> SimulationReport:
    """SLOs, alerts against the faults, incident and cost. Raises SreError for a clock too fast for the scrapes."""
    with source_of(simulation) as source:
        noticed = rotation_events(source, start=simulation.start, end=simulation.end)
    return judged(simulation, slos=slos, book=book, noticed=noticed)
