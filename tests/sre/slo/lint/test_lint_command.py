"""`sre slo lint` as typed: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from sre.cli.slo.lint import lint
from sre.errors import BadDocument, SreError
from sre.slo.lint import RULES

module = sys.modules[lint.__module__]  # the package's own `lint` is the function


@pytest.fixture
def run(linting, monkeypatch):
    """Runs the verb on one document; `write` chooses the words of it."""
    monkeypatch.delenv("SRE_PROMETHEUS", raising=False)
    app = typer.Typer()
    app.command()(lint)

    def run(*arguments, **words):
        linting.path.write_text(linting.slo(**words), encoding="utf-8")
        return CliRunner().invoke(app, [str(linting.path.parent), *arguments], prog_name="lint")

    return run


OFF_BOUND = {"good": 'sre_gateway_ttft_seconds_bucket{le="1.2"}', "total": "sre_gateway_ttft_seconds_count"}


def test_clean_documents(run):
    result = run()
    assert result.exit_code == 0
    assert result.output == "no findings in 1 SLO of 1 file, checked against the metric catalogue\n"


def test_an_error_is_told_with_place_reason_and_mend(run, linting):
    result = run(**OFF_BOUND, target=0.99)
    assert result.exit_code == 1
    head, what, why, mend, _, summary = result.output.splitlines()
    assert head.startswith(f"{linting.path}:18: error SLO010 threshold-off-bucket-bound (answers) spec.indicator")
    assert "1.2 in good lies between" in what
    assert why.startswith("    why: ")
    assert mend.startswith('    mend: write le="1.0"')
    assert summary == "1 error, 0 warnings in 1 SLO of 1 file, checked against the metric catalogue"
    assert "\x1b" not in result.output


def test_warnings_fail_only_when_strict(run):
    assert run(annotations=()).exit_code == 0
    assert run("--strict", annotations=()).exit_code == 1


def test_a_rule_can_be_left_out(run):
    assert run("--ignore", "SLO010", **OFF_BOUND, target=0.99).exit_code == 0
    result = run("--ignore", "SLO999")
    assert isinstance(result.exception, SreError)
    assert "no rule is called SLO999" in str(result.exception)


def test_one_slo_of_many(run):
    assert run("--slo", "answers", **OFF_BOUND, target=0.99).exit_code == 1
    result = run("--slo", "answer")
    assert "no SLO is named answer: use one of answers" in str(result.exception)


def test_json_holds_all_of_it(run, linting):
    record = json.loads(run("--json", **OFF_BOUND, target=0.99).stdout)
    assert (record["ok"], record["errors"], record["warnings"], record["slos"]) == (False, 1, 0, 1)
    (finding,) = record["findings"]
    assert (finding["rule"], finding["line"], finding["file"]) == ("SLO010", 18, str(linting.path))
    assert json.loads(run("--json").stdout)["ok"] is True
    assert json.loads(run("--json", "--strict", annotations=()).stdout)["ok"] is False


def test_annotations_for_github(run, linting):
    result = run("--format", "github", **OFF_BOUND, target=0.99)
    line = result.output.splitlines()[0]
    assert line.startswith(f"::error file={linting.path},line=18,title=SLO010 threshold-off-bucket-bound::")
    assert result.exit_code == 1


def test_every_rule_is_listed(run):
    lines = run("--rules").output.splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in RULES]
    assert len(json.loads(run("--rules", "--json").stdout)["rules"]) == len(RULES)


def test_unreadable_documents_and_catalogues_are_wrong_use(run, tmp_path):
    assert isinstance(run(target=2).exception, BadDocument)
    result = run("--catalogue", str(tmp_path / "absent.yaml"))
    assert isinstance(result.exception, BadDocument)
    assert result.exception.exit_code == 2


def test_a_source_is_asked_and_closed(run, linting, monkeypatch):
    closed = []

    class Opened(linting.source):
        def __enter__(self):
            return self

        def __exit__(self, *_):
            closed.append(True)

    asked = SimpleNamespace()

    def source_of(**words):
        asked.words = words
        return Opened(linting.counter("up"))

    monkeypatch.setattr(module, "source_of", source_of)
    result = run("--prometheus", "http://127.0.0.1:1")
    assert asked.words["prometheus"] == "http://127.0.0.1:1"
    assert "SLO020" in result.output
    assert result.output.splitlines()[-1].endswith("checked against fake")
    assert closed == [True]
