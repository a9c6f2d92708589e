"""The first level of a file: what must be there, and what may."""

import pytest


def test_the_shipped_experiment_has_nothing_wrong(checked):
    found = checked()
    assert found.findings == ()
    assert found.drill is not None


@pytest.mark.parametrize(
    "key",
    ["title", "description", "steady-state-hypothesis", "method", "rollbacks", "runtime", "extensions", "controls"],
)
def test_what_every_experiment_needs_is_asked_for(experiment, errors, key):
    del experiment[key]
    assert any(text.startswith(f"{key}: ") for text in errors())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("titel", "title"), ("rollback", "rollbacks"), ("steady_state_hypothesis", "steady-state-hypothesis")],
)
def test_a_misspelt_key_is_answered_with_the_right_one(experiment, errors, wrong, right):
    experiment[wrong] = experiment.pop(right)
    found = errors()
    assert f"{wrong}: unknown key: did you mean `{right}`?" in found
    assert any(text.startswith(f"{right}: missing") for text in found)


@pytest.mark.parametrize("key", ["configuration", "controls", "rollbacks", "runtime", "extensions", "method"])
def test_a_key_without_a_value_would_crash_chaos_toolkit(experiment, errors, key):
    experiment[key] = None
    assert any(text == f"{key}: is nothing: give it a value, or remove the key" for text in errors())


@pytest.mark.parametrize("key", ["method", "rollbacks"])
def test_empty_lists_are_refused(experiment, errors, key):
    experiment[key] = []
    assert f"{key}: is empty: write a list" in errors()


@pytest.mark.parametrize("value", ["a", 3, [1], {}, True])
@pytest.mark.parametrize("key", ["title", "method", "rollbacks", "runtime", "extensions", "tags"])
def test_a_value_of_the_wrong_kind_is_refused_and_nothing_crashes(experiment, errors, key, value):
    if (key, value) not in [("title", "a")]:
        experiment[key] = value
        assert any(text.startswith(key) for text in errors())


def test_every_fault_is_told_at_once(experiment, section, errors):
    experiment["titel"] = "x"
    section["clock_factor"] = 0
    experiment["method"][0]["type"] = "akshun"
    assert len(errors()) == 3


def test_dry_in_the_file_is_overwritten_by_chaos_toolkit(experiment, errors):
    experiment["dry"] = "actions"
    assert errors() == ["dry: Chaos Toolkit overwrites it: run with `chaos run --dry`"]


def test_tags_and_contributions_are_words(experiment, errors):
    experiment["tags"] = ["good", ""]
    experiment["contributions"] = {"reliability": "highest"}
    found = errors()
    assert found[0].startswith("tags[1]: is ''")
    assert found[1].startswith("contributions.reliability: is 'highest'")


def test_without_our_extension_there_is_no_drill(experiment, section, errors):
    section["name"] = "llm-gamday"
    assert errors() == ["extensions: none is named llm-gameday: did you mean `llm-gameday`?"]


def test_a_second_extension_of_ours_would_be_overlooked(experiment, section, errors):
    experiment["extensions"].append(dict(section))
    assert errors() == ["extensions[1]: a second llm-gameday: Chaos Toolkit takes the first: remove one"]


def test_extensions_of_others_are_left_alone(experiment, checked):
    experiment["extensions"].append({"name": "someone-else", "anything": {"goes": [1, 2]}})
    assert checked().findings == ()


def test_an_extension_without_a_name_is_refused_as_chaos_toolkit_does(experiment, errors):
    experiment["extensions"].append({"anything": 1})
    assert errors() == ["extensions[1].name: missing: Chaos Toolkit asks for a name"]
