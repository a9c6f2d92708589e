"""What figures over 10,000 incidents take. Printed, never asserted: the machine decides."""

from __future__ import annotations

import random
import time

import pytest

from sre.incidents.case import CaseHead
from sre.incidents.milestones import NAMES
from sre.incidents.statistics import summarise

pytestmark = pytest.mark.benchmark
INCIDENTS = 10_000


def _heads() -> list[CaseHead]:
    rng = random.Random(1)
    origins, statuses = ("drill", "alertmanager", "manual"), ("open", "acknowledged", "resolved", "closed")
    heads = []
    for number in range(INCIDENTS):
        opened = 1.79e9 + rng.random() * 3e7
        marks = {name: opened + rng.expovariate(0.01) for name in NAMES if rng.random() < 0.8}
        severity = f"SEV{rng.randint(1, 4)}"
        experiment = f"exp-{rng.randint(0, 35)}"
        heads.append(
            CaseHead(
                *(f"INC-{number}", "t", rng.choice(origins), rng.choice(statuses), severity, opened, opened),
                experiment=experiment,
                milestones=marks,
            )
        )
    return heads


def test_figures_over_ten_thousand_incidents():
    heads = _heads()
    begin = time.perf_counter()
    sets = summarise(heads, now=1.83e9)
    print(f"\n{INCIDENTS:,} incidents in {len(sets)} sets: {time.perf_counter() - begin:.3f} s")
    assert sets[0].incidents == INCIDENTS
