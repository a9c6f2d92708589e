"""Whatever is cut from a passed run or put into it: judging never raises, and what matters passes unchanged only."""

import copy
import json
import math
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre.chaos.exit_codes import exit_code
from sre.chaos.leases.ledger import LedgerRecord
from sre.chaos.model import Verdict
from sre.chaos.verdict import Evidence, examine
from sre.chaos.verdict.document import to_document
from sre.chaos.verdict.junit import to_junit

GONE = object()
FIELDS = {"at", "event", "fault_id", "fault", "target", "detail"}
JUNK = (
    GONE,
    None,
    math.nan,
    math.inf,
    -1,
    0,
    7.5,
    True,
    False,
    "",
    "odd",
    "\x1b[31m",
    [],
    {},
    [None],
    [{}],
    {"run": []},
)
HARMLESS = re.compile(
    r"""
      journal\.(chaoslib-version|node|duration)
    | journal\.experiment\.(controls.*|dry|steady-state-hypothesis\.title)
    | journal\.experiment\.steady-state-hypothesis\.probes\.0\.tolerance.*
    | journal\.steady_states\.during
    | journal\..*\.(type|provider.*|start|end|proof)
    | journal\.(run|rollbacks)\.\d\.output(\.fault_id)?
    | ledger\.\d\.(fault|target|detail\.(pid|deadline_at|plan.*|waited_s|how|status|deviated))
    | ledger\.3.*                       # who undid it and when: its end is told as well
    | ledger\.[24]\.detail              # any words for the proof, any for the fault's end
    | ledger\.6\.detail\.title
    | ledger\.\d\.at                    # another time, but a time
    """,
    re.VERBOSE,
)
"""What may be another in a run that passed, or be missing. All else may not."""


def tree(a):
    """Both files of the passed run, as they are read."""
    ledger = [{name: getattr(record, name) for name in FIELDS} for record in a.ledger()]
    return json.loads(json.dumps({"journal": a.journal(), "ledger": ledger}))


def paths(node, at=()):
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield (*at, key)
        yield from paths(child, (*at, key))


def changed(whole, path, value):
    """A copy with one place replaced or cut out."""
    copied = copy.deepcopy(whole)
    node = copied
    for key in path[:-1]:
        node = node[key]
    if value is GONE:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return copied


def value_at(node, path):
    for key in path:
        node = node[key]
    return node


def examined(whole):
    journal, lines = whole.get("journal"), whole.get("ledger")
    whole_lines = (
        [line for line in lines if isinstance(line, dict) and set(line) <= FIELDS] if isinstance(lines, list) else []
    )
    records = [LedgerRecord(**{"at": 0.0, "event": "", **line}) for line in whole_lines]
    return examine(Evidence(journal if isinstance(journal, dict) else None, records, 0))


def same(one, other):
    """Whether it is no change: the same value, 1.0 as True, or a key cut out that is empty when it is not given."""
    other = "" if other is GONE else 1.0 if other is True and one == 1.0 and type(one) is float else other
    return type(one) is type(other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.fixture(scope="module")
def whole(a):
    return tree(a)


def test_the_unchanged_run_passes(whole):
    assert examined(whole).verdict == "passed"


def test_nothing_that_matters_can_be_changed_in_a_passed_run(whole):
    """Every place of both files, cut out or replaced by every kind of junk: some 3,000 runs that did not pass."""
    passed = [
        (".".join(map(str, path)), value)
        for path in paths(whole)
        for value in JUNK
        if not same(value_at(whole, path), value) and examined(changed(whole, path, value)).verdict == "passed"
    ]
    assert len({place for place, _ in passed}) > 20  # it is not blind: what does not matter passes
    assert [(place, value) for place, value in passed if not HARMLESS.fullmatch(place)] == []


def test_a_time_in_the_ledger_is_a_time(whole):
    for number in range(len(whole["ledger"])):
        for value in (None, math.nan, math.inf, True, "", [], {}):
            assert examined(changed(whole, ("ledger", number, "at"), value)).verdict == "error"


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_wreck_of_a_run_is_judged_and_written_down(whole, data):
    wreck = whole
    for _ in range(data.draw(st.integers(1, 6))):
        places = sorted(paths(wreck), key=repr)
        if not places:
            break
        wreck = changed(wreck, data.draw(st.sampled_from(places)), data.draw(st.sampled_from(JUNK)))
    examination = examined(wreck)
    assert examination.verdict in Verdict.__args__
    assert (examination.verdict == "passed") == (not examination.judgement.reasons)
    json.dumps(to_document(examination, files={}), allow_nan=False)
    to_junit(examination)
    exit_code(examination.verdict)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["run", "experiment", "steady_states", "status", "llm-gameday", "x"]), JSON))
@settings(max_examples=100, deadline=None)
def test_any_object_is_judged_and_none_passes(journal):
    assert examine(Evidence(journal, (), 0)).verdict != "passed"
