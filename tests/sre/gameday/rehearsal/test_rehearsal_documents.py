"""What can be rehearsed is known before anything is played, and what cannot is named with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.chaos.faults.catalogue import fault_names
from sre.errors import SreError
from sre.gameday.rehearsal.acts.catalogue import act_of, coverage, coverage_of
from sre.gameday.rehearsal.document import playable

ROOT = Path(__file__).resolve().parents[4]
EXPERIMENTS = sorted((ROOT / "experiments").glob("*.yaml"))


def test_every_fault_of_the_catalogue_has_an_act_or_a_reason():
    assert [one.fault for one in coverage()] == list(fault_names())
    for one in coverage():
        assert (act_of(one.fault) is None) == (one.fidelity == "not rehearsed")
        assert one.note or one.fidelity in ("exact", "approximate")


def test_nearly_all_shipped_experiments_can_be_rehearsed():
    refused = {path.name: playable(path).refusals for path in EXPERIMENTS}
    assert {name for name, why in refused.items() if why} == {"cpu-pressure.yaml", "dns-failure.yaml"}
    assert "this machine's cores" in refused["cpu-pressure.yaml"][0]


def test_what_cannot_be_rehearsed_is_refused_in_one_line():
    with pytest.raises(SreError, match=r"cpu-pressure\.yaml: .*not rehearsed: .*play the drill") as error:
        playable(ROOT / "experiments" / "cpu-pressure.yaml").require()
    assert "\n" not in str(error.value)


def test_a_step_of_somebody_else_is_refused(tmp_path):
    text = (ROOT / "experiments" / "replica-crash.yaml").read_text()
    path = tmp_path / "strange.yaml"
    path.write_text(text)
    assert playable(path).refusals == ()
    ours = "module: sre.chaos.actions\n      func: crash_replica"
    assert ours in text
    path.write_text(text.replace(ours, "module: os\n      func: getpid"))
    assert "os.getpid is not rehearsed" in playable(path).refusals[0]


def test_wrong_parameters_of_a_fault_are_refused(tmp_path):
    text = (ROOT / "experiments" / "replica-slow.yaml").read_text()
    path = tmp_path / "slow.yaml"
    path.write_text(text.replace("factor: ", "factor: -"))
    with pytest.raises(SreError, match="factor"):
        playable(path)


def test_a_fault_says_how_it_is_rehearsed():
    assert coverage_of("replica-crash").fidelity == "exact"
    assert coverage_of("network-latency").fidelity == "approximate"
    assert coverage_of("memory-pressure").fidelity == "no effect"
    assert coverage_of("dns-failure").fidelity == "not rehearsed"
