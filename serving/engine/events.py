"""What an engine tells about a request, one event at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from serving.engine.tokens import FinishReason


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token. `finish_reason` is set on the last, with `output_tokens` then the whole answer's total."""

    text: str
    output_tokens: int
    finish_reason: FinishReason | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that ends without its last token: `error` is None when it was cancelled."""

    error: str | None


Event = Token | Ended
EventReceiver = Callable[[Event], None]
