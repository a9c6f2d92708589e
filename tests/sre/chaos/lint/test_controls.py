"""Controls, which Chaos Toolkit drops without a word."""

import pytest

from sre.chaos.experiment import missing_controls


@pytest.fixture
def control(experiment):
    return experiment["controls"][0]


def test_a_file_without_our_control_is_refused(experiment, errors):
    experiment["controls"] = []
    assert errors() == ["controls: none is sre.chaos.control, without which no fault is applied: add it"]


def test_our_control_below_an_activity_sees_too_little(experiment, fault, errors):
    fault["controls"] = experiment.pop("controls")
    assert any("none is sre.chaos.control" in text for text in errors())


def test_a_control_that_cannot_be_imported_is_refused_wherever_it_stands(experiment, fault, errors, tmp_path):
    gone = {"name": "gone", "provider": {"type": "python", "module": "no_such_module"}}
    fault["controls"] = [gone]
    experiment["steady-state-hypothesis"]["controls"] = [gone]
    found = errors()
    assert any(text.startswith("method[0].controls[0].provider.module: cannot be imported") for text in found)
    assert any(text.startswith("steady-state-hypothesis.controls[0].provider.module: cannot") for text in found)
    assert missing_controls(tmp_path / "experiment.yaml") == ("no_such_module",)


@pytest.mark.parametrize("key", ["name", "provider"])
def test_a_control_has_a_name_and_a_provider(control, errors, key):
    del control[key]
    assert any(text.startswith(f"controls[0].{key}: missing") for text in errors())


@pytest.mark.parametrize("key", ["type", "module"])
def test_its_provider_is_a_python_module(control, errors, key):
    del control["provider"][key]
    assert any(text.startswith(f"controls[0].provider.{key}: missing") for text in errors())


@pytest.mark.parametrize(("key", "value"), [("scope", "before"), ("automatic", False)])
def test_our_control_sees_the_whole_run(control, errors, key, value):
    control[key] = value
    assert any(text.startswith(f"controls[0].{key}: sre.chaos.control must see") for text in errors())


def test_a_control_that_only_refers_is_refused_as_chaos_toolkit_does(experiment, fault, errors):
    fault["controls"] = [{"ref": "platform is up and watched"}]
    assert any("controls[0].ref: Chaos Toolkit refuses a control that only refers" in text for text in errors())


def test_a_module_without_control_functions_does_nothing(experiment, errors):
    experiment["controls"].append({"name": "nothing", "provider": {"type": "python", "module": "json"}})
    assert any("controls[1].provider.module: holds no control" in text for text in errors())


def test_arguments_that_a_control_does_not_take_would_silence_it(experiment, errors, tmp_path, monkeypatch):
    (tmp_path / "own_control.py").write_text("def before_method_control(context, limit):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    provider = {"type": "python", "module": "own_control", "arguments": {"limt": 3}}
    experiment["controls"].append({"name": "own", "provider": provider})
    (said,) = errors()
    assert said.startswith("controls[1].provider.arguments: before_method_control: ")
    provider["arguments"] = {"limit": 3}
    assert errors() == []


@pytest.mark.parametrize("controls", ["x", {"a": 1}, 3, [3], ["x"], [{}]])
def test_controls_are_a_list_of_mappings(fault, errors, controls):
    fault["controls"] = controls
    assert any(text.startswith("method[0].controls") for text in errors())
