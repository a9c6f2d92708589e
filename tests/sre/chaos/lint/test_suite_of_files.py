"""What holds between files, and what the command prints."""

import json

import pytest
import yaml
from typer.testing import CliRunner

from sre.chaos.lint import lint
from sre.cli.app import app


@pytest.fixture
def write(tmp_path, experiment):
    def one(name, **section):
        section = experiment["extensions"][0] | section
        path = tmp_path / name
        path.write_text(yaml.safe_dump({**experiment, "title": f"Of {name}", "extensions": [section]}))
        return path

    return one


@pytest.fixture
def run():
    def command(*arguments):
        return CliRunner().invoke(app, ["chaos", "lint", *map(str, arguments)])

    return command


def test_an_id_names_one_experiment(write):
    first, second = write("a.yaml"), write("b.yaml")
    found = lint([first, second])
    assert found[0].findings == ()
    assert found[1].errors == (f"{second}: id EXP-001 is taken by {first}: give it a free one",)
    assert found[1].drill is None


def test_the_same_title_twice_is_warned_of(tmp_path, write):
    first, second = write("a.yaml"), write("b.yaml", id="EXP-002")
    second.write_text(second.read_text().replace("Of b.yaml", "Of a.yaml"))
    found = lint([first, second])
    assert [finding.severity for finding in found[1].findings] == ["warning"]
    assert found[1].drill is not None


def test_clean_experiments_exit_0(write, run):
    done = run(write("a.yaml"), write("b.yaml", id="EXP-002"))
    assert done.exit_code == 0
    assert done.output == "no findings in 2 experiments\n"


def test_errors_exit_1_each_on_a_line(write, run):
    done = run(write("a.yaml", clock_factor=0, deadline_s="long"))
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert [line.split()[0] for line in lines] == ["error", "error", "2"]
    assert lines[-1] == "2 errors, 0 warnings in 1 experiment"


def test_warnings_fail_only_where_they_are_asked_to(write, run):
    path = write("a.yaml", family="network")
    assert run(path).exit_code == 0
    assert run("--strict", path).exit_code == 1


def test_json_has_every_finding(write, run):
    path = write("a.yaml", clock_factor=0)
    done = run("--json", path)
    found = json.loads(done.output)
    assert (found["ok"], found["errors"], found["warnings"], found["files"]) == (False, 1, 0, [str(path)])
    assert found["findings"][0]["file"] == str(path)
    assert found["findings"][0]["line"] > 0


def test_nothing_to_read_is_wrong_use(tmp_path, run):
    done = run(tmp_path / "gone")
    assert done.exit_code != 0
    assert "no such file" in str(done.exception)


def test_the_shipped_experiments_are_the_default_and_have_no_errors(run):
    done = run()
    assert done.exit_code == 0, done.output
