"""The real stage of a suite: platforms of processes, drills through `chaos run`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from sre.gameday.health import await_calm
from sre.gameday.prepare import Prepared
from sre.gameday.progress import Progress
from sre.gameday.run import drill_on
from sre.gameday.running import RunningPlatform, platform_running
from sre.platforms.local import PlatformSpec
from sre.reports.model import DrillReport


@dataclass(frozen=True, slots=True)
class LocalStage:
    """`runbooks`: a passed drill rewrites the page of its failure mode."""

    state_dir: Path
    progress: Progress
    runbooks: bool = False
    now: Callable[[], float] = time.time

    def platform(self, spec: PlatformSpec) -> AbstractContextManager[RunningPlatform]:
        return platform_running(spec, self.state_dir, progress=self.progress, now=self.now)

    def drill(self, prepared: Prepared, running: RunningPlatform, *, is_first: bool) -> DrillReport:
        outcome = drill_on(
            prepared.at(self.now()),
            running,
            is_first=is_first,
            runbooks=self.runbooks,
            progress=self.progress,
            now=self.now,
        )
        return outcome.report

    def unwell(self, running: RunningPlatform) -> str | None:
        return await_calm(running)
