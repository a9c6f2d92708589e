"""`sre chaos verdict`: what is judged, printed and written of a run that is over, and what the shell is told."""

import json

import pytest
from typer.testing import CliRunner

from sre.chaos.exit_codes import ExitCode, exit_code
from sre.chaos.leases.ledger import Ledger
from sre.chaos.model import Verdict
from sre.chaos.verdict.files import absent_controls, read_journal
from sre.cli.app import app
from sre.errors import BadDocument


@pytest.fixture
def files(a, tmp_path):
    """The passed run's journal in `journal.json`, its ledger in `chaos.jsonl`."""
    (tmp_path / "journal.json").write_text(json.dumps(a.journal()))
    for record in a.ledger():
        Ledger(tmp_path).append(record)
    return tmp_path


def verdict(folder, *options):
    return CliRunner().invoke(
        app, ["chaos", "verdict", str(folder / "journal.json"), "--state-dir", str(folder), *options]
    )


def test_a_passed_run_exits_0_and_tells_the_life_of_its_fault(files):
    done = verdict(files)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("PASSED  A replica crash loses no request")
    assert (
        "replica-crash on llm-1: its process is gone; undone by run after 8.0 s; well again after 10.0 s" in done.stdout
    )


def test_without_the_ledger_of_the_run_nothing_passes(a, files):
    (files / "journal.json").write_text(json.dumps(a.journal(experiment=a.experiment(controls=[]))))
    done = verdict(files, "--ledger", str(files / "none.jsonl"))
    assert done.exit_code == ExitCode.VOID
    assert "the ledger shows no fault of this run" in done.stdout


def test_a_journal_of_somebody_else_is_judged_by_what_it_says(files):
    content = {
        "experiment": {
            "title": "theirs",
            "steady-state-hypothesis": {"probes": [{"name": "p", "type": "probe", "tolerance": 200}]},
            "method": [],
        },
        "start": "2024-05-01T10:00:00",
        "end": "2024-05-01T10:00:10",
        "status": "completed",
        "deviated": False,
        "steady_states": {
            which: {
                "steady_state_met": True,
                "probes": [
                    {
                        "activity": {"name": "p", "type": "probe", "tolerance": 200},
                        "status": "succeeded",
                        "output": {"status": 200},
                        "tolerance_met": True,
                    }
                ],
            }
            for which in ("before", "after")
        },
        "run": [],
        "rollbacks": [],
    }
    (files / "journal.json").write_text(json.dumps(content))
    done = verdict(files)
    assert done.exit_code == ExitCode.VOID
    assert "because no fault of this run is proven, so nothing was tested" in done.stdout


def test_json_is_one_object_with_reasons_checks_and_faults(a, files):
    (files / "journal.json").write_text(json.dumps(a.journal(steady_states=a.states(after=a.unmet()), deviated=True)))
    done = verdict(files, "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["exit_code"], said["verdict"], said["run"]) == (1, 1, "deviated", "r-1")
    assert said["faults"][0]["undone_by"] == "run"
    assert {check["result"] for check in said["checks"]} >= {"passed", "failed"}
    assert said["files"]["journal"] == str(files / "journal.json")


def test_the_junit_file_is_written_beside_what_is_printed(files):
    done = verdict(files, "--junit", str(files / "junit.xml"))
    assert done.exit_code == 0
    assert '<property name="verdict" value="passed" />' in (files / "junit.xml").read_text()


def test_a_junit_file_in_a_folder_that_is_not_there_is_refused(files):
    done = verdict(files, "--junit", str(files / "no" / "junit.xml"))
    assert "its folder does not exist" in str(done.exception)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        ("{", "is no JSON"),
        ("[" * 99999, "is no JSON"),
        ("[]", "is no journal"),
        ('{"a": 1}', "is no journal"),
    ],
)
def test_what_is_no_journal_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "journal.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadDocument) as refused:
        read_journal(path)
    assert says in str(refused.value)
    assert len(refused.value.faults) == 1


def test_a_damaged_ledger_is_an_error_not_a_crash(files):
    path = files / "chaos.jsonl"
    path.write_text(path.read_text().replace('"event"', '"oops"', 1))
    done = verdict(files)
    assert done.exit_code == ExitCode.ERROR
    assert "no ledger record" in done.stdout


def test_controls_are_looked_for_without_being_imported(tmp_path, monkeypatch):
    (tmp_path / "loud").mkdir()
    (tmp_path / "loud" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "loud" / "inner.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    def declared(module):
        return {"name": module, "provider": {"type": "python", "module": module}}

    journal = {
        "experiment": {
            "controls": [declared("sre.chaos.control"), declared("loud.inner"), declared("loud.gone")],
            "method": [{"name": "x", "controls": [declared("no_such.module"), declared("json.tool.x")]}],
        }
    }
    assert absent_controls(journal) == ("loud.gone", "no_such.module", "json.tool.x")
    assert absent_controls({"experiment": {"controls": [None, {"provider": 3}]}}) == ()


def test_every_verdict_has_a_code_of_its_own_and_none_is_2_or_3():
    codes = [exit_code(verdict) for verdict in Verdict.__args__]
    assert len(set(codes)) == len(codes)
    assert not {ExitCode.WRONG_USE, ExitCode.ENVIRONMENT_LACKS} & set(codes)
    assert exit_code("passed") == 0
