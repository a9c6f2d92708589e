"""`chaos discover llm-gameday` finds everything an experiment can use."""

import json
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from chaoslib.discovery.package import get_discover_function, load_package

import sre
from sre.chaos import actions, probes
from sre.chaos.faults.by_action import FAULT_OF_ACTION, HEALING_ACTION


@pytest.fixture(scope="module")
def found():
    return get_discover_function(load_package("llm-gameday"))(discover_system=False)


def names(found, kind):
    return {activity["name"] for activity in found["activities"] if activity["type"] == kind}


def test_the_distribution_names_the_package_that_can_be_asked():
    distribution = [name for name, owners in packages_distributions().items() if "llm-gameday" in owners]
    assert distribution == ["sre", "serving"]
    assert get_discover_function(sre) is sre.discover


def test_every_action_and_probe_is_found(found):
    assert names(found, "action") == set(actions.__all__)
    assert names(found, "probe") == set(probes.__all__)


def test_the_control_is_found(found):
    assert {"before_experiment_control", "after_experiment_control"} <= names(found, "control")


def test_every_action_is_known_to_inject_a_fault_or_to_heal():
    assert set(actions.__all__) - {HEALING_ACTION} <= set(FAULT_OF_ACTION)


def test_arguments_come_with_type_and_default(found):
    crash = next(activity for activity in found["activities"] if activity["name"] == "crash_replica")
    arguments = {argument["name"]: argument for argument in crash["arguments"]}
    assert "default" not in arguments["lease_s"]
    assert arguments["replica"]["default"] == "busiest"
    assert "kill -9" in crash["doc"].lower()


def test_every_default_can_be_written_as_json(found):
    assert json.loads(json.dumps(found["activities"])) == found["activities"]


@pytest.mark.integration
def test_chaos_discover_finds_them_by_the_name_of_the_distribution(tmp_path):
    chaos = Path(sys.executable).with_name("chaos")
    if not chaos.exists():
        pytest.skip("chaos (the Chaos Toolkit command) is not installed")
    command = [str(chaos), "--no-version-check", "discover", "--no-install", "llm-gameday"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    written = json.loads((tmp_path / "discovery.json").read_text())
    assert names(written, "action") == set(actions.__all__)
