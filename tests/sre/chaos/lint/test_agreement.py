"""What the lint accepts, Chaos Toolkit runs: mutated experiments, its own validation, and its own `chaos run`.

The run is the toolkit's command in this process, with probes, actions and the control replaced by quick ones that have
the same signatures. Whatever it raises beside an exit is a crash, and a crash plays no rollback.
"""

import copy
import functools
import logging
import math
import warnings
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sre.chaos.actions
import sre.chaos.control
import sre.chaos.probes
from sre.chaos.lint import check_experiment
from sre.chaos.lint.engine import ask_the_engine, engine_refusal

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # of a logging package it imports
    from chaostoolkit.cli import cli

SHIPPED = Path(__file__).parents[4] / "experiments" / "replica-crash.yaml"
ORIGINAL = yaml.safe_load(SHIPPED.read_text())
ODD = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        0.5,
        2,
        float("nan"),
        float("inf"),
        "",
        "x",
        "always",
        "continuously",
        "${platform}",
    ),
    *("${gone}", "default", "python", "process", "http", "probe", "action", "true", "http://127.0.0.1:1/", "unhealthy"),
    *([], [1], [0, 1], [0.0, 1.0], [1, 0], ["a", "b"], [0, None], {}, {"a": 1}, {"strategy": "continuously"}),
    {"type": "range", "range": [0, 1]},
    {"type": "regex", "pattern": "a"},
    {"type": "jsonpath", "path": "$"},
    {"type": "probe", "name": "t", "provider": {"type": "python", "module": "math", "func": "sqrt"}},
    {"type": "env", "key": "SRE_PLATFORM", "default": "3", "env_var_type": "int"},
    {"before": 1},
    {"ref": "wait until it serves again"},
    {"ref": "gone"},
)
KEYS = (
    *(
        "ref",
        "tolerance",
        "pauses",
        "background",
        "controls",
        "timeout",
        "dry",
        "secrets",
        "configuration",
        "arguments",
    ),
    *("target", "strategy", "runtime", "hypothesis", "range", "type", "value", "before", "after", "scope", "automatic"),
    *("window_s", "lease_s", "tags", "contributions", "default", "env_var_type", "url", "path", "name", "unheard-of"),
)

JUDGE = {"type": "python", "module": "fractions", "func": "Fraction"}
PROCESS = {"type": "process", "path": "true", "timeout": 3}
PLAUSIBLE = {
    "tolerance": (
        *([0.5, 1.5], [0, 3], 0, 1, 3, [1, 2, 3], [True], {"type": "range", "range": [0, 3]}, True, [3], []),
        *(
            {"type": "range", "range": [0, 3], "target": "status"},
            {"type": "regex", "pattern": "0", "target": "stdout"},
        ),
        *({"type": "range", "range": [True, 3]}, {"type": "probe", "name": "t", "provider": JUDGE}),
        {"type": "probe", "name": "t", "provider": PROCESS | {"arguments": ["value"]}},
    ),
    "pauses": ({"after": 3}, {"before": 0.5, "after": 1}, {"before": "${calm}"}, {"before": True}, {}),
    "background": (True, False),
    "controls": ([], [{"name": "own", "provider": {"type": "python", "module": "sre.chaos.control"}}]),
    "provider": (
        *(PROCESS, PROCESS | {"arguments": ["-x", 3]}, PROCESS | {"arguments": "-x"}, PROCESS | {"path": "false"}),
        *({"type": "http", "url": "http://127.0.0.1:1/", "timeout": 1}, {"type": "http", "url": "127.0.0.1:1"}),
        {"type": "python", "module": "sre.chaos.probes", "func": "healthy_replicas"},
        {"type": "python", "module": "sre.chaos.probes", "func": "goodput", "secrets": ["target"]},
    ),
    "ref": ("availability over 10 s", "wait until it serves again", "crash the busiest replica"),
    "configuration": ({"calm": 1}, {"calm": "1"}, {"calm": {"type": "env", "key": "C", "default": 2}}, {"calm": [1]}),
    "secrets": ({"target": {"a": "b"}}, {"target": {"a": {"b": "c"}}}, {"target": "a"}, {}),
    "runtime": (
        {"rollbacks": {"strategy": "always"}, "hypothesis": {"strategy": "continuously"}},
        {"rollbacks": {"strategy": "always"}, "hypothesis": {}},
        {"rollbacks": {"strategy": "always"}, "hypothesis": {"strategy": "continously"}},
    ),
    "contributions": ({"reliability": "high"}, {"reliability": 1}),
    "tags": ([], ["a"], [1]),
}


