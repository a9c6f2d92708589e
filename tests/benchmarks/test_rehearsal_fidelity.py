"""How far the rehearsal of the shipped example drill is off what was measured, and what it costs beside the drill.

The example was played on two cores that nothing else used; the machine's times are those shipped, not learnt from it.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sre.gameday.rehearsal.calibration import shipped
from sre.gameday.rehearsal.compare import compare

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).resolve().parents[2]


def test_the_example_drill_was_foreseen():
    began = time.process_time()
    found = compare(
        ROOT / "reports" / "example", ROOT / "experiments" / "replica-crash.yaml", ROOT, calibration=shipped()
    )
    took = time.process_time() - began
    rows = {row.measured.key: row for row in found.rows}
    span = found.drill.ended_at - found.drill.started_at
    print(f"\n{span:.0f} s of drill in {took:.1f} s of CPU, {sum(r.within for r in found.rows)} of {len(rows)} within")
    for key in ("time_to_recover", "time to first token.50", "time to first token.99", "mean gap between tokens.50"):
        print(f"{rows[key].measured.name}: {rows[key].predicted.value:.4f}, measured {rows[key].measured.value:.4f} s")
    assert found.ok
    assert rows["failed"].within
    assert rows["time to first token.50"].within
    assert rows["mean gap between tokens.50"].within
