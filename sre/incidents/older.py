"""Incident records written by earlier versions, as this one names things. Old reports are read for ever."""

from __future__ import annotations

from dataclasses import replace

from sre.incidents.model import Incident

_RENAMED = {"fault_begin": "fault_injected"}


def renamed(incident: Incident) -> Incident:
    """The same record with today's names of milestones. What an old record does not hold is not made up."""
    milestones = tuple(replace(m, name=_RENAMED.get(m.name, m.name)) for m in incident.milestones)
    durations = tuple(
        replace(d, start=_RENAMED.get(d.start, d.start), end=_RENAMED.get(d.end, d.end)) for d in incident.durations
    )
    return replace(incident, milestones=milestones, durations=durations)
