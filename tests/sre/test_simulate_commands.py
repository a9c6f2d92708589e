"""`sre simulate` and `sre sweep` as a person types them: what is printed, what is written, which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SRE = Path(sys.executable).parent / "sre"
QUICK = ("--profile", "h100-llama3-8b-tp1", "--workload", "chat", "--rate", "5", "--duration", "20")


def sre(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_simulation_is_printed_written_and_played_again_from_its_folder(tmp_path: Path) -> None:
    done = sre("simulate", *QUICK, "--fault", "crash@5:llm-0", "--replicas", 2, "--out", "one", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("SIMULATED: ")
    assert "crash" in done.stdout
    again = sre("simulate", "one/scenario.yaml", "--out", "other", "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["simulated"] is True
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "other" / path.name).read_bytes() == path.read_bytes(), path.name
    assert sre("report", "verify", "one", cwd=tmp_path).returncode == 0


def test_bad_rows_are_left_out_and_counted_when_asked(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,10,5\nrubbish\n2023-11-16 18:00:09,10,5\n"
    )
    asked = ("simulate", "--profile", "h100-llama3-8b-tp1", "--trace", "t.csv", "--skip-bad-rows", "--out", "one")

    done = sre(*asked, "--json", cwd=tmp_path)
    again = sre("simulate", "one/scenario.yaml", "--out", "other", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["skipped_rows"] == 1
    assert (tmp_path / "one" / "traces" / "t.csv").exists()
    assert again.returncode == 0, again.stderr
    for name in ("result.json", "manifest.json"):
        assert (tmp_path / "other" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_wrong_use_is_one_line_and_exit_2(tmp_path: Path) -> None:
    done = sre("simulate", *QUICK, "--rate", "-1", "--json", cwd=tmp_path)

    assert done.returncode == 2
    assert done.stderr.splitlines() == ["sre: --rate is -1: give a number above 0"]
    assert json.loads(done.stdout)["ok"] is False


def test_a_sweep_names_the_cheapest_and_ends_in_2_when_there_is_none(tmp_path: Path) -> None:
    met = sre("sweep", *QUICK, "--vary", "replicas=1,2", "--jobs", 1, "--out", "s", cwd=tmp_path)
    missed = sre("sweep", *QUICK, "--vary", "max_num_seqs=1", "--jobs", 1, "--json", cwd=tmp_path)

    assert met.returncode == 0, met.stderr
    assert "SIMULATED: cheapest with 99 % good requests: replicas=1" in met.stdout
    assert {"sweep.html", "result.json", "points.jsonl", "manifest.json"} <= {
        p.name for p in (tmp_path / "s").iterdir()
    }
    assert missed.returncode == 2
    assert json.loads(missed.stdout)["cheapest"] is None


def test_a_sweep_is_not_simulated_but_named(tmp_path: Path) -> None:
    done = sre("simulate", "sizing-sweep", cwd=tmp_path)
    assert done.returncode == 2
    assert "is a sweep, no scenario: play it with sre sweep" in done.stderr
