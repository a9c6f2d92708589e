"""What an experiment can write of a fault is what the fault knows, with the same defaults."""

import dataclasses
import inspect

import pytest

import sre.chaos.actions
from sre.chaos.faults.by_action import FAULT_OF_ACTION
from sre.chaos.faults.catalogue import fault_class

FAMILIES = ("host", "control-plane", "traffic", "capacity")
ACTIONS = [name for name, fault in FAULT_OF_ACTION.items() if fault != "dns-failure"]  # a cluster's alone
OURS = [name for name in ACTIONS if fault_class(FAULT_OF_ACTION[name]).family in FAMILIES]


def parameters_of(action):
    return inspect.signature(getattr(sre.chaos.actions, action)).parameters


def test_every_action_of_these_families_is_there():
    assert len(OURS) == 13
    assert set(OURS) <= set(sre.chaos.actions.__all__)


@pytest.mark.parametrize("action", OURS)
def test_an_action_has_the_parameters_of_its_fault_with_their_defaults(action):
    parameters = dict(parameters_of(action))
    assert next(iter(parameters)) == "lease_s"
    assert parameters.pop("lease_s").default is inspect.Parameter.empty
    assert parameters.pop("configuration").default is None
    fields = dataclasses.fields(fault_class(FAULT_OF_ACTION[action]))
    assert {name: p.default for name, p in parameters.items()} == {field.name: field.default for field in fields}


@pytest.mark.parametrize("action", OURS)
def test_an_action_hands_on_all_it_was_given(action, monkeypatch):
    module = inspect.getmodule(getattr(sre.chaos.actions, action))
    handed = {}
    monkeypatch.setattr(
        module, "injected", lambda name, params, **rest: handed.update(name=name, params=params, **rest)
    )
    given = {name: object() for name in parameters_of(action)}
    getattr(sre.chaos.actions, action)(**given)
    lease_s, configuration = given.pop("lease_s"), given.pop("configuration")
    name = FAULT_OF_ACTION[action]
    assert handed == {"name": name, "params": given, "lease_s": lease_s, "configuration": configuration}


@pytest.mark.parametrize("action", OURS)
def test_a_fault_says_what_it_does_and_what_should_protect_in_a_line_each(action):
    fault = fault_class(FAULT_OF_ACTION[action])
    for line in (fault.summary, fault.protects):
        assert 0 < len(line) < 100
        assert "\n" not in line
    assert fault.name == FAULT_OF_ACTION[action]
