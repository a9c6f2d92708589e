"""The real stage of a suite: platforms of processes, drills through `chaos run`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sre.errors import SreError
from sre.gameday.health import await_calm
from sre.gameday.prepare import Prepared
from sre.gameday.progress import Progress
from sre.gameday.recording import resolve_with_platform
from sre.gameday.run import drill_on
from sre.gameday.running import RunningPlatform, platform_running
from sre.platforms.local import PlatformSpec
from sre.reports.model import DrillReport


@dataclass(frozen=True, slots=True)
class LocalStage:
    """`runbooks`: a passed drill rewrites the page of its failure mode. Incidents of drills that did not recover are
    kept until their platform is down, which resolves them.
    """

    state_dir: Path
    progress: Progress
    runbooks: bool = False
    now: Callable[[], float] = time.time
    _unresolved: list[tuple[Path, str]] = field(default_factory=list)

    @contextmanager
    def platform(self, spec: PlatformSpec) -> Iterator[RunningPlatform]:
        try:
            with platform_running(spec, self.state_dir, progress=self.progress, now=self.now) as running:
                yield running
        finally:
            self._resolve()

    def drill(self, prepared: Prepared, running: RunningPlatform, *, is_first: bool) -> DrillReport:
        outcome = drill_on(
            prepared.at(self.now()),
            running,
            is_first=is_first,
            runbooks=self.runbooks,
            progress=self.progress,
            now=self.now,
        )
        if outcome.recorded is not None and outcome.recorded.is_unresolved:
            self._unresolved.append((prepared.options.workspace, outcome.recorded.case.head.id))
        return outcome.report

    def unwell(self, running: RunningPlatform) -> str | None:
        return await_calm(running)

    def _resolve(self) -> None:
        while self._unresolved:
            workspace, incident = self._unresolved.pop()
            try:
                resolve_with_platform(incident, workspace=workspace, at=self.now())
            except SreError as error:
                self.progress.note(f"{incident} stays open, though its platform is down: {error}")
