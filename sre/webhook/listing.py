"""Incidents as `GET /incidents` shows them: JSON values, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sre.incidents.case import CaseHead
from sre.webhook.stale import WORDS, stale_since


def listing(heads: Sequence[CaseHead], *, as_of: float) -> dict[str, Any]:
    """Times are Unix seconds. An incident nobody speaks of any more keeps its status and says since when."""
    return {"as_of": as_of, "incidents": [_head(head) for head in heads]}


def _head(head: CaseHead) -> dict[str, Any]:
    since = stale_since(head)
    return {
        "id": head.id,
        "title": head.title,
        "origin": head.origin,
        "status": head.status,
        "severity": head.severity,
        "service": head.service,
        "key": head.key,
        "opened_at": head.opened_at,
        "updated_at": head.updated_at,
        "milestones": dict(head.milestones),
        "stale_since": since,
        "stale_reason": WORDS if since is not None else "",
        "events": head.events,
    }
