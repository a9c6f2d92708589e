"""`sre serve`: refuses to start open by accident, and prints what Alertmanager needs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import yaml
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError
from sre.incidents.store import open_store
from sre.webhook.additions import Settings
from sre.webhook.intake import Intake
from sre.webhook.payload import notification_of


def run(*arguments, **options):
    return CliRunner().invoke(app, ["serve", *map(str, arguments)], **options)


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("SRE_WEBHOOK_TOKEN", raising=False)


def test_it_does_not_start_without_a_token(tmp_path):
    done = run("--workspace", tmp_path)
    assert isinstance(done.exception, SreError)
    assert "--no-auth" in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_token_and_no_auth_exclude_each_other(tmp_path):
    done = run("--workspace", tmp_path, "--no-auth", "--token-file", tmp_path / "token")
    assert "exclude each other" in str(done.exception)


def test_a_runbook_folder_that_is_not_there_is_said(tmp_path):
    done = run("--workspace", tmp_path, "--no-auth", "--runbooks", tmp_path / "none")
    assert "no such folder" in str(done.exception)


def test_what_it_prints_is_a_receiver_with_the_token_s_file_not_the_token(tmp_path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef-secret")
    done = run("--print-alertmanager-config", "--port", 9999, "--token-file", token)
    assert "secret" not in done.stdout
    (receiver,) = yaml.safe_load(done.stdout)["receivers"]
    (webhook,) = receiver["webhook_configs"]
    assert (webhook["url"], webhook["send_resolved"], webhook["max_alerts"]) == (
        "http://127.0.0.1:9999/webhook",
        True,
        0,
    )
    assert webhook["http_config"]["authorization"]["credentials_file"] == str(token)


def test_without_a_token_file_it_names_a_place_for_it():
    config = json.loads(run("--print-alertmanager-config", "--json").stdout)["alertmanager_config"]
    assert "credentials_file: /etc/alertmanager/" in config
    assert "credentials" not in run("--print-alertmanager-config", "--no-auth").stdout.replace("no credentials", "")


def test_a_stale_incident_is_listed_as_such_and_not_as_over(tmp_path, told):
    now = [told.t0]
    store = open_store(tmp_path / "incidents.sqlite", clock=lambda: now[0])
    intake = Intake(store, lambda: now[0], Settings(), stale_after_s=3600)
    intake.take(notification_of(json.dumps(told.payload(told.alert())).encode()))
    now[0] += 3600
    intake.sweep()
    store.close()
    arguments = ["incident", "list", "--store", str(tmp_path / "incidents.sqlite")]
    listed = CliRunner().invoke(app, arguments)
    assert "open, stale" in listed.stdout
    (one,) = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)["incidents"]
    assert (one["status"], one["stale_since"]) == ("open", told.t0)


def test_where_it_listens_is_one_json_line_while_it_still_runs(tmp_path):
    words = [sys.executable, "-c", "from sre.cli import main; main()", "serve", "--port", "0", "--no-auth", "--json"]
    with subprocess.Popen([*words, "--workspace", str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        try:
            told = child.stdout.readline()
            running = child.poll() is None
        finally:
            child.terminate()
    assert running
    assert json.loads(told)["url"].endswith("/webhook")
