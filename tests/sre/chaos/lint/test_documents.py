"""Files: YAML, JSON, and what is neither."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sre.chaos.lint import check_experiment
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.json_nodes import read_json
from sre.chaos.lint.run import experiment_files
from sre.chaos.lint.tree import plain
from sre.errors import BadDocument, SreError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("indent", [None, 1, "\t"])
def test_json_is_read_like_yaml(tmp_path, experiment, indent):
    path = tmp_path / "experiment.json"
    path.write_text(json.dumps(experiment, indent=indent))
    found = check_experiment(path)
    assert found.findings == ()
    assert found.drill.id == "EXP-001"


@given(JSON, st.sampled_from([None, 2, "\t"]))
def test_every_json_value_is_read_as_python_reads_it(value, indent):
    text = json.dumps(value, indent=indent)
    assert plain(read_json(Path("x.json"), text)) == json.loads(text)


def test_lines_of_json_are_told(tmp_path, experiment):
    experiment["titel"] = experiment.pop("title")
    text = json.dumps(experiment, indent=1)
    path = tmp_path / "experiment.json"
    path.write_text(text)
    line = next(n for n, content in enumerate(text.splitlines(), 1) if '"titel"' in content)
    assert f"{path}:{line}: titel: unknown key: did you mean `title`?" in check_experiment(path).errors


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1: not JSON: the file ends too early"),
        ('{"a": 1,}', "1: not JSON: a comma too many"),
        ('{"a": [1\n 2]}', "2: not JSON: `,` or `]` is missing"),
        ('{"a" 1}', "1: not JSON: `:` is missing after a key"),
        ("{a: 1}", "1: not JSON: a key must be text in double quotes"),
        ('{"a": 1, "a": 2}', "1: not JSON: the key `a` stands here twice"),
        ('{"a": tru}', "1: not JSON: a value is missing here"),
        ('{"a": "x', "1: not JSON: Unterminated string"),
        ('{"a": 1} x', "1: not JSON: something follows the value"),
        ("[" * 1000, "1: not JSON: is nested too deep"),
        ('{"a": ' + "9" * 5000 + "}", "1: not JSON: this is no number of a sane size"),
        ("[1]", "1: document: is a list: write an experiment"),
        ("3", "1: document: is 3: write an experiment"),
    ],
)
def test_what_is_no_json_experiment_is_one_line(tmp_path, text, said):
    path = tmp_path / "e.json"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        read_experiment(path)
    assert str(caught.value).startswith(f"{path}:{said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds 0 documents"),
        ("- a\n", "write an experiment"),
        ("a: [\n", "not YAML"),
        ("a: 1\na: 2\n", "twice"),
        ("a: 1\n---\nb: 2\n", "holds 2 documents"),
    ],
)
def test_what_is_no_yaml_experiment_is_one_finding(tmp_path, text, said):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    (finding,) = check_experiment(path).findings
    assert said in finding.text
    assert finding.severity == "error"


def test_a_file_of_another_ending_is_not_read_by_chaos_toolkit(tmp_path):
    path = tmp_path / "e.txt"
    path.write_text("title: x")
    (finding,) = check_experiment(path).findings
    assert "Chaos Toolkit reads .yaml, .yml, .json only" in finding.text


@pytest.mark.parametrize("name", ["gone.yaml", "gone.json"])
def test_a_file_that_is_not_there_is_one_finding(tmp_path, name):
    (finding,) = check_experiment(tmp_path / name).findings
    assert "cannot be read" in finding.text


@pytest.mark.parametrize("name", ["e.yaml", "e.json"])
def test_a_file_that_is_no_text_is_one_finding(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    (finding,) = check_experiment(tmp_path / name).findings
    assert "not UTF-8 text" in finding.text


def test_folders_are_searched_for_experiments_by_name(tmp_path):
    for name in ("b.yaml", "network/a.json", "readme.md", "c.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = experiment_files([tmp_path, tmp_path / "b.yaml"])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["b.yaml", "c.yml", "network/a.json"]


def test_a_folder_without_experiments_is_told(tmp_path):
    with pytest.raises(SreError, match="holds no experiment"):
        experiment_files([tmp_path])
    with pytest.raises(SreError, match="no such file"):
        experiment_files([tmp_path / "gone"])


def test_yaml_anchors_are_followed(tmp_path, experiment):
    again = experiment["method"][1]["provider"]
    experiment["rollbacks"][0]["provider"] = again  # dumped as an alias
    path = tmp_path / "e.yaml"
    path.write_text(yaml.safe_dump(experiment))
    assert "*id001" in path.read_text()
    assert check_experiment(path).findings == ()
