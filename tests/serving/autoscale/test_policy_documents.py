"""Policy documents: what they say once read, and how each fault is told."""

from __future__ import annotations

from fractions import Fraction

import pytest

from serving.autoscale import load_policy, parse_policy, shipped_policies
from serving.autoscale.model import LabelMatcher, ScalingPolicy, Target
from serving.autoscale.quantity import milli, parse_quantity
from serving.errors import BadInput

HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: llm
  annotations:
    sre.dev/surge-replicas: "2"
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  minReplicas: 2
  maxReplicas: 9
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_waiting, selector: {matchLabels: {model_name: llm}}}
        target: {type: AverageValue, averageValue: 500m}
    - type: Object
      object:
        describedObject: {apiVersion: v1, kind: Service, name: gateway}
        metric: {name: sre_gateway_predicted_ttft_seconds}
        target: {type: Value, value: "0.3"}
    - type: External
      external:
        metric: {name: queue}
        target: {type: AverageValue, averageValue: 1k}
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}
    - type: ContainerResource
      containerResource: {name: cpu, container: triton, target: {type: AverageValue, averageValue: "2"}}
  behavior:
    scaleUp:
      stabilizationWindowSeconds: 30
      selectPolicy: Min
      tolerance: "0"
      policies:
        - {type: Pods, value: 3, periodSeconds: 60}
    scaleDown:
      selectPolicy: Disabled
      tolerance: 50m
"""
KEDA = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm}
spec:
  scaleTargetRef: {name: llm}
  minReplicaCount: 1
  maxReplicaCount: 6
  pollingInterval: 10
  advanced:
    horizontalPodAutoscalerConfig:
      behavior: {scaleDown: {stabilizationWindowSeconds: 60}}
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://prometheus:9090", query: sum(x), threshold: "4.5", ignoreNullValues: "false"}
    - type: prometheus
      metricType: Value
      metadata: {serverAddress: "http://prometheus:9090", query: max(y), threshold: "10"}
"""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", Fraction(1, 2)),
        ("2", Fraction(2)),
        ("1k", Fraction(1000)),
        ("1.5Gi", Fraction(3, 2) * 2**30),
        ("0.3", Fraction(3, 10)),
        (".5", Fraction(1, 2)),
        ("100u", Fraction(1, 10_000)),
        ("3e2", Fraction(300)),
        ("1E", Fraction(10**18)),
    ],
)
def test_a_quantity_is_exact(text: str, number: Fraction) -> None:
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "m", "1 k", "1K", "five", "1e", "1_000", "0x10"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantity"):
        parse_quantity(text)


def test_thousandths_are_rounded_up_and_use_the_digits_written() -> None:
    assert milli(0.3) == 300  # the binary float lies above 0.3 x 1000 after multiplication
    assert milli(0.0001) == 1
    assert milli(1e-06) == 1


def test_an_autoscaler_is_read_whole() -> None:
    policy = parse_policy(HPA, where="hpa.yaml")
    assert (policy.name, policy.scale_target, policy.min_replicas, policy.max_replicas) == (
        "llm",
        "Deployment/llm",
        2,
        9,
    )
    assert policy.surge_replicas == 2
    assert [(m.source, m.name, m.target) for m in policy.metrics] == [
        ("Pods", "vllm_num_requests_waiting", Target("AverageValue", 500)),
        ("Object", "sre_gateway_predicted_ttft_seconds", Target("Value", 300)),
        ("External", "queue", Target("AverageValue", 1_000_000)),
        ("Resource", "cpu", Target("Utilization", 80_000)),
        ("ContainerResource", "triton/cpu", Target("AverageValue", 2000)),
    ]
    assert policy.metrics[0].selector == (LabelMatcher("model_name", "=", "llm"),)
    up, down = policy.scale_up, policy.scale_down
    assert (up.window_s, up.select, up.tolerance) == (30, "Min", 0)
    assert up.policies == (ScalingPolicy("Pods", 3, 60),)
    assert (down.window_s, down.select, down.tolerance) == (300, "Disabled", Fraction(1, 20))


def test_behavior_that_is_not_given_has_the_defaults_of_the_api() -> None:
    policy = parse_policy(HPA.split("  behavior:")[0], where="hpa.yaml")
    assert (policy.scale_up.window_s, policy.scale_down.window_s) == (0, 300)
    assert policy.scale_up.policies == (ScalingPolicy("Percent", 100, 15), ScalingPolicy("Pods", 4, 15))
    assert policy.scale_down.policies == (ScalingPolicy("Percent", 100, 15),)
    assert policy.scale_up.select == policy.scale_down.select == "Max"
    assert policy.scale_up.tolerance == Fraction(1, 10)


def test_a_scaled_object_becomes_the_autoscaler_keda_makes_of_it() -> None:
    policy = parse_policy(KEDA, where="keda.yaml")
    assert (policy.min_replicas, policy.max_replicas, policy.scale_target) == (1, 6, "Deployment/llm")
    first, second = policy.metrics
    assert (first.source, first.name, first.target) == ("External", "s0-prometheus", Target("AverageValue", 4500))
    assert (first.query, first.empty_is_zero) == ("sum(x)", False)
    assert (second.target, second.empty_is_zero) == (Target("Value", 10_000), True)
    assert policy.scale_down.window_s == 60
    assert any("pollingInterval" in note for note in policy.notes)