def places(value, path=()):
    """The path of everything in a document."""
    found = [path]
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


@st.composite
def mutated(draw):
    document = copy.deepcopy(ORIGINAL)
    for _ in range(draw(st.integers(1, 3))):
        draw(st.sampled_from((mutate, suggest, suggest)))(draw, document)
    return document


def suggest(draw, document):
    """Something that a person might write, right or wrong."""
    key = draw(st.sampled_from(sorted(PLAUSIBLE)))
    value = copy.deepcopy(draw(st.sampled_from(PLAUSIBLE[key])))
    if key in ("configuration", "secrets", "runtime", "contributions", "tags"):
        document[key] = value
        return
    parts = [document.get("steady-state-hypothesis"), document]
    lists = [part.get(name) for part in parts if isinstance(part, dict) for name in ("probes", "method", "rollbacks")]
    activities = [one for found in lists if isinstance(found, list) for one in found if isinstance(one, dict)]
    if not activities:
        return
    activity = draw(st.sampled_from(activities))
    if key == "ref":
        for known in tuple(activity):
            if known != "tolerance":
                del activity[known]
    activity[key] = value


def mutate(draw, document):
    path = draw(st.sampled_from(places(document)[1:]))
    parent = functools.reduce(lambda at, key: at[key], path[:-1], document)
    key = path[-1]
    how = draw(st.sampled_from(("replace", "remove", "add", "repeat", "rename")))
    if how == "replace":
        parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
    elif how == "remove":
        del parent[key]
    elif how == "repeat" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(parent[key]))
    elif isinstance(parent[key], dict):
        parent[key][draw(st.sampled_from(KEYS))] = copy.deepcopy(draw(st.sampled_from(ODD)))
    elif isinstance(parent, dict):
        parent[draw(st.sampled_from(KEYS))] = parent.pop(key)


def stand_in(function, result):
    @functools.wraps(function)
    def called(*_, **__):
        return result

    return called


def slept(seconds):
    """`time.sleep` refuses the same values, and takes no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{seconds!r} is no number of seconds")
    if seconds < 0 or math.isnan(seconds) or math.isinf(seconds):
        raise ValueError(f"{seconds!r} cannot be slept")


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Readings and actions without a platform."""
    for name in sre.chaos.probes.__all__:
        reading = 3 if name == "healthy_replicas" else 0 if name == "unhealthy_replicas" else 0.995
        monkeypatch.setattr(sre.chaos.probes, name, stand_in(getattr(sre.chaos.probes, name), reading))
    for name in sre.chaos.actions.__all__:
        monkeypatch.setattr(sre.chaos.actions, name, stand_in(getattr(sre.chaos.actions, name), {}))
    for name in ("before_experiment_control", "after_experiment_control"):
        monkeypatch.setattr(sre.chaos.control, name, stand_in(getattr(sre.chaos.control, name), None))
    for hook in sre.chaos.control.__all__:
        monkeypatch.setattr(sre.chaos.control, hook, stand_in(getattr(sre.chaos.control, hook), None))
    monkeypatch.setattr("chaoslib.activity.time.sleep", slept)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SRE_PLATFORM", raising=False)
    yield tmp_path
    logging.getLogger("chaostoolkit").handlers.clear()


