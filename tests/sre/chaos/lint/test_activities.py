"""Probes and actions."""

import pytest


@pytest.mark.parametrize("key", ["name", "type", "provider"])
def test_an_activity_has_a_name_a_type_and_a_provider(fault, errors, key):
    del fault[key]
    assert any(text.startswith(f"method[0].{key}: missing") for text in errors())


@pytest.mark.parametrize("activity", ["crash", 3, None, [], {}])
def test_an_activity_is_a_mapping(experiment, errors, activity):
    experiment["method"].append(activity)
    assert any("method[2]" in text for text in errors())


def test_an_action_in_the_hypothesis_has_no_reading(probe, errors):
    probe["type"] = "action"
    assert "steady-state-hypothesis.probes[0].type: is 'action': write `probe`, an action has no reading" in errors()


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, [3], "soon", "${nowhere}", 1e9])
def test_a_pause_that_cannot_be_slept_is_refused(fault, errors, value):
    fault["pauses"] = {"before": value}
    assert any(text.startswith("method[0].pauses.before: is ") for text in errors())


def test_a_pause_may_come_from_the_configuration(experiment, fault, checked, errors):
    fault["pauses"] = {"before": "${calm_s}"}
    experiment["configuration"]["calm_s"] = {"type": "env", "key": "CALM_S", "default": 8, "env_var_type": "float"}
    assert checked().findings == ()
    experiment["configuration"]["calm_s"] = "8"
    assert any("pauses.before: is '${calm_s}'" in text for text in errors())


def test_misspelt_pauses_are_refused(fault, errors):
    fault["pauses"] = {"befor": 8}
    assert any("method[0].pauses.befor: unknown key: did you mean `before`?" in text for text in errors())


@pytest.mark.parametrize("key", ["timeout", "dry", "secrets", "configuration"])
def test_a_key_that_chaos_toolkit_reads_over_is_refused_with_the_reason(fault, errors, key):
    fault[key] = "probes" if key == "dry" else 3
    (said,) = errors()
    assert said.startswith(f"method[0].{key}: Chaos Toolkit ignores it here: ")


def test_a_tolerance_outside_the_hypothesis_is_judged_by_nobody(experiment, probe, warnings):
    experiment["method"].append(dict(probe))
    assert any("method[2].tolerance: nobody judges it here" in text for text in warnings())


def test_a_fault_in_the_background_is_refused(fault, errors):
    fault["background"] = True
    assert any(text.startswith("method[0].background: a fault must be proven") for text in errors())


def test_healing_in_the_background_is_refused(experiment, errors):
    experiment["rollbacks"][0]["background"] = True
    assert any(text.startswith("rollbacks[0].background: what follows must see") for text in errors())


def test_another_background_activity_is_warned_of(experiment, warnings):
    experiment["method"].insert(0, look() | {"background": True})
    assert any(text.startswith("method[0].background: nobody waits") for text in warnings())


@pytest.mark.parametrize("value", ["yes", 1])
def test_background_is_true_or_false(experiment, errors, value):
    experiment["method"].append(look() | {"background": value})
    assert any(text.startswith("method[2].background: is ") for text in errors())


def test_a_reference_names_an_activity(experiment, checked, errors):
    experiment["rollbacks"].append({"ref": "wait until it serves again"})
    assert checked().findings == ()
    experiment["rollbacks"].append({"ref": "wait until it serve again"})
    assert errors() == [
        "rollbacks[2].ref: no activity is named 'wait until it serve again': did you mean `wait until it serves again`?"
    ]


def test_a_reference_says_nothing_else(experiment, errors):
    experiment["method"].append({"ref": "wait until it serves again", "name": "again"})
    assert any(text.startswith("method[2].name: unknown key") for text in errors())


def test_a_rollback_cannot_be_referred_to(experiment, errors):
    experiment["method"].append({"ref": "every replica serves, no fault is open"})
    assert any(text.startswith("method[2].ref: no activity is named") for text in errors())


def test_a_reference_in_the_hypothesis_has_the_tolerance_of_its_own(experiment, probe, checked, errors):
    experiment["method"].append({key: value for key, value in probe.items() if key != "tolerance"} | {"name": "look"})
    probes = experiment["steady-state-hypothesis"]["probes"]
    probes.append({"ref": "look", "tolerance": [0.99, 1.0]})
    assert checked().findings == ()
    probes.append({"ref": "look"})
    probes.append({"ref": "crash the busiest replica", "tolerance": True})
    found = errors()
    assert found[0].startswith("steady-state-hypothesis.probes[4].tolerance: missing")
    assert found[1].startswith("steady-state-hypothesis.probes[5].ref: 'crash the busiest replica' is an action")


def look():
    return {
        "type": "probe",
        "name": "look",
        "provider": {"type": "python", "module": "sre.chaos.probes", "func": "healthy_replicas"},
    }
