"""`sre incident measure`: what a person counted, in the record and in the money."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError


@pytest.fixture
def sre(tmp_path, monkeypatch):
    """Runs `sre ...` in a workspace with INC-0001, opened by hand, and a value of a request."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRE_INCIDENTS_URL", raising=False)

    def run(*words):
        return CliRunner().invoke(app, [*words])

    assert run("incident", "open", "slow answers", "--actor", "ada").exit_code == 0
    return run


def case(sre):
    return json.loads(sre("incident", "show", "1", "--json").stdout)


def test_a_real_incident_is_counted_and_the_newest_count_holds(sre):
    assert sre("incident", "measure", "1", "requests=9000", "requests_failed=12").exit_code == 0
    done = sre("incident", "measure", "1", "requests_failed=15", "--evidence", "query A")
    assert "requests_failed 15 (query A)" in done.stdout
    assert case(sre)["figures"] == {"requests": "9000", "requests_failed": "15"}
    assert sre("incident", "verify").exit_code == 0


def test_what_nobody_knows_is_written_down_with_its_reason(sre):
    assert sre("incident", "measure", "1", "requests_failed=n/a", "--reason", "logs were lost").exit_code == 0
    lines = json.loads(sre("cost", "incident", "1", "--json").stdout)["lines"]
    assert "logs were lost" in json.dumps([line for line in lines if line["name"] == "failed requests"])


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ("requests_lost=1", "the name one of requests, requests_failed"),
        ("requests_failed", "is no count"),
        ("requests_failed=-1", "is no count"),
        ("requests_failed=1.5", "is no count"),
        ("cost_usd=1e9", "is no amount"),
        ("requests_failed=n/a", "needs a reason"),
    ],
)
def test_what_is_no_figure_is_refused_and_nothing_is_written(sre, figure, said):
    done = sre("incident", "measure", "1", "requests=5", figure)
    assert isinstance(done.exception, SreError)
    assert said in str(done.exception)
    assert case(sre)["figures"] == {}
