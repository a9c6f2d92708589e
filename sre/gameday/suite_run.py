"""Plays a suite: batch by batch, each on one platform, drill by drill.

A drill that breaks costs itself only. Between drills the platform is looked at, and one that does not return to calm is
started anew. Ctrl-C ends the drill and the platform in order; what was done until then is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sre.errors import SreError
from sre.gameday.assemble import subject_of_drill
from sre.gameday.prepare import Prepared
from sre.gameday.progress import Progress
from sre.gameday.suite import Batch
from sre.platforms.local import PlatformSpec
from sre.reports.drill_facts import Outcome, drill_facts
from sre.reports.formats import seconds
from sre.reports.model import DrillReport
from sre.reports.suite_model import Entry

R = TypeVar("R")
OVERHEAD_S = 8.0  # of a drill beside its load: baseline, last samples, evaluation, report; for the estimate only


class Stage(Protocol[R]):
    """What a suite needs of the world."""

    def platform(self, spec: PlatformSpec) -> AbstractContextManager[R]:
        """The platform of `spec` for as long as the block lasts. Raises SreError when it does not come up."""
        ...

    def drill(self, prepared: Prepared, running: R, *, is_first: bool) -> DrillReport:
        """One drill, start to report. Raises SreError when it breaks."""
        ...

    def unwell(self, running: R) -> str | None:
        """Wait until the platform is fit for the next drill; None then, else what is wrong with it."""
        ...


@dataclass(slots=True)
class SuiteRun(Generic[R]):
    """A suite as it is played. `entries` are in the order played; what was not reached is `not run`."""

    stage: Stage[R]
    progress: Progress
    now: Callable[[], float] = time.time
    entries: list[Entry] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    starts: int = 0
    is_interrupted: bool = False
    _waiting: list[Prepared] = field(default_factory=list)
    _played_s: float = 0.0

    def play(self, planned: Sequence[Batch]) -> None:
        """Play every batch. An interruption ends it in order and is remembered, not raised."""
        self._waiting = [drill for batch in planned for drill in batch.drills]
        try:
            for batch in planned:
                while self._goes_on(batch):
                    self._on_one_platform(batch)
        except KeyboardInterrupt:
            self.is_interrupted = True
        self.entries += [entry_of(drill, "not run", "the suite ended before") for drill in self._waiting]

    def _goes_on(self, batch: Batch) -> bool:
        return bool(self._waiting) and batch.holds(self._waiting[0])

    def _on_one_platform(self, batch: Batch) -> None:
        """Play drills of the batch until it is done or the platform is no longer fit."""
        self.starts += 1
        started = False
        try:
            with self.stage.platform(batch.spec) as running:
                started = True
                self._while_fit(batch, running)
        except SreError as error:
            if started:
                self.notes.append(f"The platform did not end in order: {error}.")
                return
            while self._goes_on(batch):
                self._done(entry_of(self._waiting[0], "error", f"the platform did not come up: {error}"))

    def _while_fit(self, batch: Batch, running: R) -> None:
        is_first = True
        while self._goes_on(batch):
            self._announce()
            self._one(self._waiting[0], running, is_first=is_first)
            is_first = False
            wrong = self._unwell(running) if self._goes_on(batch) else None
            if wrong is not None:
                self.notes.append(f"The platform was started anew after {self.entries[-1].experiment}: {wrong}.")
                return

    def _one(self, drill: Prepared, running: R, *, is_first: bool) -> None:
        began = self.now()
        try:
            report = self.stage.drill(drill, running, is_first=is_first)
        except KeyboardInterrupt:
            self._done(entry_of(drill, "interrupted", "the suite was interrupted", began=began, run=self))
            raise
        except SreError as error:
            self._done(entry_of(drill, "error", str(error), began=began, run=self))
        except Exception as error:  # noqa: BLE001  (a defect met in one drill must not cost the others)
            what = f"{type(error).__name__}: {error}"
            self._done(entry_of(drill, "error", f"a defect of this kit: {what}", began=began, run=self))
        else:
            self._done(_entry(drill, report, took_s=self.now() - began, platform=self.starts))

    def _unwell(self, running: R) -> str | None:
        self.progress.step("platform: calm again")
        wrong = self.stage.unwell(running)
        if wrong is None:
            self.progress.done()
        else:
            self.progress.fail(f"{wrong}: it is started anew")
        return wrong

    def _announce(self) -> None:
        number, left = len(self.entries) + 1, self._waiting
        total = number - 1 + len(left)
        self.progress.note(f"drill {number} of {total}: {left[0].drill.title} (about {seconds(self._to_go())} to go)")

    def _to_go(self) -> float:
        """By the length of the loads; once drills were played, by how long those took for theirs."""
        took = sum(entry.took_s or 0.0 for entry in self.entries)
        pace = took / self._played_s if took and self._played_s else 1.0
        return pace * sum(drill.duration_s + OVERHEAD_S for drill in self._waiting)

    def _done(self, entry: Entry) -> None:
        drill = self._waiting.pop(0)
        self._played_s += 0.0 if entry.took_s is None else drill.duration_s + OVERHEAD_S
        self.entries.append(entry)
        why = f": {entry.reasons[0]}" if entry.reasons else ""
        self.progress.note(f"{entry.outcome.upper()} {entry.experiment}{why}")


def entry_of(
    drill: Prepared, outcome: Outcome, reason: str, *, began: float | None = None, run: SuiteRun[R] | None = None
) -> Entry:
    """The entry of a drill without a report."""
    return Entry(
        experiment=drill.options.experiment.name,
        title=drill.drill.title,
        subject=subject_of_drill(drill.drill),
        outcome=outcome,
        reasons=(reason,),
        took_s=None if began is None or run is None else run.now() - began,
        platform=None if run is None else run.starts,
    )


def _entry(drill: Prepared, report: DrillReport, *, took_s: float, platform: int) -> Entry:
    facts = drill_facts(report)
    return Entry(
        experiment=drill.options.experiment.name,
        title=drill.drill.title,
        subject=subject_of_drill(drill.drill),
        outcome=facts.outcome,
        reasons=facts.reasons,
        took_s=took_s,
        facts=facts,
        platform=platform,
    )
