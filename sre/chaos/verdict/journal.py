"""Chaos Toolkit's journal as typed values. Pure, and never raises: what is not as it must be is named in `malformed`.

A journal may come from anywhere, cut, edited or of another version. A field that cannot be read is never taken for a
good one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sre.chaos.runs.failing import OURS

Json = Mapping[str, Any]
CONTINUOUS = frozenset({"continuously", "continously", "during-method-only"})
AFTER_ROLLBACKS = "steady_after_rollbacks"
"""Our control's key: `status` as the toolkit had it, `verdict`, `reasons`, `problems`; absent when the run passed."""
_FAILED = "chaoslib.exceptions.ActivityFailed: "


@dataclass(frozen=True, slots=True)
class Declared:
    """An activity as the experiment states it; `module` is empty unless a Python function is called, `tolerance` is of
    probes of the steady state.
    """

    name: str
    kind: str = ""
    module: str = ""
    func: str = ""
    tolerance: Any = None


@dataclass(frozen=True, slots=True)
class Played:
    """One activity as it went. `status` is None when it was cut short; `said` is the last line of its exception.

    `tolerance_met` is of probes of the steady state. Times are Unix seconds.
    """

    what: Declared
    status: str | None
    output: Any
    said: str
    started_at: float | None
    ended_at: float | None
    tolerance_met: bool | None = None

    @property
    def name(self) -> str:
        return self.what.name

    @property
    def duration_s(self) -> float:
        return max(0.0, (self.ended_at or 0.0) - (self.started_at or 0.0)) if self.started_at and self.ended_at else 0.0


@dataclass(frozen=True, slots=True)
class State:
    """One look at the steady state."""

    met: bool | None
    probes: tuple[Played, ...]


@dataclass(frozen=True, slots=True)
class ControlWord:
    """Why our control failed the run when it ended, and in `problems` what it could not do."""

    verdict: str
    reasons: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunJournal:
    """The parts of a journal that a verdict looks at. `before` and `after` are None when nobody looked.

    `status` is the toolkit's own, also where our control replaced it. `after_rollbacks` is the look of our control,
    still as it wrote it; `control` is None unless it failed the run.
    """

    title: str
    node: str
    started_at: float | None
    ended_at: float | None
    status: str | None
    deviated: bool | None
    before: State | None
    after: State | None
    during: tuple[State, ...]
    method: tuple[Played, ...]
    rollbacks: tuple[Played, ...]
    probes: tuple[Declared, ...]
    declared_method: tuple[Declared, ...]
    declared_rollbacks: tuple[Declared, ...]
    controls: tuple[str, ...]
    continuous: bool
    dry: str | None
    after_rollbacks: Json | None
    control: ControlWord | None
    malformed: tuple[str, ...]


def read_run_journal(journal: Json) -> RunJournal:
    """The journal, read."""
    reader = _Reader()
    experiment = reader.mapping(journal.get("experiment"), "experiment")
    states = reader.mapping(journal.get("steady_states"), "steady_states")
    hypothesis = reader.mapping(experiment.get("steady-state-hypothesis"), "its hypothesis", optional=True)
    strategy = reader.mapping(reader.mapping(experiment.get("runtime"), "runtime", True).get("hypothesis"), "", True)
    beside, ours = journal.get(AFTER_ROLLBACKS), reader.mapping(journal.get(OURS), OURS, True)
    return RunJournal(
        title=reader.text(experiment.get("title"), "the title"),
        node=str(journal.get("node") or ""),
        started_at=reader.time(journal.get("start"), "start"),
        ended_at=reader.time(journal.get("end"), "end"),
        status=reader.text(_toolkits_word(journal.get("status"), ours), "status") or None,
        deviated=reader.flag(journal.get("deviated"), "deviated"),
        before=reader.state(states.get("before"), "steady_states.before"),
        after=reader.state(states.get("after"), "steady_states.after"),
        during=tuple(
            reader.state(item, "steady_states.during") or State(None, ())
            for item in reader.items(states.get("during"), "steady_states.during", optional=True)
        ),
        method=reader.played_list(journal.get("run"), "run"),
        rollbacks=reader.played_list(journal.get("rollbacks"), "rollbacks"),
        probes=reader.declared_list(hypothesis.get("probes"), "steady-state-hypothesis.probes"),
        declared_method=reader.declared_list(experiment.get("method"), "experiment.method"),
        declared_rollbacks=reader.declared_list(experiment.get("rollbacks"), "experiment.rollbacks"),
        controls=tuple(c.module for c in reader.declared_list(experiment.get("controls"), "experiment.controls")),
        continuous=strategy.get("strategy") in CONTINUOUS,
        dry=None if not experiment.get("dry") else str(getattr(experiment["dry"], "value", experiment["dry"])),
        after_rollbacks=None if beside is None else reader.mapping(beside, AFTER_ROLLBACKS),
        control=None if journal.get(OURS) is None else reader.control_word(ours),
        malformed=tuple(reader.malformed),
    )


