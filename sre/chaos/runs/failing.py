"""How our control makes plain `chaos run` tell the truth: its journal is failed, and then the toolkit exits 1."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

Journal = MutableMapping[str, Any]
OURS = "llm-gameday"
"""In the journal of a run that did not pass: `status` as the toolkit had it, `verdict`, `reasons`, `problems`."""


def fail(journal: Journal, verdict: str, *, reasons: Sequence[str] = (), problems: Sequence[str] = ()) -> None:
    """The toolkit exits 1 for any status but `completed`; its own word is kept beside ours.

    `reasons` are the verdict's, `problems` what our control could not do.
    """
    nothing: dict[str, Any] = {"status": journal.get("status"), "verdict": verdict, "reasons": [], "problems": []}
    ours = journal.setdefault(OURS, nothing)
    ours["verdict"] = verdict
    ours["reasons"] += reasons
    ours["problems"] += problems
    if journal.get("status") == "completed" and not journal.get("deviated"):
        journal["status"] = "failed"
