"""Commands run in bash beside the state directory, with values from the environment, and never for ever."""

from __future__ import annotations

import time
from pathlib import Path

from sre.runbooks import shell as module
from sre.runbooks.shell import Shell, shell_beside


def shell(tmp_path, **values) -> Shell:
    return Shell(tmp_path, tmp_path / ".sre", values)


def test_output_of_both_streams_and_the_exit_code_are_kept(tmp_path):
    ran = shell(tmp_path).run("echo out; echo err >&2; exit 3", timeout_s=10)
    assert (ran.exit_code, sorted(ran.output.split())) == (3, ["err", "out"])


def test_a_value_is_never_taken_for_a_command(tmp_path):
    ran = shell(tmp_path, REPLICA="$(touch hit); touch hit").run('echo "${REPLICA:?}"', timeout_s=10)
    assert ran.output == "$(touch hit); touch hit\n"
    assert not (tmp_path / "hit").exists()


def test_a_command_without_its_value_refuses_to_run(tmp_path):
    ran = shell(tmp_path).run('touch "${REPLICA:?}" made', timeout_s=10)
    assert ran.exit_code not in (0, None)
    assert not (tmp_path / "made").exists()


def test_what_does_not_end_is_ended_with_all_it_started(tmp_path):
    ran = shell(tmp_path).run("echo begun; sleep 60 & echo $! > pid; wait", timeout_s=0.5)
    assert ran.exit_code is None
    assert "begun" in ran.output
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while _lives(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _lives(child)


def test_output_is_told_as_it_comes_and_cut_when_there_is_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_OUTPUT_BYTES", 100)
    told: list[str] = []
    ran = shell(tmp_path).run("head -c 150 /dev/zero | tr '\\0' x", timeout_s=10, tell=told.append)
    assert "".join(told) == "x" * 100
    assert ran.output == "x" * 100 + "\n[50 bytes more]"


def test_a_state_directory_of_another_name_is_seen_as_the_pages_call_it(tmp_path):
    state = tmp_path / "state-7"
    (state / "logs").mkdir(parents=True)
    (state / "logs" / "gateway.log").write_text("a line\n")
    with shell_beside(state, {}) as beside:
        assert beside.run("cat .sre/logs/gateway.log; echo $SRE_STATE_DIR", timeout_s=10).output == f"a line\n{state}\n"
        folder = beside.folder
    assert not folder.exists()
    assert state.exists()


def test_a_state_directory_called_as_usual_is_worked_beside(tmp_path):
    (tmp_path / ".sre").mkdir()
    with shell_beside(tmp_path / ".sre", {}) as beside:
        assert beside.run("ls -d .sre; pwd", timeout_s=10).output == f".sre\n{tmp_path}\n"


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
