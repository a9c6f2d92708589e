import pytest

from sre.errors import BadDocument
from sre.platforms.kubernetes import cluster_settings

GOOD = {"context": "drills", "namespace": "serving", "selector": "app=llm", "workload": "statefulset/llm"}


def faults(**changes):
    given = {**GOOD, **changes}
    with pytest.raises(BadDocument) as raised:
        cluster_settings({"kubernetes": {k: v for k, v in given.items() if v is not None}}, {})
    return str(raised.value)


def test_everything_that_is_needed_can_stand_in_the_experiment():
    settings = cluster_settings({"kubernetes": {**GOOD, "metrics_port": 9000}}, {})
    assert (settings.context, settings.workload_kind, settings.workload_name) == ("drills", "statefulset", "llm")
    assert settings.metrics_port == 9000


def test_the_environment_fills_what_the_experiment_leaves_out():
    environment = {f"SRE_KUBE_{name.upper()}": value for name, value in GOOD.items()} | {"SRE_KUBE_TIMEOUT_S": "3"}
    assert cluster_settings({}, environment).timeout_s == 3.0


def test_all_that_is_missing_is_named_at_once():
    with pytest.raises(BadDocument) as raised:
        cluster_settings({}, {})
    said = str(raised.value)
    assert all(f"SRE_KUBE_{name}" in said for name in ("CONTEXT", "NAMESPACE", "SELECTOR", "WORKLOAD"))


@pytest.mark.parametrize("selector", ["", "app", "app=", "!gone", "app in (a,b)", "app=llm,", "*"])
def test_a_selector_that_might_match_everything_is_refused(selector):
    assert "selector" in faults(selector=selector)


def test_a_gateway_is_reached_through_a_port_forward_only():
    assert "port-forward" in faults(gateway_url="http://llm.example.com:8400")
    assert cluster_settings({"kubernetes": {**GOOD, "gateway_url": "http://127.0.0.1:8400"}}, {}).gateway_url


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("workload", "pod/llm", "deployment/NAME"),
        ("namespace", "Serving", "one namespace"),
        ("faults_path", "../faults.json", "absolute path"),
        ("metrics_port", "99999", "a port"),
        ("timeout_s", "nan", "seconds"),
        ("cluster", "x", "unknown key"),
    ],
)
def test_a_wrong_value_gets_one_line_with_its_mend(key, value, says):
    said = faults(**{key: value})
    assert key in said
    assert says in said
