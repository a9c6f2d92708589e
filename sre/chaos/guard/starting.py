"""The guard of a run that was let in."""

from __future__ import annotations

from sre.chaos.guard.means import RunMeans
from sre.chaos.guard.watching import Guard
from sre.chaos.runs.admission import Admitted
from sre.chaos.sight import scrape_interval_s


def guard_of(admitted: Admitted) -> Guard:
    """Not started yet."""
    settings, platform = admitted.terms.guard, admitted.platform
    return Guard(
        settings=settings,
        interval_s=admitted.sight.interval_s or scrape_interval_s(platform.state_dir),
        deadline_at=admitted.run.deadline_at,
        means=RunMeans(platform, admitted.run.run_id, settings, admitted.slo_dir, admitted.sight),
    )
