"""`sre chaos heal`: undo what is broken."""

from __future__ import annotations

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir


def heal(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Undo every open fault."""
