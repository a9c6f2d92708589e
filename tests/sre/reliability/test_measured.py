"""What drills measured takes the place of what was assumed, and of nothing else."""

from __future__ import annotations

import pytest

from sre.incidents.case import CaseHead
from sre.reliability.measured import Drill, with_drills
from sre.reliability.rates_reader import shipped_rates
from sre.reports.reliability.drills import drills_stored


def drill(name="a", fault="replica-crash", recovery_s=4.0, bad=0, requests=30):
    return Drill(name, (fault,), recovery_s, bad, requests, rate_rps=6.0, replicas=3)


def test_a_crash_that_was_drilled_takes_as_long_as_it_took() -> None:
    book, taken = with_drills(shipped_rates(), [drill(recovery_s=4.0), drill("b", recovery_s=6.0)])
    changed = book.recovery("crash-restart")
    assert (changed.median_h * 3600, changed.basis) == (pytest.approx(5.0), "measured")
    assert changed.sigma == shipped_rates().recovery("crash-restart").sigma  # two say nothing of a spread
    assert [one.what for one in taken] == ["restart after a crash", "traffic lost at a failover, of one replica"]


def test_three_drills_tell_a_spread() -> None:
    book, _ = with_drills(shipped_rates(), [drill(str(n), recovery_s=s) for n, s in enumerate((2.0, 4.0, 8.0))])
    assert book.recovery("crash-restart").sigma == pytest.approx(0.6931, rel=1e-3)


def test_no_drill_measures_a_repair() -> None:
    book, _ = with_drills(shipped_rates(), [drill(), drill("b", "gpu-lost")])
    assert book.recovery("repair") == shipped_rates().recovery("repair")


def test_requests_that_a_drill_lost_are_seconds_of_one_replicas_traffic() -> None:
    book, _ = with_drills(shipped_rates(), [drill(bad=4), drill("b", bad=0)])
    assert book.failover.lost_replica_s == pytest.approx((4 * 3 / 6 + 0) / 2)


def test_none_lost_of_a_few_rules_out_no_more_than_three() -> None:
    book, _ = with_drills(shipped_rates(), [drill(bad=0)])
    assert book.failover.range_s == (0.0, pytest.approx(3 * 3 / 6))


def test_a_drill_of_two_faults_or_of_something_else_measures_nothing() -> None:
    both = Drill("a", ("replica-crash", "traffic-surge"), 4.0, 0, 10, 6.0, 3)
    assert with_drills(shipped_rates(), [both, drill("b", "disk-full")]) == (shipped_rates(), ())


def test_the_store_tells_recoveries_of_drills_whose_report_is_gone() -> None:
    told = CaseHead(
        *("INC-1", "t", "drill", "closed", "SEV3", 0.0, 0.0, "r-1", "", "experiments/replica-hang.yaml"),
        milestones={"fault_injected": 10.0, "recovered": 17.0},
    )
    real = CaseHead("INC-2", "t", "manual", "closed", "SEV3", 0.0, 0.0, milestones=dict(told.milestones))
    (found,) = drills_stored([told, real], known=())
    assert (found.faults, found.recovery_s, found.lost_replica_s) == (("replica-hang",), 7.0, None)
    assert drills_stored([told], known=("r-1",)) == ()