def crash_of(path):
    """What `chaos run` ends with beside an exit code; None when it ends as it should."""
    settings_file = path.with_name("settings.yaml")
    arguments = ["--no-version-check", "--no-log-file", "--settings", str(settings_file), "run", str(path)]
    done = CliRunner().invoke(cli, arguments)
    return None if done.exception is None or isinstance(done.exception, SystemExit) else done.exception


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(mutated())
def test_what_the_lint_accepts_chaos_toolkit_runs(quick, document):
    path = quick / "experiment.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    checked = check_experiment(path)
    if checked.errors:
        return
    assert engine_refusal(checked) is None
    crash = crash_of(path)
    assert crash is None, repr(crash)
    assert (quick / "journal.json").exists()


RAW = (
    *("yes", "on", "~", "2001-01-01", "0o7", "1_000", ".nan", "-.inf", "!!binary aGk=", "012", "1:30", "!!set {a}"),
    *(
        "!!str 3",
        "!!int '3'",
        "!!float 3",
        "'3'",
        "{on: 1}",
        "{1: 2}",
        "{<<: {type: range}}",
        "[yes, no]",
        "|\n",
        "1e3",
    ),
    *("&a 3", "{? [a] : b}", '"\\ud83d\\ude00"', "\u2028", "{y: 2, window_s: 3}", "!!timestamp 2001-01-01", "0x1F"),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.data())
def test_what_yaml_makes_of_words_is_the_same_for_both(quick, data):
    lines = SHIPPED.read_text().splitlines()
    valued = [n for n, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("#")]
    number = data.draw(st.sampled_from(valued))
    key = lines[number].partition(": ")[0]
    lines[number] = f"{key}: {data.draw(st.sampled_from(RAW))}"
    path = quick / "experiment.yaml"
    path.write_text("\n".join(lines) + "\n")
    checked = ask_the_engine(check_experiment(path))
    assert checked.errors or crash_of(path) is None


def test_the_shipped_experiment_runs(quick):
    path = quick / "experiment.yaml"
    path.write_text(SHIPPED.read_text())
    assert crash_of(path) is None
    assert '"status": "completed"' in (quick / "journal.json").read_text()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("runtime", "hypothesis"), {"strategy": "continuous"}),
        (("runtime", "rollbacks"), None),
        (("rollbacks", 0), {"ref": "gone"}),
        (("steady-state-hypothesis", "probes", 0, "tolerance"), {"type": "regex", "pattern": "a"}),
        (("steady-state-hypothesis", "probes", 0, "pauses"), None),
        (("configuration",), None),
        (("configuration", "n"), {"type": "env", "key": "N", "default": "x", "env_var_type": "int"}),
        (("method", 1, "provider", "arguments"), None),
    ],
)
def test_the_harness_sees_the_crashes_that_the_lint_prevents(quick, path, value):
    document = copy.deepcopy(ORIGINAL)
    functools.reduce(lambda at, key: at[key], path[:-1], document)[path[-1]] = value
    file = quick / "experiment.yaml"
    file.write_text(yaml.safe_dump(document))
    assert crash_of(file) is not None
    assert check_experiment(file).errors


def test_what_only_chaos_toolkit_refuses_is_a_finding(quick, monkeypatch):
    path = quick / "experiment.yaml"
    path.write_text(SHIPPED.read_text())
    checked = check_experiment(path)
    monkeypatch.setattr("sre.chaos.lint.engine.engine_refusal", lambda _: "no such luck")
    (finding,) = ask_the_engine(checked).findings
    assert finding.text == f"{path}: Chaos Toolkit refuses it (no such luck): see `chaos validate`"


def test_a_refusal_of_chaos_toolkit_is_one_line(quick):
    path = quick / "experiment.yaml"
    path.write_text("title: x\n")
    assert engine_refusal(check_experiment(path)) == "experiment requires a description"
