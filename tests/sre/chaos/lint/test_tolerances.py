"""Tolerances, on which Chaos Toolkit crashes, or which no reading ever meets."""

import pytest

PROCESS = {"type": "process", "path": "true", "timeout": 5}
HTTP = {"type": "http", "url": "http://127.0.0.1:8400/healthz", "timeout": 5}
AT = "steady-state-hypothesis.probes[0].tolerance"


@pytest.fixture
def own_probes(tmp_path, monkeypatch):
    """Probes of somebody else: one says what it returns, one does not."""
    (tmp_path / "own_probes.py").write_text(
        "def said() -> str:\n    return 'ok'\n"
        "def yes() -> bool:\n    return True\n"
        "def unsaid():\n    return 1\n"
        "def judge(value, limit=3):\n    return value < limit\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return lambda func: {"type": "python", "module": "own_probes", "func": func}


@pytest.mark.parametrize("tolerance", [[0.99, 1.0], 1, {"type": "range", "range": [0, 1.5]}])
def test_a_number_may_be_within_a_range_or_be_one(probe, checked, tolerance):
    probe["tolerance"] = tolerance
    assert checked().findings == ()


def test_a_probe_without_tolerance_is_refused(probe, errors):
    del probe["tolerance"]
    assert errors() == [f"{AT}: missing: say which readings are good, e.g. a range"]


def test_a_bare_float_is_refused_as_chaos_toolkit_does(probe, errors):
    probe["tolerance"] = 0.99
    assert errors() == [f"{AT}: is 0.99, which Chaos Toolkit refuses: write a range, e.g. [0.99, 1.0]"]


def test_nothing_is_no_tolerance(probe, errors):
    probe["tolerance"] = None
    assert any(text.startswith(f"{AT}: is nothing") for text in errors())


@pytest.mark.parametrize("bounds", [[1.0, 0.99], [0.0, float("nan")], [0.0, float("inf")], [float("nan"), 1]])
@pytest.mark.parametrize("written", [lambda b: b, lambda b: {"type": "range", "range": b}])
def test_a_range_that_nothing_or_everything_meets_is_refused(probe, errors, bounds, written):
    probe["tolerance"] = written(bounds)
    assert "write a finite range, the lower bound first" in errors()[0]


@pytest.mark.parametrize("bounds", [["a", "b"], [True, False], [0, [1]], [None, 1]])
def test_bounds_are_numbers(probe, errors, bounds):
    probe["tolerance"] = bounds
    assert "write a number" in errors()[0]


def test_a_list_of_another_length_is_taken_for_values(probe, warnings):
    probe["tolerance"] = [1]
    assert any("is a list of 1, so each is one good reading" in text for text in warnings())


@pytest.mark.parametrize(
    ("tolerance", "said"),
    [
        (True, "is True, the reading is a number: it is never met"),
        ("1", "is text, the reading is a number: it is never met"),
        ({"type": "range", "range": 1}, "is 1: write [LOWEST, HIGHEST]"),
        ({"type": "range", "range": [1, 2, 3]}, "is a list of 3: write [LOWEST, HIGHEST]"),
        ({"type": "range"}, "range: missing"),
        ({"type": "range", "range": [0, 1], "target": "status"}, "target: the reading is a number, which has no parts"),
        ({"type": "rang", "range": [0, 1]}, "type: is 'rang': did you mean `range`?"),
        ({"range": [0, 1]}, "type: missing"),
        ({"type": "range", "range": [0, 1], "min": 0}, "min: unknown key"),
        ({"type": "regex", "pattern": "["}, "pattern: is no regular expression"),
        ({"type": "regex", "pattern": 3}, "pattern: is 3"),
        ({"type": "regex"}, "pattern: missing"),
        ({"type": "regex", "pattern": "1"}, "a regex takes text only, this reading is a number"),
        ({"type": "jsonpath", "path": ""}, "path: is ''"),
        ({"type": "jsonpath", "path": "$.a", "count": -1}, "count: is -1"),
        ({"type": "jsonpath"}, "path: missing"),
    ],
)
def test_what_cannot_be_compared_is_refused(probe, errors, tolerance, said):
    probe["tolerance"] = tolerance
    assert any(said in text for text in errors()), errors()


def test_a_json_path_needs_a_package_that_chaos_toolkit_does_not_bring(probe, errors):
    from chaoslib.hypothesis import HAS_JSONPATH

    probe["provider"], probe["tolerance"] = HTTP, {"type": "jsonpath", "path": "$.status"}
    found = errors()
    assert (found == []) == HAS_JSONPATH
    assert HAS_JSONPATH or "Install the `jsonpath2` package" in found[0]


def test_a_probe_as_tolerance_has_an_argument_for_the_reading(probe, errors, checked, own_probes):
    judge = own_probes("judge")
    probe["tolerance"] = {"type": "probe", "name": "below 3", "provider": judge}
    assert any(f"{AT}.provider.value: missing: add `value: null`" in text for text in errors())
    judge["arguments"] = {"limit": 5}
    assert any(f"{AT}.provider.arguments.value: missing: add `value: null`" in text for text in errors())
    judge["arguments"] = {"value": None}
    assert checked().findings == ()


def test_a_tolerance_that_is_an_action_is_refused(probe, errors, own_probes):
    judge = own_probes("judge") | {"arguments": {"value": None}}
    probe["tolerance"] = {"type": "probe", "name": "below 3", "provider": judge, "background": True}
    assert any(f"{AT}.background: Chaos Toolkit ignores it here" in text for text in errors())


@pytest.mark.parametrize(
    ("provider", "tolerance", "said"),
    [
        (PROCESS, True, "is True, the reading is a mapping"),
        (PROCESS, "ok", "is text, the reading is a mapping"),
        (HTTP, [200, "ok"], "[1]: is 'ok': write the good values of `status`"),
        (HTTP, {"type": "regex", "pattern": "ok"}, "target: missing: the reading is a mapping"),
        (HTTP, {"type": "regex", "pattern": "ok", "target": "status"}, "target: a regex takes text only"),
        (HTTP, {"type": "regex", "pattern": "ok", "target": "bdy"}, "target: is 'bdy': did you mean `body`?"),
        (HTTP, {"type": "range", "range": [0, 1], "target": "body"}, "target: a range crashes on what is no number"),
        (PROCESS, {"type": "range", "range": [0, 1]}, "target: missing"),
    ],
)
def test_processes_and_addresses_give_mappings(probe, errors, provider, tolerance, said):
    probe["provider"], probe["tolerance"] = provider, tolerance
    assert any(said in text for text in errors())


@pytest.mark.parametrize(
    ("provider", "tolerance"),
    [
        (HTTP, 200),
        (HTTP, [200, 204]),
        (HTTP, [204, 200]),
        (PROCESS, 0),
        (PROCESS, {"type": "regex", "pattern": "ok", "target": "stdout"}),
        (HTTP, {"type": "range", "range": [200, 299], "target": "status"}),
    ],
)
def test_the_status_of_a_mapping_is_compared(probe, checked, provider, tolerance):
    probe["provider"], probe["tolerance"] = provider, tolerance
    assert checked().findings == ()


@pytest.mark.parametrize(
    ("func", "tolerance"),
    [("said", "ok"), ("said", {"type": "regex", "pattern": "o."}), ("yes", True), ("unsaid", 1), ("unsaid", "ok")],
)
def test_a_function_that_says_what_it_returns_is_believed(probe, checked, own_probes, func, tolerance):
    probe["provider"], probe["tolerance"] = own_probes(func), tolerance
    assert checked().findings == ()


@pytest.mark.parametrize(("func", "tolerance"), [("said", 1), ("said", [0, 1]), ("yes", [0, 1]), ("yes", 1)])
def test_a_tolerance_of_another_kind_is_never_met(probe, errors, own_probes, func, tolerance):
    probe["provider"], probe["tolerance"] = own_probes(func), tolerance
    assert len(errors()) == 1


@pytest.mark.parametrize("tolerance", [[0, 1], {"type": "range", "range": [0, 1]}, {"type": "regex", "pattern": "a"}])
def test_a_function_that_does_not_say_is_warned_of(probe, warnings, own_probes, tolerance):
    probe["provider"], probe["tolerance"] = own_probes("unsaid"), tolerance
    (said,) = warnings()
    assert said.startswith(AT)
    assert "let the probe say `-> " in said
