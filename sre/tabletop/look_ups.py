"""What players would have seen had they looked: the drill's own samples at a few instants, for the facilitator."""

from __future__ import annotations

from sre.reports.formats import clock
from sre.tabletop.artefacts import ENGINES, GATEWAY, Recording, look_up_rows
from sre.tabletop.model import LookUp

_PAGES = (("The gateway's page (`curl -s $GATEWAY/metrics`)", GATEWAY), ("The engines' pages", ENGINES))


def look_ups_of(recording: Recording | None) -> tuple[LookUp, ...]:
    """Empty where there are no samples."""
    if recording is None or recording.samples is None:
        return ()
    instants = recording.instants
    named = [("calm", instants.calm), ("symptom", instants.symptom), ("worst", instants.worst), ("over", instants.over)]
    columns = ("", *(f"{name} {clock(at)[:8]}" for name, at in named))
    times = [at for _, at in named]
    return tuple(LookUp(title, columns, tuple(look_up_rows(recording, names, times))) for title, names in _PAGES)
