"""`chaos run` as a child of the drill: see `sre.chaos.runs.toolkit`."""

from __future__ import annotations

from sre.chaos.runs.toolkit import follow as follow
from sre.chaos.runs.toolkit import note_new as note_new
from sre.chaos.runs.toolkit import uncoloured as uncoloured
