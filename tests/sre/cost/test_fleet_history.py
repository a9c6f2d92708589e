"""How many replicas were wanted, and what served beyond that, from the supervisor's own events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.fleet_history import FleetHistory, read_fleet
from sre.cost.model import ReplicaUse
from sre.errors import BadDocument


def row(at: float, event: str, replica: str | None = None, **detail: Any) -> dict[str, Any]:
    return {"at": at, "event": event, "replica": replica, "pid": 1, "detail": detail}


START = [
    row(0.0, "platform_starting"),
    row(1.0, "replica_started", "llm-0"),
    row(1.0, "replica_started", "llm-1"),
    row(4.0, "replica_ready", "llm-0"),
    row(5.0, "replica_ready", "llm-1"),
    row(6.0, "platform_ready"),
]


def written(tmp_path: Path, *more: dict[str, Any]) -> Path:
    text = "".join(json.dumps(record) + "\n" for record in [*START, *more])
    (tmp_path / "events.jsonl").write_text(text, "utf-8")
    return tmp_path


def test_without_scaling_the_replicas_started_with_the_platform_are_wanted(tmp_path: Path) -> None:
    found = read_fleet(written(tmp_path), end=20.0)
    assert found is not None
    assert found.wanted == ((1.0, 2),)
    assert found.surplus_s(start=0.0, end=20.0) == 0


def test_a_replica_that_drains_after_scaling_in_serves_beyond_what_is_wanted(tmp_path: Path) -> None:
    scaled = row(10.0, "scaled", **{"from": 2, "to": 1})
    found = read_fleet(written(tmp_path, scaled, row(13.0, "replica_exited", "llm-1")), end=20.0)
    assert found is not None
    assert found.wanted == ((1.0, 2), (10.0, 1))
    assert found.surplus_s(start=0.0, end=20.0) == 3.0


def test_a_gateway_that_is_gone_cuts_off_until_it_is_back_but_not_when_the_platform_stops(tmp_path: Path) -> None:
    more = (
        row(10.0, "gateway_exited", returncode=-9),
        row(12.0, "gateway_restarted", restarts=1),
        row(18.0, "platform_stopping"),
        row(18.5, "gateway_exited", returncode=0),
    )
    found = read_fleet(written(tmp_path, *more), end=20.0)
    assert found is not None
    assert found.cut_off == ((10.0, 12.0),)
    assert found.cut_off_s(start=11.0, end=20.0) == 2.0  # two replicas for the second that lies inside


def test_without_events_nothing_is_known(tmp_path: Path) -> None:
    assert read_fleet(tmp_path, end=20.0) is None


def test_a_scaling_without_numbers_is_a_fault_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match=r"events.jsonl:7: scaled without whole numbers"):
        read_fleet(written(tmp_path, row(10.0, "scaled", **{"from": 2})), end=20.0)


lives = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 30), st.integers(1, 40)), max_size=6).map(
    lambda found: tuple(
        ReplicaUse(f"llm-{n}", float(born), float(born + wait), float(born + wait + served))
        for n, (born, wait, served) in enumerate(found)
    )
)


@given(lives, st.integers(0, 4), st.integers(0, 120))
def test_surplus_adds_up_over_a_split_and_never_exceeds_what_served(
    uses: tuple[ReplicaUse, ...], wanted: int, split: int
) -> None:
    history = FleetHistory(uses, ((0.0, wanted),))
    whole = history.surplus_s(start=0.0, end=120.0)
    parts = history.surplus_s(start=0.0, end=float(split)) + history.surplus_s(start=float(split), end=120.0)
    assert parts == pytest.approx(whole)
    assert 0 <= whole <= sum(use.end - (use.ready_at or 0.0) for use in uses)
