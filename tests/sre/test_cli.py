"""The command line: instant help, one-line errors, exit codes that mean something."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sre.cli.replicas import replica_names

ROOT = Path(__file__).resolve().parents[2]
SRE = Path(sys.executable).parent / "sre"


def sre(*arguments, cwd):
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "verb",
    [
        (),
        ("up",),
        ("drain",),
        ("undrain",),
        ("scale",),
        ("gameday",),
        ("gameday", "run"),
        ("report",),
        ("load",),
        ("doctor",),
        ("slo",),
        ("slo", "lint"),
        ("slo", "status"),
        ("slo", "rules"),
        ("slo", "backtest"),
        ("slo", "gate"),
        ("chaos",),
        ("chaos", "faults"),
        ("chaos", "heal"),
    ],
)
def test_every_verb_explains_itself(tmp_path, verb):
    done = sre(*verb, "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full: not Linux")
@pytest.mark.parametrize("arguments", [("profile", "list"), ("simulate", "--json")])
def test_an_output_without_room_is_told_in_a_line(tmp_path, arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [SRE, *arguments], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("sre: the output cannot be written")


def test_help_loads_no_heavy_library():
    code = (
        "import sys; from sre.cli.app import app\n"
        "heavy = {'numpy', 'matplotlib', 'pydantic', 'aiohttp', 'grpc', 'chaoslib', 'yaml', 'psutil', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


BAD_CALLS = {
    "an unknown verb": (("fly",), 2, "No such command"),
    "a missing experiment": (("gameday", "run", "experiments/none.yaml"), 2, "none.yaml"),
    "an unknown profile": (("up", "--profile", "tpu", "--port", "0"), 2, "h100-llama3-8b-tp1"),
    "a missing trace": (
        ("gameday", "run", str(ROOT / "experiments/replica-crash.yaml"), "--trace", "x.csv"),
        2,
        "x.csv",
    ),
    "no platform": (("status",), 3, "sre up"),
    "load without a platform": (("load",), 3, "sre up"),
    "drain without a platform": (("drain", "llm-0"), 3, "sre up"),
    "undrain without a platform": (("undrain", "llm-0"), 3, "sre up"),
    "scale without a platform": (("scale", "3"), 3, "sre up"),
    "a negative grace": (("drain", "llm-0", "--grace", "-1"), 2, "--grace"),
    "no replicas at all": (("scale", "0"), 2, "equal to 1"),
    "an unknown engine": (("up", "--engine", "tgi"), 2, "use emulated or vllm"),
    "vLLM's options without vLLM": (("up", "--dtype", "float32"), 2, "only with --engine vllm"),
    "an impossible vLLM": (("up", "--engine", "vllm", "--dtype", "int4"), 2, "dtype"),
    "a missing policy": (("up", "--autoscale", "none.yaml"), 2, "none.yaml"),
    "missing tenants": (("up", "--tenants", "none.yaml"), 2, "none.yaml"),
    "fewer than the least": (("up", "--replicas", "3", "--max-replicas", "2"), 2, "max_replicas"),
    "no report": (("report", "verify", "nowhere"), 2, "no such folder"),
    "a state directory that is a file": (("up", "--state-dir", __file__), 3, "choose another --state-dir"),
    "a port that does not exist": (("doctor", "--port", "70000"), 2, "--port"),
    "no documents": (("slo", "lint", "nowhere"), 2, "nowhere"),
    "no samples at all": (("slo", "status", str(ROOT / "slo")), 2, "--prometheus URL or --samples PATH"),
    "two sources": (
        ("slo", "status", str(ROOT / "slo"), "--prometheus", "http://127.0.0.1:1", "--samples", "x.csv"),
        2,
        "give one",
    ),
    "a Prometheus that is not there": (
        ("slo", "gate", str(ROOT / "slo"), "--prometheus", "http://127.0.0.1:1"),
        3,
        "does not answer",
    ),
    "an unknown SLO": (("slo", "status", str(ROOT / "slo"), "--slo", "none"), 2, "use one of availability"),
    "an unknown action": (("slo", "gate", str(ROOT / "slo"), "--for", "party"), 2, "use one of deploy, drill"),
    "a time without its zone": (
        ("slo", "status", str(ROOT / "slo"), "--samples", str(ROOT / "reports/example/samples.jsonl"), "--at", "noon"),
        2,
        "--at",
    ),
    "no workspace": (("gameday", "list"), 2, "experiments"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_call_is_told_without_a_traceback(tmp_path, name):
    arguments, code, said = BAD_CALLS[name]
    done = sre(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_is_told_with_the_mend(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = sre("up", "--port", port, cwd=tmp_path)
    assert done.returncode == 3
    lines = [line for line in done.stderr.splitlines() if line.startswith("sre: ")]
    assert len(lines) == 1
    assert f"port {port}" in lines[0]
    assert "--port" in lines[0]


def test_down_is_harmless_when_nothing_runs(tmp_path):
    done = sre("down", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["was_up"] is False


def test_doctor_names_each_component(tmp_path):
    done = sre("doctor", "--json", "--port", "0", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert {"Python", "Triton server", "prometheus", "chromium", "memory"} <= {f["name"] for f in said["findings"]}
    assert all(f["mend"] for f in said["findings"] if not f["ok"])
    assert done.returncode == (0 if said["ok"] else 3)


def test_the_shipped_experiments_are_listed(tmp_path):
    done = sre("gameday", "list", "--json", "--workspace", ROOT, cwd=tmp_path)
    assert done.returncode == 0
    assert "replica-crash" in {e["failure_mode"] for e in json.loads(done.stdout)}


def test_replica_names_are_completed_from_what_runs(tmp_path):
    replicas = [{"name": name} for name in ("llm-0", "llm-1", "other")]
    (tmp_path / "state.json").write_text(json.dumps({"replicas": replicas}))
    context = SimpleNamespace(params={"state_dir": tmp_path})
    assert replica_names(context, "llm") == ["llm-0", "llm-1"]
    assert replica_names(SimpleNamespace(params={"state_dir": tmp_path / "none"}), "") == []


def test_the_version_is_told(tmp_path):
    assert sre("--version", cwd=tmp_path).stdout.strip()[0].isdigit()


def test_with_json_an_error_is_an_object_too(tmp_path):
    done = sre("status", "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert done.returncode == said["exit_code"] == 3
    assert said["ok"] is False
    assert "sre up" in said["errors"][0]
