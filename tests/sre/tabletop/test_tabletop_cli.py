"""The whole way as a user goes it: new, run, close, approve, list, show."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError
from sre.reports.json_report import load_report

from .conftest import EXAMPLE, ROOT

SRE = (sys.executable, "-c", "from sre.cli import main; main()")
ANSWERS = """\
started: 2026-11-25T14:00:00Z
answers:
  - {inject: I01, text: look at step 4, rating: P}
  - {inject: I02, text: SEV4, rating: M, remark: late}
"""


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "reports").mkdir()
    shutil.copytree(EXAMPLE, tmp_path / "reports" / "example")
    for folder in ("experiments", "slo"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "answers.yaml").write_text(ANSWERS)
    return tmp_path


def sre(workspace, *words):
    """The JSON that a verb prints."""
    result = CliRunner().invoke(
        app, ["tabletop", *words, "--workspace", str(workspace), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_from_an_experiment_to_a_closed_session(workspace):
    built = sre(workspace, "new", "exp-001")
    assert built["drill"] == load_report(workspace / "reports" / "example" / "report.json").id
    assert built["reason"] is None
    ran = sre(workspace, "run", built["package"], "--answers", str(workspace / "answers.yaml"))
    assert (ran["session"], ran["ended"], ran["answers"]) == ("TTX-0001", True, 2)
    closed = sre(workspace, "close", "TTX-0001")
    assert closed["objectives"]["O1"] == "M"
    assert closed["actions"] == ["A1"]
    for role in ("sre-lead", "security-grc", "finance"):
        approved = sre(workspace, "approve", "TTX-0001", "--role", role, "--name", "Ada")
    assert set(approved["approvals"].values()) == {"approved"}
    (head,) = sre(workspace, "list")["sessions"]
    assert (head["id"], head["status"]) == ("TTX-0001", "closed")
    shown = sre(workspace, "show", "TTX-0001")
    assert shown["actions"][0]["incident"] == "TTX-0001"
    assert [one["role"] for one in shown["approvals"]] == ["sre-lead", "security-grc", "finance"]


def test_without_a_drill_it_says_why(workspace):
    built = sre(workspace, "new", "EXP-026", "--minutes", "45", "--roles", "on-call, sre-lead")
    assert built["drill"] is None
    assert "no drill of EXP-026" in built["reason"]
    assert built["roles"] == ["sre-lead", "on-call"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("new", "EXP-099"), "no experiment in .* has this id: did you mean EXP-0"),
        (("new", "EXP-001", "--minutes", "5"), "5 minutes cannot be played"),
        (("new", "EXP-001", "--roles", "cook"), "--roles cook: no such role"),
        (("new", "EXP-001", "--report", "nowhere"), r"nowhere: holds no report\.json"),
        (("run",), "give either the folder of a package, or --resume"),
        (("run", "nowhere"), r"nowhere: holds no package\.json"),
        (("run", "nowhere", "--speed", "0"), "--speed 0: give more than 0"),
        (("run", "--resume", "TTX-0001", "--answers", "a.yaml"), "--answers begins a session of its own"),
    ],
)
def test_a_mistake_is_one_line(workspace, words, says):
    with pytest.raises(SreError, match=says):
        sre(workspace, *words)


def test_human_output_says_what_comes_next(workspace):
    result = CliRunner().invoke(
        app, ["tabletop", "new", "EXP-001", "--workspace", str(workspace)], catch_exceptions=False
    )
    assert "12 injects" in result.output
    assert "Next: sre tabletop run" in result.output
    listed = CliRunner().invoke(app, ["tabletop", "--help"])
    assert all(verb in listed.output for verb in ("new", "run", "close", "approve", "list", "show"))


def test_keys_from_a_pipe_do_what_they_do_on_a_terminal(workspace):
    built = sre(workspace, "new", "EXP-001")
    words = [*SRE, "tabletop", "run", built["package"], "--workspace", str(workspace), "--json"]
    keys = "a step 4\nr P\n\na sre-lead: SEV4\nnonsense\ne\n"
    done = subprocess.run(words, input=keys, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["released"], told["answers"], told["ratings"], told["ended"]) == (
        ["I01", "I02"],
        2,
        {"I01": "P"},
        True,
    )
    assert "`nonsense` is no command" in done.stderr


def test_a_session_that_was_killed_goes_on(workspace):
    built = sre(workspace, "new", "EXP-001")
    words = [*SRE, "tabletop", "run", built["package"], "--workspace", str(workspace)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        child.stdin.write("a before the lights went out\n")
        child.stdin.flush()
        assert any("noted for I01" in line for line in child.stdout)
        child.kill()
    words = [*SRE, "tabletop", "run", "--resume", "1", "--workspace", str(workspace), "--json"]
    done = subprocess.run(words, input="\ne\n", capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert (told["released"], told["answers"], told["ended"]) == (["I01", "I02"], 1, True)


@pytest.mark.parametrize(
    "verb",
    [
        ("list",),
        ("show", "1"),
        ("close", "1"),
        ("approve", "1", "--role", "finance", "--name", "Ada"),
        ("run", "--resume", "1"),
        ("run", "no-such-package"),
    ],
)
def test_a_verb_that_finds_no_store_or_package_makes_no_store(tmp_path, verb):
    done = CliRunner().invoke(app, ["tabletop", *verb, "--workspace", str(tmp_path)])
    assert isinstance(done.exception, SreError)
    assert "no-such-package" in verb or "no incident store yet" in str(done.exception)
    assert not list(tmp_path.iterdir())
