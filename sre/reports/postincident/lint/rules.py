"""The rules. Each takes a reading and yields how much of its weight is lost, why, and how to mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre.reports.formats import plural
from sre.reports.postincident.lint.blame import blame
from sre.reports.postincident.lint.model import Reading

Loss = tuple[float, str, str]
"""Share of the weight, what is wrong, how to mend it."""
_NOTHING: Loss = (1.0, "the report says nothing", "give it the sections of a post-incident report")
_NUMBER = re.compile(r"(?<![\w:-])\d[\d,.]*(?![\w:-]*\d*:\d)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?|\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d[\d.,]*\s*(?:ms|s|sec|seconds?|min|minutes?|h|hours?|days?)\b|\d{1,2}:\d{2}", re.I)
_MONEY = re.compile(r"[$€£]\s?\d|\d[\d.,]*\s?(?:USD|EUR|GBP|dollars|euros)\b|\b(?:USD|EUR|GBP)\s?\d", re.I)
_UNKNOWN = re.compile(r"^\W*(?:n/a|tbd|todo|unknown|not known|to be determined|under investigation)\b", re.I)
_ALERT = re.compile(r"\balert|\bpage[sd]?\b|\bpaged\b|\bmonitor", re.I)
_NOTICED = re.compile(r"\bnotic|\bdetect|\bsaw\b|\breported\b|\bfound\b", re.I)


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    weight: float
    check: Callable[[Reading], Iterator[Loss]]


def _summary(r: Reading) -> Iterator[Loss]:
    if not r.summary:
        yield 1.0, "there is no summary", "begin with three sentences: what happened, what users lost, how it ended"
    elif len(r.summary) != 3:
        said = plural(len(r.summary), "sentence")
        yield 0.5, f"the summary has {said}, not three", "one each: what happened, what users lost, how it ended"


def _impact(r: Reading) -> Iterator[Loss]:
    mend = "say how many requests, users or minutes, and of how many"
    if r.impact is None:
        yield 1.0, "there is no section on impact", mend
        return
    found = len(_NUMBER.findall(_CLOCK.sub("", r.impact)))
    if found < 2:
        yield (1.0 if found == 0 else 0.5), f"impact holds {plural(found, 'number')}", mend


def _detection(r: Reading) -> Iterator[Loss]:
    if r.detection is None or not r.detection.strip():
        yield 1.0, "detection is not discussed", "say who or what noticed it, how long after, and what the alert did"
        return
    if not _NOTICED.search(r.detection) or not (_TIME.search(r.detection) or "nothing" in r.detection.lower()):
        yield 0.5, "it is not said who noticed it and how long after", "name the gap from the first harm to the notice"
    if not _ALERT.search(r.detection):
        yield 0.5, "it is not said whether an alert fired or would have", "name the alert, or that there is none"


def _trigger(r: Reading) -> Iterator[Loss]:
    mend = "name what began it and what made it worse, each with its evidence"
    if r.causes is None or not r.causes.strip():
        yield 1.0, "no trigger or cause is named", mend
    elif _UNKNOWN.search(r.causes.strip().splitlines()[0]):
        yield 0.7, "the trigger is not known", mend


def _timeline(r: Reading) -> Iterator[Loss]:
    if not r.rows:
        yield 1.0, "there is no timeline", "one row an event, with its time and a link to its record"
        return
    bare = [text for text, has_evidence in r.rows if not has_evidence]
    if bare:
        text = f"{len(bare)} of {plural(len(r.rows), 'row')} without evidence, first: {bare[0][:60]}"
        yield len(bare) / len(r.rows), text, "link each row to a record: file:line, query, dashboard, message"


def _lessons(r: Reading) -> Iterator[Loss]:
    parts = (("worked", "what worked"), ("failed", "what did not"), ("lucky", "where you were lucky"))
    missing = [words for part, words in parts if part not in r.lessons]
    if missing:
        yield len(missing) / 3, f"nothing on {', '.join(missing)}", "write what was learnt, also from what went well"


def _actions(r: Reading) -> Iterator[Loss]:
    if not r.actions:
        yield 1.0, "there are no actions", "what will be done so that it hurts less next time, by whom, until when"
        return
    for share, name, without in (
        (0.6, "owner", [a for a in r.actions if not a.owner]),
        (0.4, "due date", [a for a in r.actions if not a.due]),
    ):
        if without:
            text = (
                f"{len(without)} of {plural(len(r.actions), 'action')} without {name}, first: {without[0].title[:60]}"
            )
            yield share * len(without) / len(r.actions), text, f"give each action one {name}: sre incident item"


def _cost(r: Reading) -> Iterator[Loss]:
    mend = "state what it cost, or that nobody knows and why: sre cost incident"
    if r.cost is None or not r.cost.strip():
        yield 1.0, "cost is missing", mend
    elif not _MONEY.search(r.cost):
        yield 0.5, "the section on cost holds no amount", mend


def _reasons(r: Reading) -> Iterator[Loss]:
    if r.says_nothing:
        yield _NOTHING
    elif r.unexplained:
        first = r.unexplained[0]
        text = f"{plural(len(r.unexplained), 'n/a')} without a reason, first: {first.where}: {first.text[:60]}"
        yield min(1.0, len(r.unexplained) / 4), text, "say beside each n/a why it is not known"


def _questions(r: Reading) -> Iterator[Loss]:
    if r.says_nothing:
        yield _NOTHING
    elif r.questions is None:
        yield 0.5, "there is no section on open questions", "list what is not known yet, or say that nothing is open"
    elif r.questions:
        text = f"{plural(len(r.questions), 'question')} open, first: {r.questions[0][:70]}"
        yield min(1.0, len(r.questions) / 20), text, "answer them, or make an action of each that matters"


def _approvals(r: Reading) -> Iterator[Loss]:
    if not r.approvals:
        yield 1.0, "nobody has approved it", "let the SRE lead, security and finance sign it"
        return
    unsigned = [role for role, is_signed in r.approvals if not is_signed]
    if unsigned:
        share = len(unsigned) / len(r.approvals)
        yield share, f"not signed by {', '.join(unsigned)}", "let them read it and say so"


def _blame(r: Reading) -> Iterator[Loss]:
    if r.says_nothing:
        yield _NOTHING
    for line, words, mend in blame(r.text):
        yield 0.34, f"{line.where}: '{words}'", mend


RULES = (
    Rule("summary", 10, _summary),
    Rule("impact", 10, _impact),
    Rule("detection", 8, _detection),
    Rule("trigger", 10, _trigger),
    Rule("timeline-evidence", 10, _timeline),
    Rule("lessons", 8, _lessons),
    Rule("actions", 12, _actions),
    Rule("cost", 6, _cost),
    Rule("reasons", 6, _reasons),
    Rule("open-questions", 4, _questions),
    Rule("approvals", 6, _approvals),
    Rule("blameless", 10, _blame),
)
