"""An experiment file is refused for every fault at once, each with its line and mend."""

from pathlib import Path

import pytest
import yaml

from sre.chaos.experiment import load_drill, missing_controls
from sre.chaos.model import BlastRadius, Expected, TokenLengths
from sre.errors import BadDocument

SHIPPED = Path(__file__).parents[3] / "experiments" / "replica-crash.yaml"


@pytest.fixture
def experiment():
    """The shipped experiment as plain objects, to be broken by a test."""
    return yaml.safe_load(SHIPPED.read_text())


@pytest.fixture
def faults(tmp_path, experiment):
    def check():
        path = tmp_path / "broken.yaml"
        path.write_text(yaml.safe_dump(experiment, sort_keys=False))
        with pytest.raises(BadDocument) as caught:
            load_drill(path)
        for fault in caught.value.faults:
            assert fault.startswith(f"{path}:"), fault
            assert "\n" not in fault
        return [fault.removeprefix(f"{path}:").partition(": ")[2] for fault in caught.value.faults]

    return check


def section(experiment):
    return experiment["extensions"][0]


def test_the_shipped_experiment_is_a_drill():
    drill = load_drill(SHIPPED)
    assert drill.failure_mode == "replica-crash"
    assert drill.workload.duration_s > drill.workload.warmup_s
    assert drill.blast_radius == BlastRadius(max_replicas=1, min_healthy=2)
    assert drill.expected == Expected("availability", alert_within_s=30.0, recovered_within_s=30.0, failed_requests=0)
    assert "Requests succeed" in drill.hypothesis


def test_token_lengths_are_read(tmp_path, experiment):
    section(experiment)["workload"]["prompt_tokens"] = {"median": 400, "sigma": 0.7, "min": 16, "max": 2048}
    path = tmp_path / "e.yaml"
    path.write_text(yaml.safe_dump(experiment))
    assert load_drill(path).workload.prompt_tokens == TokenLengths(400.0, 0.7, 16, 2048)


def test_a_fault_names_the_line_it_stands_in(tmp_path):
    text = SHIPPED.read_text().replace("rate_rps: 6.0 ", "rate_rps: -1 ")
    path = tmp_path / "e.yaml"
    path.write_text(text)
    line = next(n for n, content in enumerate(text.splitlines(), 1) if "rate_rps: -1" in content)
    with pytest.raises(BadDocument, match=rf"e\.yaml:{line}: extensions\[0\]\.workload\.rate_rps: is -1"):
        load_drill(path)


def test_a_misspelt_key_is_answered_with_the_right_one(experiment, faults):
    experiment["rollback"] = experiment.pop("rollbacks")
    found = faults()
    assert "rollback: unknown key: did you mean `rollbacks`?" in found
    assert any(fault.startswith("rollbacks: missing") for fault in found)


@pytest.mark.parametrize(
    "key", ["title", "description", "steady-state-hypothesis", "method", "rollbacks", "extensions"]
)
def test_what_every_drill_needs_is_asked_for(experiment, faults, key):
    del experiment[key]
    assert any(fault.startswith(f"{key}: missing") for fault in faults())


@pytest.mark.parametrize("key", ["method", "rollbacks"])
def test_empty_lists_are_refused(experiment, faults, key):
    experiment[key] = []
    assert f"{key}: is empty: write a list" in faults()


def test_every_fault_is_told_at_once(experiment, faults):
    experiment["titel"] = "x"
    section(experiment)["clock_factor"] = 0
    experiment["method"][0]["type"] = "akshun"
    assert len(faults()) == 3


def test_a_control_that_cannot_be_imported_is_refused(experiment, faults, tmp_path):
    experiment["controls"][0]["provider"]["module"] = "no_such_module"
    (fault,) = faults()
    assert "controls[0].provider.module: cannot be imported" in fault
    assert missing_controls(tmp_path / "broken.yaml") == ("no_such_module",)


def test_the_shipped_experiments_controls_exist():
    assert missing_controls(SHIPPED) == ()


def test_an_unknown_function_lists_the_known_ones(experiment, faults):
    experiment["method"][0]["provider"]["func"] = "crash_replicas"
    assert any("use one of crash_replica, restore_replicas, wait_recovered" in fault for fault in faults())


