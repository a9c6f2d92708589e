"""One small simulation with a fault, judged, for every test of its report."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.cost.prices import shipped_prices
from sre.gameday.simulated import judge_simulation
from sre.platforms.fault_text import parse_fault
from sre.platforms.local.simulate import simulate
from sre.platforms.simulation import Simulation, SimulationRequest
from sre.reports.simulation.model import SimulationReport
from sre.reports.simulation.write import write_report
from sre.slo.openslo import load_slos

SLOS = Path(__file__).resolve().parents[4] / "slo"


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    request = SimulationRequest(
        profile="h100-llama3-8b-tp1",
        replicas=2,
        workload="chat",
        rate_rps=16,
        duration_s=120,
        cold_start_s=20,
        seed=1,
        drill_clock=60,
        faults=(parse_fault("crash@30:llm-0"), parse_fault("metrics@80+10")),
    )
    return simulate(request, on_progress=lambda _: None)


@pytest.fixture(scope="session")
def report(simulation: Simulation) -> SimulationReport:
    return judge_simulation(simulation, slos=load_slos(SLOS), book=shipped_prices())


@pytest.fixture(scope="session")
def folder(report: SimulationReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report's folder, written once: its files are only read."""
    path = tmp_path_factory.mktemp("simulated") / "report"
    write_report(report, path)
    return path
