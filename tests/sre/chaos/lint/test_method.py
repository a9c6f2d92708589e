"""What the method does, held against what the file states."""

import copy

import pytest


@pytest.fixture
def arguments(fault):
    return fault["provider"]["arguments"]


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), True, "60", [60]])
def test_a_lease_is_seconds_above_0(arguments, errors, value):
    arguments["lease_s"] = value
    assert any("arguments.lease_s: is " in text for text in errors())


def test_a_fault_without_a_lease_is_refused(arguments, errors):
    del arguments["lease_s"]
    assert "missing a required argument: 'lease_s'" in errors()[0]


def test_a_lease_from_the_configuration_is_known(experiment, arguments, checked, errors):
    experiment["configuration"]["lease"] = 60
    arguments["lease_s"] = "${lease}"
    assert checked().findings == ()
    experiment["configuration"]["lease"] = 600
    assert errors() == ["method[0].provider.arguments.lease_s: is 600, deadline_s is 120: make the lease shorter"]


def test_a_lease_that_ends_the_fault_too_early_is_warned_of(fault, arguments, warnings):
    arguments["lease_s"] = 5
    fault["pauses"] = {"before": 8, "after": 10}
    assert warnings() == [
        "method[0].provider.arguments.lease_s: is 5, the method lets the fault last 10 s: make the lease longer"
    ]


def test_a_fault_says_itself_what_it_takes(fault, section, errors):
    fault["provider"] |= {"func": "surge_traffic", "arguments": {"lease_s": 20, "factor": 0.5}}
    section["blast_radius"]["components"] = ["traffic"]
    (said,) = errors()
    assert said.startswith("method[0].provider.arguments: traffic-surge: factor is 0.5: write a number above 1")


def test_a_parameter_not_known_before_the_run_is_left_to_the_run(experiment, fault, section, checked):
    experiment["configuration"]["factor"] = {"type": "env", "key": "F", "default": "3", "env_var_type": "json"}
    fault["provider"] |= {"func": "surge_traffic", "arguments": {"lease_s": 20, "factor": "${factor}"}}
    section |= {"family": "traffic", "blast_radius": {"max_replicas": 0, "min_healthy": 2, "components": ["traffic"]}}
    assert checked().findings == ()


def test_a_rollback_that_does_not_heal_is_refused(experiment, errors):
    experiment["rollbacks"][0]["provider"] = {
        "type": "python",
        "module": "sre.chaos.probes",
        "func": "healthy_replicas",
    }
    assert "rollbacks: none undoes the fault: play sre.chaos.actions.heal_faults" in errors()


def test_a_fault_that_nothing_ends_in_the_method_is_warned_of(experiment, warnings):
    del experiment["method"][1]
    assert any("the fault is still there when the steady state is looked at again" in text for text in warnings())


def test_two_faults_at_a_time_need_the_room(experiment, fault, section, errors, checked):
    experiment["method"].insert(1, copy.deepcopy(fault) | {"name": "another"})
    section["workload"]["duration_s"] = 90
    section["blast_radius"]["min_healthy"] = 1
    assert errors() == [
        "method[1]: 2 replica(s) are hit at a time, blast_radius.max_replicas is 1: "
        "heal the fault before it, or raise it"
    ]
    section["blast_radius"]["max_replicas"] = 2
    assert checked().findings == ()


def test_one_fault_after_the_other_needs_no_more_room(experiment, section, checked):
    experiment["method"] += copy.deepcopy(experiment["method"])
    section["workload"]["duration_s"] = 100
    assert checked().findings == ()


def test_the_same_replica_twice_is_one_replica(experiment, fault, section, arguments, checked):
    arguments["replica"] = "llm-0"
    experiment["method"].insert(1, copy.deepcopy(fault) | {"name": "another"})
    section["workload"]["duration_s"] = 90
    assert checked().findings == ()


def test_a_zone_is_as_large_as_it_says(fault, section, errors):
    fault["provider"] |= {"func": "lose_zone", "arguments": {"lease_s": 30, "replicas": 2}}
    section["platform"]["replicas"] = 5
    assert any("method[0]: 2 replica(s) are hit at a time, blast_radius.max_replicas is 1" in text for text in errors())


def test_components_that_are_hit_are_named(fault, section, errors):
    fault["provider"] |= {"func": "crash_gateway", "arguments": {"lease_s": 30}}
    assert any(
        text == "method[0]: gateway is hit, blast_radius.components does not name it: add it there" for text in errors()
    )


def test_a_radius_wider_than_the_method_is_warned_of(section, warnings):
    section["blast_radius"] |= {"max_replicas": 3, "components": ["gateway"]}
    where = "extensions[0].blast_radius"
    assert warnings() == [
        f"{where}.components: names gateway, which the method does not hit: remove it",
        f"{where}.max_replicas: is 3, the method hits 1: write 1",
    ]


def test_what_must_stay_healthy_must_be_there(section, errors):
    section["platform"]["replicas"] = 2
    assert errors() == [
        "extensions[0].blast_radius.min_healthy: is 2, of 2 replica(s) 1 would be left: "
        "raise platform.replicas, or lower it"
    ]


def test_a_deadline_that_cannot_be_kept_is_refused(section, arguments, errors):
    section["deadline_s"], arguments["lease_s"] = 30, 20
    assert errors() == ["extensions[0].deadline_s: is 30, the method's pauses alone take 33 s: raise it"]


@pytest.mark.parametrize("key", ["deadline_s", "blast_radius", "id", "family", "failure_mode", "workload", "expected"])
def test_what_a_drill_must_state_is_asked_for(section, errors, key):
    del section[key]
    assert any(text.startswith(f"extensions[0].{key}: missing") for text in errors())


