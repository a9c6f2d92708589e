"""An experiment file is read into a drill, or refused for every error at once."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from sre.chaos.experiment import load_drill, missing_controls
from sre.chaos.lint import check_experiment
from sre.chaos.model import BlastRadius, Expected, ExpectedCost, PlatformNeeds, TokenLengths, Weakness
from sre.errors import BadDocument

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "experiments" / "replica-crash.yaml"
POLICY = ROOT / "serving" / "deploy" / "autoscaling" / "hpa-queue.yaml"


@pytest.fixture
def experiment():
    """The shipped experiment as plain objects, to be broken by a test."""
    return yaml.safe_load(SHIPPED.read_text())


@pytest.fixture
def section(experiment):
    return experiment["extensions"][0]


@pytest.fixture
def load(tmp_path, experiment):
    def read():
        path = tmp_path / "experiments" / "e.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(experiment, sort_keys=False))
        return load_drill(path)

    return read


@pytest.fixture
def faults(load):
    def refused():
        with pytest.raises(BadDocument) as caught:
            load()
        return [fault.partition(": ")[2] for fault in caught.value.faults]

    return refused


def test_the_shipped_experiment_is_a_drill():
    drill = load_drill(SHIPPED)
    assert (drill.id, drill.family, drill.failure_mode, drill.runbook) == (
        *("EXP-001", "replica", "replica-crash", "replica-crash"),
    )
    assert drill.faults == ("replica-crash",)
    assert drill.slos == ("availability",)
    assert drill.workload.duration_s > drill.workload.warmup_s
    assert drill.blast_radius == BlastRadius(max_replicas=1, min_healthy=2)
    assert drill.deadline_s == 120.0
    cost = ExpectedCost(max_incident_usd=Decimal("0.05"), max_good_token_factor=1.25)
    assert drill.expected == Expected("availability", 30.0, recovered_within_s=30.0, failed_requests=0, cost=cost)
    assert "Requests succeed" in drill.hypothesis
    assert drill.weakness is None


def test_the_platform_that_a_drill_needs_is_read(load, section):
    section["platform"] = {
        "replicas": 4,
        "max_replicas": 6,
        "time_scale": 2,
        "cold_start_scale": 0.1,
        "gateway_workers": 2,
        "profile": "h100-llama3-8b-tp1",
        "prometheus": True,
        "autoscale": str(POLICY),
        "autoscale_clock_factor": 60,
        "unhealthy_restart_s": 5,
    }
    needs = load().platform
    assert needs == PlatformNeeds(
        replicas=4,
        max_replicas=6,
        time_scale=2.0,
        cold_start_scale=0.1,
        gateway_workers=2,
        profile="h100-llama3-8b-tp1",
        prometheus=True,
        autoscale=POLICY,
        autoscale_clock_factor=60.0,
        unhealthy_restart_s=5.0,
    )
    assert "prometheus" not in needs.asked()
    assert "tenants" not in needs.asked()
    assert needs.asked()["replicas"] == 4


def test_files_are_relative_to_the_experiment(load, section, tmp_path):
    (tmp_path / "policy.yaml").write_text("x")
    section["platform"]["autoscale"] = "../policy.yaml"
    assert load().platform.autoscale == tmp_path / "policy.yaml"


def test_every_need_is_one_that_the_platform_can_be_started_with():
    from serving.fleet.spec import PlatformSpec

    assert set(PlatformNeeds.__dataclass_fields__) <= set(PlatformSpec.__dataclass_fields__)


def test_silence_may_be_expected(load, section):
    section["expected"]["alert"] = "none"
    assert load().expected.alert_slo is None


def test_costs_may_be_expected(load, section):
    section["expected"]["cost"] = {"max_incident_usd": 0.1, "max_good_token_factor": 1.5}
    assert load().expected.cost == ExpectedCost(Decimal("0.1"), 1.5)


def test_a_known_weakness_names_a_risk_of_the_list(load, section, faults, tmp_path):
    section["weakness"] = {"risk": "RISK-004", "text": "poison walks through the fleet"}
    assert any("weakness.risk: RISK-004 is not in risks.yaml" in fault for fault in faults())
    risk = {
        **{"id": "RISK-004", "title": "Poison walks", "status": "open", "owner": "serving", "found_by": ["EXP-001"]},
        **{"shows": ["requests"], "measured": "3 of 3 engines died", "mend": "quarantine"},
    }
    (tmp_path / "risks.yaml").write_text(yaml.safe_dump({"risks": [risk]}))
    assert load().weakness == Weakness("RISK-004", "poison walks through the fleet")


def test_token_lengths_are_read(load, section):
    section["workload"]["prompt_tokens"] = {"median": 400, "sigma": 0.7, "min": 16, "max": 2048}
    assert load().workload.prompt_tokens == TokenLengths(400.0, 0.7, 16, 2048)


def test_guard_and_gate_are_read(load, section):
    section["guard"] = {"max_failed_requests": 3}
    section["gate"] = {"min_budget_left": 0.5}
    drill = load()
    assert drill.guard.max_failed_requests == 3
    assert drill.gate.min_budget_left == 0.5


def test_a_fault_names_the_line_it_stands_in(tmp_path):
    text = SHIPPED.read_text().replace("rate_rps: 6.0 ", "rate_rps: -1 ")
    path = tmp_path / "e.yaml"
    path.write_text(text)
    line = next(n for n, content in enumerate(text.splitlines(), 1) if "rate_rps: -1" in content)
    with pytest.raises(BadDocument, match=rf"e\.yaml:{line}: extensions\[0\]\.workload\.rate_rps: is -1"):
        load_drill(path)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("id",), "EXP-1", "id: is 'EXP-1': write a stable id"),
        (("family",), "replicas", "family: is 'replicas': did you mean `replica`?"),
        (("failure_mode",), "Replica Crash", "lower-case words"),
        (("workload", "rate_rps"), "six", "rate_rps: is 'six'"),
        (("workload", "rate_rps"), float("nan"), "rate_rps: is nan"),
        (("workload", "seed"), 1.5, "seed: is 1.5: write a whole number"),
        (("workload", "duration_s"), 12, "all of it warm-up"),
        (("workload", "prompt_tokens"), {"median": 4, "sigma": 1, "min": 16, "max": 32}, "put them in order"),
        (("workload", "burst"), 1, "unknown key"),
        (("clock_factor",), True, "clock_factor: is True"),
        (("deadline_s",), 0, "deadline_s: is 0: write seconds"),
        (("expected", "alert"), {"slo": "availability"}, "expected.alert.within_s: missing"),
        (("expected", "alert"), "never", "expected.alert: is 'never': give slo and within_s, or write none"),
        (("expected", "failed_requests"), -1, "failed_requests: is -1"),
        (("expected", "cost"), {"max_incident_usd": -1}, "max_incident_usd: is -1"),
        (("expected", "cost"), {"max_incident": 1}, "did you mean `max_incident_usd`?"),
        (("expected", "cost"), {"max_good_token_factor": 0.5}, "a factor of 1"),
        (("blast_radius", "min_healthy"), -1, "min_healthy: is -1"),
        (("blast_radius", "components"), ["gatway"], "components[0]: is 'gatway': did you mean `gateway`?"),
        (("blast_radius",), {"min_healthy": 2}, "max_replicas: missing"),
        (("platform", "replicas"), 17, "platform.replicas: is 17: write a whole number of 1 to 16"),
        (("platform", "replicas"), 2.5, "platform.replicas: is 2.5"),
        (("platform", "max_replicas"), 2, "max_replicas: is 2, replicas is 3"),
        (("platform", "autoscale"), "gone.yaml", "gone.yaml is no file beside"),
        (("platform", "autoscale_clock_factor"), 60, "there is no `autoscale`"),
        (("platform", "prometheus"), "yes please", "prometheus: is 'yes please'"),
        (("platform", "replcas"), 3, "did you mean `replicas`?"),
        (("slo",), "availability", "slo: is 'availability': list the SLOs"),
        (("slo",), ["availability", "availability"], "slo: names one twice"),
        (("weakness",), {"risk": "4", "text": "x"}, "weakness.risk: is '4'"),
        (("weakness",), {"risk": "RISK-004"}, "weakness.text: missing"),
        (("guard",), {"max_faild_share": 1}, "did you mean `max_failed_share`?"),
        (("gate",), {"min_budget_left": 2}, "min_budget_left: is 2"),
        (("deadlines",), 3, "deadlines: unknown key: did you mean `deadline_s`?"),
    ],
)
def test_bad_values_of_the_drill_are_refused(section, faults, path, value, said):
    at = section
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert any(said in fault for fault in faults())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("slo",), ["availabilty"]),
        (("expected", "alert", "slo"), "availabilty"),
        (("gate",), {"slos": ["availabilty"]}),
    ],
)
def test_an_slo_that_is_not_there_is_refused_where_there_are_some(section, faults, tmp_path, path, value):
    (tmp_path / "slo").symlink_to(ROOT / "slo")
    at = section
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    assert any("no SLO is named 'availabilty': did you mean `availability`?" in fault for fault in faults())


def test_a_page_that_is_not_there_is_warned_of(load, section, tmp_path):
    (tmp_path / "runbooks").mkdir()
    load()
    assert check_experiment(tmp_path / "experiments" / "e.yaml").findings == ()
    section["runbook"] = "replica-crash"
    load()
    (finding,) = check_experiment(tmp_path / "experiments" / "e.yaml").findings
    assert "runbooks/replica-crash.md is not there: write it, or name another page" in finding.text
    assert finding.severity == "warning"


def test_an_experiment_of_no_slo_is_warned_of(load, section, tmp_path):
    del section["slo"]
    load()
    (finding,) = check_experiment(tmp_path / "experiments" / "e.yaml").findings
    assert "extensions[0].slo: missing: list the SLOs it is about" in finding.text


def test_without_slo_documents_nothing_is_said_of_their_names(load, section):
    section["slo"] = ["elsewhere"]
    assert load().slos == ("elsewhere",)


def test_the_shipped_experiments_controls_exist():
    assert missing_controls(SHIPPED) == ()


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "a: 1\na: 2\n"])
def test_what_is_no_experiment_is_refused(tmp_path, text):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(BadDocument):
        load_drill(path)
