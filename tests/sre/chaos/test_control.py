"""The control refuses a start it cannot vouch for, and notes each run in the ledger."""

import pytest
from chaoslib.exceptions import InterruptExecution

from sre.chaos import control
from sre.chaos.ledger import Ledger
from sre.errors import PlatformError


@pytest.fixture
def watched(platform, monkeypatch):
    """A platform that is up and has samples, found whatever the configuration says."""
    samples = platform.state_dir / "samples"
    samples.mkdir()
    (samples / "1000.jsonl").write_text("{}\n")
    monkeypatch.setattr(control, "select_platform", lambda configuration: platform)
    return platform


def records(platform):
    return [(r.event, dict(r.detail)) for r in Ledger(platform.state_dir).read()]


def before():
    control.before_experiment_control(context={"title": "crash"}, configuration={})


def test_a_run_against_a_watched_platform_is_noted(watched):
    before()
    control.after_experiment_control(context={"title": "crash"}, state={"status": "completed", "deviated": False})
    (begin, began), (end, ended) = records(watched)
    assert (begin, began["title"], end, ended["status"]) == ("run_begin", "crash", "run_end", "completed")
    assert began["pid"] == ended["pid"]


def test_a_platform_that_is_not_up_is_refused_with_the_mend(watched):
    watched.up = False
    with pytest.raises(InterruptExecution, match="sre up"):
        before()
    ((event, detail),) = records(watched)
    assert event == "run_refused"
    assert "sre up" in detail["reason"]


def test_a_platform_nobody_watches_is_refused(watched):
    for path in (watched.state_dir / "samples").iterdir():
        path.unlink()
    with pytest.raises(InterruptExecution, match="no samples"):
        before()


def test_any_surprise_refuses_the_start(watched, monkeypatch):
    def surprise():
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(watched, "replicas", surprise)
    with pytest.raises(InterruptExecution, match="ZeroDivisionError: surprise"):
        before()


def test_a_platform_of_an_unknown_kind_is_refused_without_a_ledger(monkeypatch):
    def unknown(configuration):
        raise PlatformError("platform 'nomad' does not exist")

    monkeypatch.setattr(control, "select_platform", unknown)
    with pytest.raises(InterruptExecution, match="nomad"):
        before()


def test_no_state_directory_is_made_for_a_refusal(tmp_path):
    missing = tmp_path / "never"
    with pytest.raises(InterruptExecution, match="sre up"):
        control.before_experiment_control(context={"title": "crash"}, configuration={"state_dir": str(missing)})
    assert not missing.exists()
