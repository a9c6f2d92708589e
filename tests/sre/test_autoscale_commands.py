"""`sre autoscale`: documents checked with every fault, policies compared on the same traffic."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sre.cost.prices import price_of, shipped_prices

SRE = Path(sys.executable).parent / "sre"
SHIPPED = Path(__file__).resolve().parents[2] / "serving" / "deploy" / "autoscaling"
BAD = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  scaleTargetRef: {kind: Deployment, name: llm}
  minReplica: 2
  maxReplicas: none
  metrics: []
"""
PRICE = float(price_of("H100-80GB", shipped_prices()).per_gpu_hour)
QUICK = ("--duration", "240", "--rate", "12", "--cold-start", "20")


def sre(*arguments, cwd):
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_a_policy_is_told_in_words(tmp_path) -> None:
    done = sre("autoscale", "check", SHIPPED / "hpa-slo.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Deployment/llm, 2 to 16 replicas" in done.stdout
    assert "sre_gateway_predicted_ttft_seconds, kept at 0.5" in done.stdout
    assert "1 spare above what the metrics ask for" in done.stdout


def test_every_fault_of_a_bad_policy_is_a_line_of_its_own(tmp_path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD)
    done = sre("autoscale", "check", "bad.yaml", "none.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 2
    said = json.loads(done.stdout)["errors"]
    assert [line.split(": ")[0] for line in said[:3]] == ["bad.yaml:7", "bad.yaml:8", "bad.yaml:6"]
    assert "none.yaml: cannot read the policy" in said[3]
    assert "Traceback" not in done.stderr


def test_policies_are_compared_on_the_same_traffic(tmp_path) -> None:
    files = ("--policy", SHIPPED / "hpa-slo.yaml", "--policy", SHIPPED / "keda-queue.yaml")
    done = sre("autoscale", "compare", *files, *QUICK, "--json", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    runs = {run["name"]: run for run in said["runs"]}
    assert set(runs) == {"fixed 2 (minimum)", "hpa-slo", "keda-queue"} | {n for n in runs if n.endswith("(peak)")}
    assert len({run["requests"] for run in runs.values()}) == 1
    fixed = runs["fixed 2 (minimum)"]
    assert fixed["replica_hours"] == pytest.approx(2 * 240 / 3600)
    assert float(fixed["cost"]) == pytest.approx(2 * 240 / 3600 * PRICE, abs=1e-3)
    assert all(0 <= run["attainment"] <= 1 for run in runs.values())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "compare.html",
        "compare.json",
        "replicas.png",
        "tradeoff.png",
    }
    curves = json.loads((tmp_path / "out/compare.json").read_text())["runs"][1]
    assert sum(minute["requests"] for minute in curves["service"]) == curves["requests"]


BAD_CALLS = {
    "two sources": (("--generate", "--trace", "x.csv"), "two sources"),
    "no rate": (("--rate", "0"), "--rate is 0"),
    "an unknown profile": (("--profile", "tpu"), "h100-llama3-8b-tp1"),
    "a missing trace": (("--trace", "x.csv"), "x.csv"),
    "too much traffic": (("--rate", "1e6"), "lower --rate or --duration"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_a_bad_comparison_is_told_without_a_traceback(tmp_path, name) -> None:
    arguments, said = BAD_CALLS[name]
    done = sre("autoscale", "compare", *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
