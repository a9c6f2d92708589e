"""`chaos run` as a child of the drill: see `sre.chaos.toolkit`."""

from __future__ import annotations

from sre.chaos.toolkit import follow as follow
from sre.chaos.toolkit import note_new as note_new
from sre.chaos.toolkit import uncoloured as uncoloured
