"""The guard of a run that was let in."""

from __future__ import annotations

from pathlib import Path

from sre.chaos.guard.means import RunMeans
from sre.chaos.guard.watching import Guard
from sre.chaos.runs.admission import Admitted
from sre.errors import SreError

RECORDER_FILE = "recorder.json"
USUAL_INTERVAL_S = 1.0


def guard_of(admitted: Admitted) -> Guard:
    """Not started yet."""
    settings, platform = admitted.terms.guard, admitted.platform
    return Guard(
        settings=settings,
        interval_s=admitted.sight.interval_s or scrape_interval_s(platform.state_dir),
        deadline_at=admitted.run.deadline_at,
        means=RunMeans(platform, admitted.run.run_id, settings, admitted.slo_dir, admitted.sight),
    )


def scrape_interval_s(state_dir: Path) -> float:
    """How often samples come, as the recorder was told; a platform whose recorder is not ours scrapes as usual."""
    from sre.metrics.targets import read_config

    try:
        return read_config(state_dir / RECORDER_FILE).interval_s
    except SreError:
        return USUAL_INTERVAL_S