def test_load_that_ends_before_the_method_is_refused(section, errors):
    section["workload"]["duration_s"] = 40
    assert errors() == [
        "extensions[0].workload.duration_s: is 40, warm-up and the method's pauses take 45 s: make it longer"
    ]


def test_a_window_longer_than_the_warm_up_is_warned_of(section, warnings):
    section["workload"]["warmup_s"] = 5
    assert warnings() == [
        "extensions[0].workload.warmup_s: is 5, a probe looks 10 s back before the method: make it longer"
    ]


def test_a_window_longer_than_the_calm_is_warned_of(experiment, warnings):
    experiment["method"][1]["pauses"]["after"] = 6
    assert warnings() == [
        "method[1].pauses: 6 s of calm follow the recovery, a probe looks 10 s back and sees the fault: "
        "pause longer, or shorten the window"
    ]


def test_the_default_window_counts_as_well(experiment, probe, warnings):
    experiment["method"][1]["pauses"]["after"] = 6
    for activity in experiment["steady-state-hypothesis"]["probes"]:
        activity["provider"].get("arguments", {}).pop("window_s", None)
    assert any("a probe looks 10 s back" in text for text in warnings())


def test_a_method_without_a_fault_of_ours_is_void(experiment, section, warnings):
    del experiment["method"][0]
    section["blast_radius"] = {"max_replicas": 0, "min_healthy": 2}
    (said,) = warnings()
    assert said.startswith("method: no action of sre.chaos.actions: nothing is proven")


def test_a_hypothesis_on_processes_only_is_warned_of(experiment, warnings):
    experiment["steady-state-hypothesis"]["probes"] = experiment["steady-state-hypothesis"]["probes"][-1:]
    assert any("the hypothesis looks at processes only" in text for text in warnings())


def test_a_family_of_other_faults_is_warned_of(section, warnings):
    section["family"] = "network"
    assert warnings() == ["extensions[0].family: is network, its faults are of replica: write one of those"]


def test_a_fault_that_needs_an_autoscaler_gets_one(fault, section, errors):
    from sre.chaos.faults.catalogue import fault_class

    if "autoscaler" not in fault_class("autoscaler-down").needs:
        pytest.skip("autoscaler-down states no needs")
    fault["provider"] |= {"func": "stop_autoscaler", "arguments": {"lease_s": 30}}
    section["blast_radius"] = {"max_replicas": 0, "min_healthy": 2, "components": ["autoscaler"]}
    assert any("autoscaler-down needs autoscaler: name a policy in `platform.autoscale`" in text for text in errors())


def test_a_preemption_needs_a_lease_longer_than_its_notice(fault, errors):
    fault["provider"] |= {"func": "preempt_replica", "arguments": {"lease_s": 5, "notice_s": 8}}
    assert errors() == [
        "method[0].provider.arguments.lease_s: is 5, so it is undone before its notice of 8 s ends: "
        "make the lease longer"
    ]


@pytest.mark.parametrize(
    ("func", "component"), [("crash_gateway", "gateway"), ("freeze_metrics", "recorder"), ("fill_disk", "recorder")]
)
def test_a_guard_that_would_abort_what_it_cannot_see_is_told(fault, section, checked, warnings, func, component):
    from sre.chaos.faults.by_action import FAULT_OF_ACTION
    from sre.chaos.faults.catalogue import fault_class

    fault["provider"] |= {"func": func, "arguments": {"lease_s": 30}}
    section["family"] = fault_class(FAULT_OF_ACTION[func]).family
    section["blast_radius"] = {"max_replicas": 0, "min_healthy": 2, "components": [component]}
    (said,) = warnings()
    assert said.startswith("extensions[0].guard.metrics_may_vanish: missing: ")
    section["guard"] = {"metrics_may_vanish": True}
    assert checked().findings == ()


def test_a_fault_that_the_platform_has_not_is_refused(experiment, fault, section, errors, checked):
    fault["provider"] |= {"func": "break_dns", "arguments": {"lease_s": 30}}
    section["family"] = "network"
    assert errors() == ["method[0]: dns-failure is for kubernetes only, `platform` is 'local': name that platform"]
    experiment["configuration"]["platform"] = "kubernetes"
    assert checked().findings == ()


def test_a_fault_is_made_as_its_platform_has_it(experiment, fault, section, errors):
    experiment["configuration"]["platform"] = "kubernetes"
    fault["provider"] |= {"func": "partition_replica", "arguments": {"lease_s": 30, "direction": "sideways"}}
    section["family"] = "network"
    assert any("network-partition: direction is 'sideways'" in text for text in errors())


@pytest.fixture
def on_prometheus(fault, section):
    fault["provider"] |= {"func": "freeze_metrics", "arguments": {"lease_s": 30, "target": "prometheus"}}
    section["family"] = "telemetry"
    section["blast_radius"] = {"max_replicas": 0, "min_healthy": 2, "components": ["prometheus"]}


def test_a_fault_of_prometheus_needs_one(on_prometheus, section, errors, checked):
    assert errors() == ["method[0]: metrics-stale needs prometheus: write `prometheus: true` in `platform`"]
    section["platform"]["prometheus"] = True
    assert checked().findings == ()


def test_a_prometheus_that_does_not_run_is_not_hit(fault, section, checked, errors):
    fault["provider"] |= {"func": "falsify_metrics", "arguments": {"lease_s": 30}}
    section["family"] = "telemetry"
    section["blast_radius"] = {"max_replicas": 0, "min_healthy": 2, "components": ["recorder"]}
    assert errors() == ["method[0]: prometheus is hit, blast_radius.components does not name it: add it there"]
    section["platform"]["prometheus"] = False
    assert checked().findings == ()
