"""Python providers."""

import pytest


@pytest.mark.parametrize("key", ["module", "func"])
def test_a_function_has_a_module_and_a_name(fault, errors, key):
    del fault["provider"][key]
    assert any(text.startswith(f"method[0].provider.{key}: missing") for text in errors())


def test_a_module_that_cannot_be_imported_says_why(fault, errors):
    fault["provider"]["module"] = "no_such_module"
    assert (
        "method[0].provider.module: cannot be imported (ModuleNotFoundError: No module named 'no_such_module'): "
        in (errors()[0])
    )


@pytest.mark.parametrize("body", ["raise RuntimeError('at import\\nmore')", "import sys; sys.exit(3)", "1 +"])
def test_a_module_that_fails_at_import_is_one_line(fault, errors, tmp_path, monkeypatch, body):
    name = f"failing_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    fault["provider"]["module"] = name
    assert any("method[0].provider.module: cannot be imported (" in text for text in errors())


def test_a_misspelt_function_is_answered_with_the_right_one(fault, errors):
    fault["provider"]["func"] = "crash_replicas"
    assert any("has no function 'crash_replicas': did you mean `crash_replica`?" in text for text in errors())


def test_an_unknown_function_lists_the_known_ones(fault, errors):
    fault["provider"]["func"] = "xyz"
    (said,) = errors()
    assert "use one of" in said
    assert "heal_faults" in said


def test_a_class_is_no_function_to_chaos_toolkit(fault, errors):
    fault["provider"] |= {"module": "pathlib", "func": "Path", "arguments": {}}
    assert any("pathlib has no function 'Path'" in text for text in errors())


def test_a_misspelt_argument_is_answered_with_the_right_one(fault, errors):
    fault["provider"]["arguments"]["replicca"] = "any"
    (said,) = errors()
    assert "unexpected keyword argument 'replicca': did you mean `replica`?" in said


def test_a_missing_argument_is_named(fault, errors):
    del fault["provider"]["arguments"]["lease_s"]
    (said,) = errors()
    assert "missing a required argument: 'lease_s': crash_replica takes lease_s, replica, seed" in said


@pytest.mark.parametrize("name", ["configuration", "secrets"])
def test_what_chaos_toolkit_passes_itself_is_not_given(fault, errors, name):
    fault["provider"]["arguments"][name] = {}
    assert any(f"arguments.{name}: Chaos Toolkit passes its own: remove it" in text for text in errors())


@pytest.mark.parametrize(("value", "said"), [([30], "is a list"), ("x", "is 'x'"), (None, "is nothing")])
def test_arguments_are_a_mapping(experiment, errors, value, said):
    experiment["method"][1]["provider"]["arguments"] = value
    assert any(f"method[1].provider.arguments: {said}" in text for text in errors())


def test_the_timeout_of_a_function_is_ignored_by_chaos_toolkit(fault, errors):
    fault["provider"]["timeout"] = 3
    assert errors() == [
        "method[0].provider.timeout: Chaos Toolkit ignores the timeout of a function: "
        "give the function its own, e.g. `timeout_s`"
    ]


def test_secrets_are_named_in_the_file_and_taken_by_the_function(experiment, fault, errors, warnings):
    fault["provider"]["secrets"] = ["keys"]
    assert errors() == ["method[0].provider.secrets[0]: no secret is named 'keys': add it"]
    experiment["secrets"] = {"keys": {"one": {"type": "vault", "path": "x"}}}
    experiment["secrets"] = {"keys": {"one": "${from_outside}"}}
    assert any("crash_replica takes no secrets: remove it" in text for text in warnings())
