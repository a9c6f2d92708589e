"""A small report with one figure of each origin and kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sre.platforms.performance import Fleet, FleetRun, KneePoint, Service, Tail, WorkClass
from sre.reports.performance.capacity_sections import knee_section
from sre.reports.performance.model import Measured, PerformanceReport, RunOptions, Simulated
from sre.reports.performance.service_sections import Both, Origins, classes_section

MACHINE = "2 x a processor, Linux 6 x86_64, Python 3.11"
CHAT = WorkClass("chat", "chat: <talk>", "prompt 400, answer 220 tokens", 1.0, 0.05)
Make = Callable[..., PerformanceReport]


def service(ttft_s: float, *, n: int = 500, good: int | None = None) -> Service:
    tail = Tail(n, ttft_s, 2 * ttft_s, 3 * ttft_s)
    return Service(50, n, n if good is None else good, 0, tail, Tail(n, 0.02, 0.03, 0.04), tail, 300.0, 2.0)


def levels(factor: float) -> tuple[KneePoint, ...]:
    empty = Tail(0, None, None, None)
    gap = Tail(3, 0.02, 0.03, 0.04)
    return tuple(KneePoint(n, 10.0, n, factor * min(n, 16) * 10.0, empty, gap) for n in (1, 4, 16, 64))


@pytest.fixture
def make() -> Make:
    def made(
        *, ttft_s: float = 0.2, simulated_s: float = 0.2, n: int = 500, machine: str = MACHINE, quick: bool = False
    ) -> PerformanceReport:
        fleet = Fleet("h100", 3)
        origins = Origins(Measured(machine, "emulated engine"), Simulated("h100", "+/-30 %"))
        both = Both((FleetRun(fleet, service(ttft_s, n=n)),), (FleetRun(fleet, service(simulated_s)),))
        return PerformanceReport(
            options=RunOptions(sections=("classes", "knee"), quick=quick),
            command="sre report performance --only classes,knee",
            sections=(
                classes_section((CHAT,), both, origins, time_scale=1.0, absent=("real vLLM: not here",)),
                knee_section(levels(1.0), levels(1.1), origins, work=CHAT, time_scale=4.0),
            ),
            machine=machine,
            began_at=1_795_632_000.0,
            ended_at=1_795_632_100.0,
        )

    return made
