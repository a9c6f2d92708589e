"""What is asked for: from a command line, from an earlier report, and back into a command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sre.errors import SreError
from sre.gameday.measure.options import again, asked_for, command_of
from sre.gameday.measure.pacing import Pacing
from sre.gameday.measure.parts import PARTS, expected_s
from sre.gameday.measure.sizes import CLASS_RPS, class_offer, knee_offer, sizes_of
from sre.platforms.local.work import load_fields, work_class, work_classes
from sre.platforms.performance import MEASURED_REQUESTS, WARM_UP_REQUESTS, Fleet
from sre.reports.performance.json_file import Recorded, RecordedFigure
from sre.reports.performance.model import RunOptions


def test_without_a_choice_every_section_is_made_in_reading_order() -> None:
    assert asked_for({}, simulated=False).sections == tuple(PARTS)


def test_sections_are_chosen_by_comma_and_keep_their_order() -> None:
    assert asked_for({"only": "routing, knee"}, simulated=True).sections == ("knee", "routing")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"only": "knees"}, "no section is called 'knees': use classes, knee"),
        ({"only": ""}, "no section is called ''"),
        ({"time_scale": 0.0}, "--time-scale is 0"),
        ({"time_scale": float("nan")}, "--time-scale is nan"),
        ({"profile": "h1000"}, "profile 'h1000' is unknown"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(SreError, match=said):
        asked_for(given, simulated=False)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "sre report performance"),
        ({"only": "knee", "quick": True, "seed": 7}, "sre report performance --only knee --quick --seed 7"),
        ({"time_scale": 8.0}, "sre report performance --time-scale 8.0"),
    ],
)
def test_the_command_of_a_report_asks_for_it(given: dict[str, Any], command: str) -> None:
    assert command_of(asked_for(given, simulated=False)) == command


def test_real_time_is_the_default_where_no_platform_has_to_carry_it() -> None:
    simulated = asked_for({"only": "knee"}, simulated=True)
    assert simulated.time_scale == 1.0
    assert command_of(simulated) == "sre report performance --only knee --simulated"
    stretched = asked_for({"only": "knee", "time_scale": 4.0}, simulated=True)
    assert command_of(stretched) == "sre report performance --only knee --simulated --time-scale 4.0"


def recorded(*origins: str, sections: tuple[str, ...] = ("knee",)) -> Recorded:
    figures = {f"knee/{origin}/c1/x": RecordedFigure("ratio", 1.0, origin, "") for origin in origins}  # type: ignore[arg-type]
    return Recorded(RunOptions(sections=sections), "here", figures)


def test_of_an_earlier_report_the_simulated_part_alone_can_be_made_again() -> None:
    found = again(recorded("measured", "simulated", "compared"), simulated=True, where=Path("x.json"))
    assert list(found.figures) == ["knee/simulated/c1/x"]
    assert not found.options.measured


def test_nothing_simulated_or_a_section_nobody_knows_is_refused() -> None:
    with pytest.raises(SreError, match="nothing in it is simulated"):
        again(recorded("measured"), simulated=True, where=Path("x.json"))
    with pytest.raises(SreError, match="sections warp are not known"):
        again(recorded("measured", sections=("warp",)), simulated=False, where=Path("x.json"))


@pytest.mark.parametrize("work", [one.name for one in work_classes()])
def test_a_full_run_offers_each_class_exactly_what_a_statement_needs(work: str) -> None:
    from serving.loadgen.plan import Plan
    from serving.loadgen.schedule import build_schedule

    fleet = Fleet("h100-llama3-8b-tp1", 3, 4.0)
    offer = class_offer(work, CLASS_RPS[work], sizes_of(quick=False).requests, fleet=fleet, seed=1)
    plan = Plan.model_validate({"url": "http://localhost", "out": Path(), **load_fields(offer)})
    assert len(build_schedule(plan).requests) == WARM_UP_REQUESTS + MEASURED_REQUESTS


def test_a_level_of_the_knee_is_a_closed_loop() -> None:
    fields = load_fields(knee_offer(8, seed=3))
    assert (fields["concurrency"], fields["seed"]) == (8, 3)
    assert "rate_rps" not in fields


def test_an_unknown_class_is_refused_in_our_words() -> None:
    with pytest.raises(SreError, match="workload class 'batch' is not known"):
        work_class("batch")


def test_a_quick_run_is_minutes_and_a_full_one_no_hour() -> None:
    quick, full = (
        sum(expected_s(key, RunOptions(sections=tuple(PARTS), quick=quick)) for key in PARTS) for quick in (True, False)
    )
    assert quick < 8 * 60
    assert full < 30 * 60


class Told:
    """A progress that keeps what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...
    def done(self, result: str = "") -> None: ...
    def fail(self, result: str = "") -> None: ...


def test_the_time_left_follows_the_pace_so_far() -> None:
    now, told = [0.0], Told()
    pacing = Pacing(told, {"one": 60.0, "two": 60.0, "three": 120.0}, clock=lambda: now[0])
    pacing.part("one")
    now[0] = 180.0
    pacing.part("two")
    assert told.notes == ["one (1 of 3), about 240 s left", "two (2 of 3), about 360 s left"]
    now[0] = 240.0
    assert pacing.left_s() == pytest.approx(300.0)
    pacing.part("three")
    pacing.over()
    assert pacing.left_s() == 0.0
