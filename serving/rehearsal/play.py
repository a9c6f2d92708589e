"""One rehearsal from the platform's start to its end."""

from __future__ import annotations

from serving.loadgen.model import Schedule
from serving.rehearsal.model import OnScrape, Pace, Played, Script, VirtualSpec


def play(
    spec: VirtualSpec,
    schedule: Schedule,
    script: Script | None,
    *,
    seed: int,
    epoch: float,
    on_scrape: OnScrape,
    pace: Pace = Pace(),  # noqa: B008  (frozen)
) -> Played:
    """Start the platform, offer `schedule` (its prompts made with `seed`), play `script`, end. Blocks; no clock but its
    own is read. Raises ServingError when the platform cannot start, and what `script` raises.
    """
    raise NotImplementedError