def _toolkits_word(status: Any, ours: Json) -> Any:
    """Our control fails the journal of a run that did not pass: then `chaos run` exits 1. The word before is kept."""
    return ours.get("status") if status == "failed" and ours.get("status") == "completed" else status


class _Reader:
    def __init__(self) -> None:
        self.malformed: list[str] = []

    def mapping(self, value: Any, where: str, optional: bool = False) -> Json:
        if isinstance(value, Mapping):
            return value
        if value is not None or not optional:
            self._bad(where, value, "an object")
        return {}

    def items(self, value: Any, where: str, *, optional: bool = False) -> tuple[Any, ...]:
        if isinstance(value, list | tuple):
            return tuple(value)
        if value is not None or not optional:
            self._bad(where, value, "a list")
        return ()

    def text(self, value: Any, where: str, *, optional: bool = False) -> str:
        if isinstance(value, str) and value:
            return value
        if value is not None or not optional:
            self._bad(where, value, "text")
        return ""

    def flag(self, value: Any, where: str) -> bool | None:
        if isinstance(value, bool):
            return value
        self._bad(where, value, "true or false")
        return None

    def time(self, value: Any, where: str, *, optional: bool = False) -> float | None:
        found = unix_time(value)
        if found is None and (value is not None or not optional):
            self._bad(where, value, "a time")
        return found

    def state(self, value: Any, where: str) -> State | None:
        if value is None:
            return None
        state = self.mapping(value, where)
        probes = self.items(state.get("probes"), f"{where}.probes")
        return State(
            met=self.flag(state.get("steady_state_met"), f"{where}.steady_state_met"),
            probes=tuple(self.played(probe, f"{where}.probes") for probe in probes),
        )

    def control_word(self, word: Json) -> ControlWord:
        return ControlWord(
            verdict=self.text(word.get("verdict"), f"{OURS}.verdict"),
            reasons=tuple(map(str, self.items(word.get("reasons"), f"{OURS}.reasons", optional=True))),
            problems=tuple(map(str, self.items(word.get("problems"), f"{OURS}.problems", optional=True))),
        )

    def played_list(self, value: Any, where: str) -> tuple[Played, ...]:
        return tuple(self.played(item, where) for item in self.items(value, where, optional=True))

    def played(self, value: Any, where: str) -> Played:
        run = self.mapping(value, where)
        activity = self.mapping(run.get("activity"), f"{where}: activity")
        met = run.get("tolerance_met")
        return Played(
            what=self.declared(activity, where),
            status=self.text(run.get("status"), f"{where}: status", optional=True) or None,
            output=run.get("output"),
            said=_said(run.get("exception")),
            started_at=self.time(run.get("start"), f"{where}: start", optional=True),
            ended_at=self.time(run.get("end"), f"{where}: end", optional=True),
            tolerance_met=None if met is None else self.flag(met, f"{where}: tolerance_met"),
        )

    def declared_list(self, value: Any, where: str) -> tuple[Declared, ...]:
        return tuple(self.declared(item, where) for item in self.items(value, where, optional=True))

    def declared(self, value: Any, where: str) -> Declared:
        stated = self.mapping(value, where)
        provider = self.mapping(stated.get("provider"), f"{where}: provider", optional=True)
        return Declared(
            name=self.text(stated.get("name") or stated.get("ref"), f"{where}: name"),
            kind=str(stated.get("type") or ""),
            module=str(provider.get("module") or ""),
            func=str(provider.get("func") or ""),
            tolerance=stated.get("tolerance"),
        )

    def _bad(self, where: str, value: Any, wanted: str) -> None:
        self.malformed.append(f"{where} is {value!r:.40}, not {wanted}")


def unix_time(value: Any) -> float | None:
    """An ISO 8601 time as Unix seconds; without a zone it is taken as UTC, as the toolkit writes it. None: no time."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if moment is None else moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _said(exception: Any) -> str:
    """The last line of the exception, without the toolkit's wrapping."""
    text = "\n".join(map(str, exception)) if isinstance(exception, list | tuple) else str(exception or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].replace(_FAILED, "") if lines else "it did not end"