@pytest.mark.parametrize("path", shipped_policies(), ids=lambda path: path.stem)
def test_a_shipped_policy_is_sound(path) -> None:
    policy = load_policy(path)
    assert policy.min_replicas < policy.max_replicas
    assert policy.name == f"llm-{path.stem.split('-', 1)[1]}"


def test_the_shipped_policies_are_the_ones_that_are_told_of() -> None:
    names = {path.stem for path in shipped_policies()}
    assert names == {"hpa-gpu-utilization", "hpa-kv", "hpa-queue", "hpa-slo", "keda-queue"}


FAULTS = {
    "minimum above maximum": ("maxReplicas: 9", "maxReplicas: 1", "hpa.yaml:10: spec.maxReplicas: 1 lies below"),
    "scale to zero": ("minReplicas: 2", "minReplicas: 0", "hpa.yaml:9: spec.minReplicas: is 0: write 1 or more"),
    "a misspelt field": ("minReplicas: 2", "minReplica: 2", "hpa.yaml:9: spec.minReplica: is not a known key"),
    "a status": ("spec:", "status: {}\nspec:", "hpa.yaml:7: status: is written by the cluster"),
    "no quantity": ("500m", "some", "hpa.yaml:15: spec.metrics[0].pods.target.averageValue: is 'some'"),
    "a target of zero": ("500m", "0", "averageValue: is '0': write a Kubernetes quantity above 0"),
    "the wrong target type": (
        "type: AverageValue, averageValue: 500m",
        "type: Value, value: 1",
        "is 'Value': write one",
    ),
    "a second target": ("averageValue: 500m", "averageValue: 1, value: 1", "does not belong to a target of type"),
    "an unknown source": ("- type: Pods", "- type: Nodes", "spec.metrics[0].type: is 'Nodes': write one of Pods"),
    "the body of another source": ("      pods:", "      external:", "spec.metrics[0].pods: is missing"),
    "label expressions": ("matchLabels: {model_name: llm}", "matchExpressions: []", "matchLabels with exact values"),
    "a window that is too long": (
        "stabilizationWindowSeconds: 30",
        "stabilizationWindowSeconds: 3601",
        "from 0 to 3600",
    ),
    "a period of nothing": ("periodSeconds: 60", "periodSeconds: 0", "from 1 to 1800"),
    "an unknown way to select": ("selectPolicy: Min", "selectPolicy: Both", "write one of Max, Min, Disabled"),
    "a negative tolerance": ('tolerance: "0"', 'tolerance: "-1"', "quantity of at least 0"),
    "an unknown annotation of ours": ("sre.dev/surge-replicas", "sre.dev/surge", "known is sre.dev/surge-replicas"),
    "half a spare replica": ('"2"\nspec', '"0.5"\nspec', "a whole number from 0 to 100"),
    "a key given twice": ("minReplicas: 2", "minReplicas: 2\n  minReplicas: 3", "spec.minReplicas: is given twice"),
    "a list where a mapping goes": (
        "metadata:\n  name: llm",
        "metadata: [1]\nx:\n  name: llm",
        "is no mapping of keys",
    ),
    "another version": ("autoscaling/v2", "autoscaling/v1", "write a HorizontalPodAutoscaler of autoscaling/v2"),
    "text that is no YAML": ("spec:", "spec: [", "hpa.yaml:"),
    "two documents": ("spec:", "---\nspec:", "not one YAML document"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_place_and_the_mend(name: str) -> None:
    old, new, said = FAULTS[name]
    assert HPA.count(old) >= 1
    with pytest.raises(BadInput) as caught:
        parse_policy(HPA.replace(old, new, 1), where="hpa.yaml")
    assert said in str(caught.value)


KEDA_FAULTS = {
    "scale to zero by default": ("  minReplicaCount: 1\n", "", "is 0 (KEDA's default): write 1 or more"),
    "a fallback": (
        "  pollingInterval: 10",
        "  fallback: {replicas: 3}",
        "keda.yaml:8: spec.fallback: cannot be honoured",
    ),
    "an idle count": ("  pollingInterval: 10", "  idleReplicaCount: 0", "scales to and from zero"),
    "another scaler": (
        "- type: prometheus\n      metadata",
        "- type: kafka\n      metadata",
        "write one of prometheus",
    ),
    "credentials": ("metricType: Value", "authenticationRef: {name: x}", "needs a secret of the cluster"),
    "a formula": ("  advanced:\n", "  advanced:\n    scalingModifiers: {formula: a}\n", "one trigger a signal"),
    "no threshold": (', threshold: "10"', "", "spec.triggers[1].metadata.threshold: is missing"),
}


@pytest.mark.parametrize("name", KEDA_FAULTS)
def test_a_fault_of_a_scaled_object_is_told_too(name: str) -> None:
    old, new, said = KEDA_FAULTS[name]
    assert KEDA.count(old) == 1
    with pytest.raises(BadInput) as caught:
        parse_policy(KEDA.replace(old, new), where="keda.yaml")
    assert said in str(caught.value)


def test_every_fault_of_a_document_is_told_at_once() -> None:
    bad = (
        HPA.replace("minReplicas: 2", "minReplicas: two")
        .replace("500m", "some")
        .replace("type: Pods, value: 3", "type: Pods")
    )
    with pytest.raises(BadInput) as caught:
        parse_policy(bad, where="hpa.yaml")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == ["hpa.yaml:9", "hpa.yaml:15", "hpa.yaml:35"]


def test_a_file_that_is_not_there_is_told(tmp_path) -> None:
    with pytest.raises(BadInput, match="cannot read the policy"):
        load_policy(tmp_path / "none.yaml")
