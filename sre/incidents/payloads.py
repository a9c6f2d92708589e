"""What an event says, as the text it is kept and hashed under, and back.

The text is JSON with sorted keys and no spaces, ASCII only: the same in every database and locale. NUL and lone
surrogates, which no database takes, become U+FFFD: a hostile label of an alert must not keep its incident from opening.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sre.errors import BadDocument, SreError
from sre.incidents.codec import decode, encode
from sre.incidents.events import KINDS, Draft, Payload

_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")


def keepable(text: str) -> str:
    """`text` without characters that a database or a terminal refuses."""
    return _UNKEEPABLE.sub("\ufffd", text)


def payload_text(payload: Payload) -> str:
    """The canonical JSON of a payload."""
    return json.dumps(_keepable(encode(payload)), sort_keys=True, separators=(",", ":"), allow_nan=False)


def payload_of(kind: str, text: str, where: str) -> Payload:
    """The payload again; raises BadDocument, each fault as `where.field: what`."""
    known = KINDS.get(kind)
    if known is None:
        raise BadDocument([f"{where}: kind {kind!r:.40} is not known: read it with the version that wrote it"])
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadDocument([f"{where}: what it says is not JSON ({error})"]) from error
    payload: Payload = decode(known, document, where)
    return payload


def require_finite(draft: Draft) -> None:
    """Raises SreError on an instant that is no number: unknown is None with a reason."""
    numbers = {"at": draft.at, **{f.name: getattr(draft.payload, f.name) for f in dataclasses.fields(draft.payload)}}
    for name, value in numbers.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise SreError(
                f"event '{keepable(draft.text)[:60]}': {name} is {value}: give a number, or n/a with a reason"
            )


def _keepable(value: Any) -> Any:
    if isinstance(value, str):
        return keepable(value)
    if isinstance(value, Mapping):
        return {keepable(key): _keepable(item) for key, item in value.items()}
    return [_keepable(item) for item in value] if isinstance(value, list) else value
