"""What the lint says a fault will hit, is what its plan hits."""

import inspect
from dataclasses import fields

import pytest

from sre.chaos import actions
from sre.chaos.faults.by_action import FAULT_OF_ACTION, HEALING_ACTION, fault_of, heals
from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.chaos.faults.footprint import footprint

REPLICAS = 5
PARTS = ("gateway", "recorder", "prometheus", "autoscaler")
PARAMETERS = {
    "traffic-surge": {"rate_rps": 1.0},
    "metrics-down": {"target": "recorder"},
    "network-partition": {"how": "proxy"},
    "memory-pressure": {"memory_mb": 1},
    "autoscaler-thrash": {"high": 8},
}
NOT_LOCAL = {"dns-failure"}


def parameters(function):
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("lease_s", "configuration")
    }


@pytest.fixture
def crowd(platform):
    """A platform with more of everything than a plan could hit."""
    cls = type(platform)
    found = cls(platform.state_dir, platform.clock, replicas=REPLICAS, parts=PARTS)
    found.load = {"llm-0": 1}
    return found


@pytest.mark.parametrize("name", [name for name in fault_names() if name not in NOT_LOCAL])
def test_the_plan_hits_no_more_than_was_said(crowd, name):
    fault = fault_class(name)(**PARAMETERS.get(name, {}))
    plan = fault.plan(crowd)
    said = footprint(fault, replicas=REPLICAS)
    count = len(plan.replicas) if plan.at_most is None else plan.at_most
    assert count == len(said.named) + said.chosen
    assert set(plan.components) <= set(said.components)


def test_replicas_known_by_name_are_said_by_name():
    crash = fault_class("replica-crash")(replica="llm-2")
    assert footprint(crash, replicas=3).named == ("llm-2",)
    assert footprint(fault_class("zone-loss")(replicas=["llm-0", "llm-1"]), replicas=3).named == ("llm-0", "llm-1")


def test_every_fault_has_an_action_and_every_action_a_fault():
    assert set(FAULT_OF_ACTION) == set(actions.__all__) - {HEALING_ACTION}
    assert set(FAULT_OF_ACTION.values()) == set(fault_names())


@pytest.mark.parametrize("name", FAULT_OF_ACTION)
def test_the_action_injects_the_fault_it_is_known_for(name, monkeypatch):
    function = getattr(actions, name)
    asked = []
    monkeypatch.setattr(
        inspect.getmodule(function), "injected", lambda fault, params, **_: asked.append((fault, params)) or {}
    )
    function(lease_s=1.0)
    ((fault, params),) = asked
    assert fault == FAULT_OF_ACTION[name]
    assert set(params) == set(parameters(function))


@pytest.mark.parametrize("name", FAULT_OF_ACTION)
def test_an_action_has_its_faults_parameters_with_their_defaults(name):
    function, cls = getattr(actions, name), fault_class(FAULT_OF_ACTION[name])
    known = {field.name: field.default for field in fields(cls)}
    for parameter, given in parameters(function).items():
        assert parameter in known
        assert given.default in (known[parameter], None), parameter


@pytest.mark.parametrize("name", FAULT_OF_ACTION)
def test_an_action_takes_its_lease_first_and_says_what_it_does(name):
    function = getattr(actions, name)
    first = next(iter(inspect.signature(function).parameters.values()))
    assert (first.name, first.default) == ("lease_s", inspect.Parameter.empty)
    assert "configuration" in inspect.signature(function).parameters
    assert len(inspect.getdoc(function) or "") > 20


def test_functions_of_others_inject_nothing():
    assert fault_of("somebody.else", "crash_replica") is None
    assert fault_of("sre.chaos.actions.replica", "crash_replica") == "replica-crash"
    assert not heals("somebody.else", "heal_faults")
