"""An event as a JSON object: what exports hold and what `--json` prints.

The hash is over the payload's text: `json.dumps(payload, sort_keys=True, separators=(",", ":"))` gives it back.
"""

from __future__ import annotations

import json
from typing import Any

from sre.incidents.events import Event, kind_of
from sre.incidents.payloads import payload_text


def event_object(event: Event) -> dict[str, Any]:
    """Everything of it, with the kind its payload is stored under."""
    return {
        "position": event.position,
        "incident": event.incident,
        "seq": event.seq,
        "kind": kind_of(event.payload),
        "at": event.at,
        "recorded_at": event.recorded_at,
        "payload": json.loads(payload_text(event.payload)),
        "text": event.text,
        "source": event.source,
        "actor": event.actor,
        "previous": event.previous,
        "hash": event.hash,
    }
