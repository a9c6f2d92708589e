"""`sre slo backtest` as typed: exit codes, one line a fault, JSON, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from sre.cli.slo.backtest import backtest
from sre.errors import SreError

ROOT = Path(__file__).parents[4]
DRILL = ROOT / "reports" / "example"

app = typer.Typer()
app.command()(backtest)


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def drill(*more):
    return run(ROOT / "slo" / "availability.yaml", "--drills", DRILL, "--drill-clock", 60, *more)


def test_a_drill_is_replayed_from_its_own_samples():
    result = drill("--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["plan"]["drill_clock"] == 60
    assert data["labels"][0]["name"].startswith("example: replica-crash llm-")
    assert [one["slo"] for one in data["slos"]] == ["availability"]


def test_an_objective_that_is_missed_is_exit_1():
    result = drill("--objective", "recall>=0.9, min detection")
    assert result.exit_code == 1
    assert "objective not met: availability" in result.stdout


def test_files_are_named_where_they_were_written(tmp_path):
    result = drill("--out", tmp_path / "out")
    assert result.exit_code == 0
    assert f"wrote {tmp_path / 'out' / 'backtest.html'}" in result.stdout


def test_tuning_prints_policies_to_paste():
    result = drill("--tune", "--objective", "min in-alert")
    assert result.exit_code == 0, result.output
    assert "kind: AlertPolicy" in result.stdout
    assert "too few to trust" in result.stdout


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--convention", "promql"], "is unknown: use one of events"),
        (["--objective", "speed"], "is no term"),
        (["--step", "30"], "longer than the short window"),
        (["--start", "yesterday"], "no time with its zone"),
        (["--start", "0", "--end", "100"], "no label overlaps the replay"),
        (["--labels", "none.csv"], "cannot be read"),
        (["--slo", "nope"], "no SLO is named nope"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(more, told):
    result = drill(*more)
    assert isinstance(result.exception, SreError)
    assert told in str(result.exception)
    assert result.exception.exit_code == 2


def test_history_shorter_than_every_window_says_how_to_go_on():
    result = run(ROOT / "slo" / "availability.yaml", "--drills", DRILL)
    assert "compress the windows with --drill-clock" in str(result.exception)


def test_a_silent_prometheus_is_exit_3():
    result = run(ROOT / "slo" / "availability.yaml", "--prometheus", "http://127.0.0.1:9")
    assert isinstance(result.exception, SreError)
    assert result.exception.exit_code == 3


def test_a_folder_of_parquet_files_is_replayed_in_processes(tmp_path, series):
    pytest.importorskip("pyarrow", reason="pyarrow is absent")
    import numpy as np

    from sre.metrics.export import write_parquet

    times = 30.0 * np.arange(0, 4000)
    for code in ("a", "b"):
        counted = np.arange(0, 4000) * 10.0
        one = series("sre_gateway_requests_total", times, counted, outcome="ok", instance=code)
        write_parquet([one], tmp_path / f"{code}.parquet")
    result = run(ROOT / "slo" / "availability.yaml", "--samples", tmp_path, "--processes", 1, "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["source"] == "parquet"
    assert data["plan"]["end"] == times[-1]
