"""What `sre chaos run --dry-run` says: every plan, no touch."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sre.chaos.runs import rehearsal
from sre.chaos.runs.rehearsal import configuration_of, rehearse
from sre.cli.app import app
from sre.errors import BadDocument

SHIPPED = Path(__file__).parents[3] / "experiments" / "replica-crash.yaml"


@pytest.fixture(autouse=True)
def _here(platform, monkeypatch):
    monkeypatch.setattr(rehearsal, "select_platform", lambda configuration: platform)


def changed(tmp_path, change):
    content = yaml.safe_load(SHIPPED.read_text())
    change(content)
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_it_names_target_and_process_and_touches_nothing(platform):
    (step,) = rehearse(SHIPPED)
    assert step.fault == "replica-crash"
    assert step.refused is None
    assert len(step.hits) == 1
    assert "server" in step.handles
    assert all(replica.state == "ready" for replica in platform.replicas())
    assert not (platform.state_dir / "chaos.jsonl").exists()


def test_a_plan_beyond_the_blast_radius_is_told_as_refused(platform, monkeypatch):
    there = platform.replicas()
    monkeypatch.setattr(platform, "replicas", lambda: there[:2])
    (step,) = rehearse(SHIPPED)
    assert "at least 2 must stay" in step.refused
    assert step.hits


def test_a_target_that_is_not_there_is_told_as_refused(tmp_path):
    def change(content):
        content["method"][0]["provider"]["arguments"]["replica"] = "llm-77"

    (step,) = rehearse(changed(tmp_path, change))
    assert "llm-77" in step.refused
    assert step.hits == ()


def test_a_variable_without_value_is_one_line(tmp_path, monkeypatch):
    monkeypatch.delenv("NOT_SET_ANYWHERE", raising=False)

    def change(content):
        content["configuration"]["other"] = {"type": "env", "key": "NOT_SET_ANYWHERE"}

    with pytest.raises(BadDocument, match="NOT_SET_ANYWHERE"):
        configuration_of(changed(tmp_path, change))


def test_the_command_prints_it_and_exits_by_refusals(tmp_path):
    said = CliRunner().invoke(app, ["chaos", "run", str(SHIPPED), "--dry-run"])
    assert said.exit_code == 0
    assert "nothing was touched" in said.stdout
    said = CliRunner().invoke(app, ["chaos", "run", str(SHIPPED), "--dry-run", "--json"])
    assert json.loads(said.stdout)[0]["fault"] == "replica-crash"