def test_a_misspelt_argument_lists_the_accepted_ones(experiment, faults):
    experiment["method"][0]["provider"]["arguments"]["replicca"] = "any"
    (fault,) = faults()
    assert "takes replica, min_healthy, seed" in fault


def test_a_tolerance_chaos_toolkit_cannot_take_is_refused(experiment, faults):
    experiment["steady-state-hypothesis"]["probes"][0]["tolerance"] = 0.99
    assert "write a range" in faults()[0]


@pytest.mark.parametrize("bounds", [[1.0, 0.99], [0.0, float("nan")], [0.0, float("inf")]])
def test_a_range_that_nothing_or_everything_meets_is_refused(experiment, faults, bounds):
    experiment["steady-state-hypothesis"]["probes"][0]["tolerance"] = bounds
    assert "finite range" in faults()[0]


def test_a_probe_without_tolerance_is_refused(experiment, faults):
    del experiment["steady-state-hypothesis"]["probes"][1]["tolerance"]
    assert faults()[0].startswith("steady-state-hypothesis.probes[1].tolerance: missing")


def test_a_method_that_hits_more_than_stated_is_refused(experiment, faults):
    experiment["method"].append(experiment["method"][0])
    assert "blast_radius.max_replicas is 1" in faults()[0]


def test_a_method_that_keeps_fewer_healthy_than_stated_is_refused(experiment, faults):
    experiment["method"][0]["provider"]["arguments"]["min_healthy"] = 1
    assert "blast_radius.min_healthy is 2" in faults()[0]


def test_a_rollback_strategy_that_leaves_faults_behind_is_refused(experiment, faults):
    experiment["runtime"]["rollbacks"]["strategy"] = "deviated"
    assert "write `always`" in faults()[0]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("workload", "rate_rps"), "six", "rate_rps: is 'six'"),
        (("workload", "rate_rps"), float("nan"), "rate_rps: is nan"),
        (("workload", "seed"), 1.5, "seed: is 1.5: write a whole number"),
        (("workload", "duration_s"), 12, "all of it warm-up"),
        (("workload", "prompt_tokens"), {"median": 4, "sigma": 1, "min": 16, "max": 32}, "put them in order"),
        (("workload", "burst"), 1, "unknown key"),
        (("clock_factor",), True, "clock_factor: is True"),
        (("failure_mode",), "Replica Crash", "lower-case words"),
        (("expected", "alert"), {"slo": "availability"}, "expected.alert.within_s: missing"),
        (("blast_radius", "min_healthy"), 0, "min_healthy: is 0"),
    ],
)
def test_bad_values_of_the_drill_are_refused(experiment, faults, path, value, said):
    at = section(experiment)
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert any(said in fault for fault in faults())


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "holds 0 documents"), ("- a\n", "write an experiment"), ("a: [\n", "not YAML"), ("a: 1\na: 2\n", "twice")],
)
def test_what_is_no_experiment_is_one_line(tmp_path, text, said):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(BadDocument, match=said):
        load_drill(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadDocument, match="cannot be read"):
        load_drill(tmp_path / "missing.yaml")


def test_a_control_that_names_no_module_is_refused(experiment, faults):
    experiment["controls"][0]["provider"]["modul"] = experiment["controls"][0]["provider"].pop("module")
    assert faults() == ["controls[0].provider.module: missing: name the Python module of the control"]
    del experiment["controls"][0]["provider"]
    assert faults()[0].startswith("controls[0].provider: missing")


def test_what_chaos_toolkit_would_overlook_or_refuse_only_when_it_runs_is_refused(experiment, faults):
    experiment["method"][0]["pauses"] = {"befor": 8}
    experiment["method"][1]["provider"]["arguments"] = [30]
    experiment["steady-state-hypothesis"]["probes"][0]["tolerance"] = None
    said = "\n".join(faults())
    assert "method[0].pauses.befor: unknown key" in said
    assert "method[1].provider.arguments: is a list" in said
    assert "probes[0].tolerance: is nothing" in said
