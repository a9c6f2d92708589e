"""`sre key`: the key is shown once, the file holds its hash."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError


def run(*arguments):
    return CliRunner().invoke(app, ["key", "new", *map(str, arguments)])


def test_a_new_key_goes_to_stdout_and_its_hash_into_a_private_file(tmp_path):
    file = tmp_path / "tenants.yaml"
    done = run("team-a", "--file", file, "--priority", "2", "--json")
    answer = json.loads(done.stdout)
    assert done.exit_code == 0
    assert answer["tenant"] == "team-a"
    assert answer["key"].startswith("sre-")
    assert answer["key"] not in file.read_text()
    assert "priority: 2" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_only_the_key_is_on_stdout(tmp_path):
    done = run("team-a", "--file", tmp_path / "tenants.yaml")
    assert done.stdout.startswith("sre-")
    assert done.stdout.count("\n") == 1
    assert "hash alone" in done.stderr


def test_a_bad_name_is_an_error_of_ours(tmp_path):
    done = run("team a", "--file", tmp_path / "tenants.yaml")
    assert isinstance(done.exception, SreError)
    assert "tenants.0.name" in str(done.exception)
    assert not (tmp_path / "tenants.yaml").exists()


@pytest.mark.parametrize("option", ["--requests-per-s", "--tokens-per-min"])
def test_limits_of_nothing_are_refused(tmp_path, option):
    assert isinstance(run("a", "--file", tmp_path / "t.yaml", option, "0").exception, SreError)
