"""The tables of the documentation say what the code and the experiments say."""

from pathlib import Path

import pytest
import yaml

from sre.chaos.faults.catalogue import fault_names
from sre.chaos.lint import lint
from sre.chaos.tables.__main__ import INDEX, PAGE, main, pages
from sre.chaos.tables.experiments import experiment_index
from sre.chaos.tables.faults import action_of, fault_table
from sre.chaos.tables.markdown import begin, between_marks, end, table
from sre.chaos.tables.words import WORDS
from sre.errors import BadDocument, SreError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path):
    """The experiments and the page, to be changed by a test."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "docs").mkdir()
    shipped = ROOT / "experiments" / "replica-crash.yaml"
    (tmp_path / "experiments" / "replica-crash.yaml").write_text(shipped.read_text())
    (tmp_path / "docs" / "chaos.md").write_text(f"# Chaos\n{begin('faults')}\nold\n{end('faults')}\nafter\n")
    return tmp_path


@pytest.fixture
def section(workspace):
    """Changes the extension of the workspace's experiment."""

    def change(**keys):
        path = workspace / "experiments" / "replica-crash.yaml"
        document = yaml.safe_load(path.read_text())
        document["extensions"][0] |= keys
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    return change


def test_the_committed_tables_are_up_to_date():
    stale = [str(path) for path, text in pages(ROOT).items() if (ROOT / path).read_text() != text]
    assert stale == [], "run `make docs`"


def test_they_are_written_once_and_then_left_alone(workspace, capsys):
    assert main(["--check", str(workspace)]) == 1
    assert main([str(workspace)]) == 0
    assert capsys.readouterr().out.count("written") == 2
    assert main(["--check", str(workspace)]) == 0
    assert main([str(workspace)]) == 0
    assert capsys.readouterr().out == ""
    assert (workspace / PAGE).read_text().endswith(f"{end('faults')}\nafter\n")
    assert "EXP-001" in (workspace / INDEX).read_text()


def test_an_experiment_with_errors_is_told_and_nothing_is_written(workspace, section, capsys):
    section(clock_factor=0)
    assert main([str(workspace)]) == 1
    assert "clock_factor: is 0" in capsys.readouterr().err
    assert not (workspace / INDEX).exists()
    with pytest.raises(BadDocument):
        experiment_index(workspace / "experiments")


@pytest.mark.parametrize("name", fault_names())
def test_every_fault_has_a_row(name):
    (row,) = [line for line in fault_table().splitlines() if line.startswith(f"| `{name}`<br>")]
    assert f"`{action_of(name)}`" in row
    assert row.count(" | ") == 5
    assert all(cell.strip() for cell in row.strip("| ").split(" | "))


def test_what_is_said_of_faults_is_said_of_those_there_are():
    assert set(WORDS) == set(fault_names())


def test_the_index_says_what_a_drill_states(workspace, section):
    risk = {
        **{"id": "RISK-001", "title": "It is slow", "status": "open", "owner": "us", "found_by": ["EXP-001"]},
        **{"shows": ["recovery"], "measured": "40 s", "mend": "be quick"},
    }
    (workspace / "risks.yaml").write_text(yaml.safe_dump({"risks": [risk]}))
    section(
        expected={
            "alert": "none",
            "recovered_within_s": 12,
            "failed_requests": 3,
            "cost": {"max_incident_usd": 0.5, "max_good_token_factor": 1.2},
        },
        weakness={"risk": "RISK-001", "text": "it is\nslow"},
    )
    page = experiment_index(workspace / "experiments")
    assert "no alert<br>well again within 12 s<br>at most 3 failed requests<br>costs at most 0.5 USD" in page
    assert "a good token costs at most 1.2 times as much" in page
    assert "- RISK-001, [EXP-001](replica-crash.yaml): it is slow" in page
    assert "availability: 0.99 to 1<br>latency_quantile ttft 0.95: 0 to 1<br>unhealthy_replicas: 0" in page


def test_pages_are_linked_where_they_are(workspace):
    assert "[replica-crash](../runbooks/replica-crash.md)" not in experiment_index(workspace / "experiments")
    (workspace / "runbooks").mkdir()
    (workspace / "runbooks" / "replica-crash.md").write_text("x")
    assert "[replica-crash](../runbooks/replica-crash.md)" in experiment_index(workspace / "experiments")


def test_a_page_without_its_marks_is_told():
    with pytest.raises(SreError, match="put both lines where the table belongs"):
        between_marks("no marks", "faults", "x")


def test_cells_stay_in_their_cells():
    assert table(("a",), [("x | y\nz",)]) == "| a |\n| --- |\n| x \\| y z |\n"


def test_the_ten_lines_of_the_page_are_an_experiment(tmp_path):
    (block,) = [b for b in (ROOT / "docs" / "chaos.md").read_text().split("```yaml\n") if b.startswith("title:")]
    text = block.partition("```")[0]
    assert len(text.splitlines()) == 10
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    (checked,) = lint([path])
    assert checked.findings == ()


def test_the_guard_of_the_page_is_a_guard(workspace, section):
    (block,) = [b for b in (ROOT / "docs" / "chaos.md").read_text().split("```yaml\n") if b.startswith("guard:")]
    section(**yaml.safe_load(block.partition("```")[0]))
    (checked,) = lint([workspace / "experiments"])
    assert checked.errors == ()
