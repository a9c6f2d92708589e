"""When the hypothesis is looked at, when the rollbacks are played."""

import pytest


@pytest.mark.parametrize("value", ["default", "deviated", "never", True, 3])
def test_rollbacks_are_always_played(experiment, errors, value):
    experiment["runtime"]["rollbacks"]["strategy"] = value
    assert any("runtime.rollbacks.strategy: is" in text and "write `always`" in text for text in errors())


@pytest.mark.parametrize("runtime", [{}, {"rollbacks": {}}, {"hypothesis": {"strategy": "default"}}])
def test_it_must_be_said_because_it_is_not_the_default(experiment, errors, runtime):
    experiment["runtime"] = runtime
    assert any(text.startswith("runtime.rollbacks") and "missing" in text for text in errors())


@pytest.mark.parametrize("value", ["default", "continuously"])
def test_the_hypothesis_is_looked_at_before_and_after(experiment, checked, value):
    experiment["runtime"]["hypothesis"] = {"strategy": value}
    assert checked().findings == ()


@pytest.mark.parametrize("value", ["continuous", "continously"])
def test_continuous_is_spelt_continuously(experiment, errors, value):
    experiment["runtime"]["hypothesis"] = {"strategy": value}
    assert errors() == [f"runtime.hypothesis.strategy: is '{value}', which Chaos Toolkit refuses: write `continuously`"]


@pytest.mark.parametrize("value", ["before-method-only", "after-method-only", "during-method-only", "skip"])
def test_a_strategy_that_looks_once_proves_nothing(experiment, errors, value):
    experiment["runtime"]["hypothesis"] = {"strategy": value}
    assert "not looked at both before and after" in errors()[0]


def test_a_misspelt_strategy_is_answered_with_the_right_one(experiment, errors):
    experiment["runtime"] |= {"hypothesis": {"strategy": "defalt"}, "rolbacks": {}}
    assert errors() == [
        "runtime.hypothesis.strategy: is 'defalt': did you mean `default`?",
        "runtime.rolbacks: unknown key: did you mean `rollbacks`?",
    ]


def test_settings_beside_the_strategy_are_unknown(experiment, errors):
    experiment["runtime"]["hypothesis"] = {"strategy": "default", "frequency": 2}
    assert errors()[0].startswith("runtime.hypothesis.frequency: unknown key")
