"""The guard of a rehearsal: the limits of the experiment, looked at in virtual samples twice an interval."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sre.chaos.gate.budget import slos_named
from sre.chaos.guard.limits import passed_limits
from sre.chaos.guard.looking import Looker
from sre.chaos.guard.model import GuardSettings
from sre.gameday.rehearsal.script import Script
from sre.gameday.rehearsal.stage import Scene
from sre.platforms.model import Platform

LOOKS_PER_INTERVAL = 2


@dataclass(frozen=True, slots=True)
class VirtualGuard:
    """Watches `script` while its method is played. Runs until it is cancelled, or has aborted the run."""

    scene: Scene
    script: Script
    settings: GuardSettings
    slo_dir: Path

    async def watch(self) -> None:
        scene, settings = self.scene, self.settings
        slos = slos_named([limit.slo for limit in settings.burns], self.slo_dir) if settings.burns else {}
        # the looker asks a platform for its replicas and for nothing else
        looker = Looker(cast("Platform", scene), scene.recorder.samples(), settings, slos, since=scene.now())
        interval_s, deadline_at = scene.recorder.interval_s, self.script.leases.run.deadline_at
        while True:
            scene.recorder.flush()
            look = looker.look(scene.now())
            reasons = passed_limits(settings, look, interval_s=interval_s, deadline_at=deadline_at)
            if reasons:
                self._abort("; ".join(reasons), look.readings())
                return
            await scene.platform.sleep(interval_s / LOOKS_PER_INTERVAL)

    def _abort(self, reason: str, readings: dict[str, float]) -> None:
        self.script.leases.record("guard_abort", reason=reason, readings=readings)
        self.script.abort(reason)
