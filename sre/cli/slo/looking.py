"""How `sre slo status` and `sre slo gate` come from their options to where SLOs stand: when, and by which clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sre.metrics.model import SampleSource
    from sre.slo.model import Slo
    from sre.slo.status import Standing


def looker(
    source: SampleSource, slos: Sequence[Slo], corrections: Path | None, factor: float
) -> Callable[[float], tuple[Standing, ...]]:
    """What judges every SLO at a time. It reads only what is new when asked again. Raises BadDocument."""
    from sre.cli.slo.options import catalogued
    from sre.metrics.following import FollowingSamples
    from sre.slo.corrections import read_corrections
    from sre.slo.model import DrillClock
    from sre.slo.status import standing

    applied = () if corrections is None else read_corrections(corrections, slos=[slo.name for slo in slos])
    following, clock = FollowingSamples(catalogued(source)), DrillClock(factor)
    return lambda at: tuple(standing(following, slo, at=at, clock=clock, corrections=applied) for slo in slos)


def moment_to_judge(at: str | None, source: SampleSource, slos: Sequence[Slo], *, live: bool) -> float:
    """The time asked for; else now of a live source, and where one on disk ends. Raises SreError."""
    from sre.cli.slo.options import moment_of
    from sre.slo.status import newest_sample

    if at is not None:
        return moment_of(at, "--at")
    now = time.time()
    return now if live else newest_sample(source, slos, now=now)
