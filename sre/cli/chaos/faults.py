"""`sre chaos faults`: what is broken, since when, until when, and who watches over it."""

from __future__ import annotations

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir


def faults(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """List the faults that are open."""
