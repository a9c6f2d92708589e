"""From token ids to the text a client gets, the same text whether the stream was cut on the way or not.

Text is a pure function of (prompt ids, answer ids, stop strings): a resumed answer first feeds the ids the client
has through the same decoder, so bytes of an unfinished character and the start of a stop string that were held back
come out later exactly as they would have without the cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of some tokens; `tokens` is how many of those given count (those after a stop string do not)."""

    text: str
    tokens: int
    is_stopped: bool = False


class AnswerText:
    """Decodes one answer. `step` gives the text each next id adds (empty while a character is incomplete)."""

    def __init__(self, step: Callable[[int], str], stop: Iterable[str] = ()) -> None:
        self._step = step
        self._stop = tuple(stop)
        self._longest = max(map(len, self._stop), default=0)
        self._text = ""
        self._end: int | None = None
        self._given = 0

    def resume(self, token_ids: Iterable[int], delivered: str) -> Delta:
        """Take over an answer of which the client has these ids and this text.

        The text returned is what the client lacks of them: empty, unless it lost the end of a piece. Ids that do not
        spell `delivered` (it was tokenized anew) are taken as they are, and only what follows them is given.
        """
        ids = list(token_ids)
        before = self._advance(ids)
        fits = self._text.startswith(delivered) or delivered.startswith(self._text)
        self._given = len(delivered) if fits else self._visible()
        return Delta(self._take(self._visible()), before, self._end is not None)

    def feed(self, token_ids: Iterable[int]) -> Delta:
        """Text that can be given after these tokens. Nothing may be fed after `is_stopped`."""
        tokens = self._advance(token_ids)
        return Delta(self._take(self._visible()), tokens, self._end is not None)

    def finish(self) -> str:
        """What was held back for a stop string that did not come."""
        return self._take(len(self._text) if self._end is None else self._end)

    def _advance(self, token_ids: Iterable[int]) -> int:
        tokens = 0
        for token_id in token_ids:
            if self._end is not None:
                break
            tokens += 1
            searched = len(self._text)
            self._text += self._step(token_id)
            self._end = self._stop_from(max(0, searched - self._longest + 1))
        return tokens

    def _stop_from(self, start: int) -> int | None:
        """Where the text ends because of the stop string that is complete first; None without one."""
        found = [(at + len(stop), at) for stop in self._stop if (at := self._text.find(stop, start)) >= 0]
        return min(found)[1] if found else None

    def _visible(self) -> int:
        """Length of the text that no stop string can take back any more."""
        if self._end is not None:
            return self._end
        for held in range(min(self._longest - 1, len(self._text)), 0, -1):
            tail = self._text[-held:]
            if any(stop.startswith(tail) for stop in self._stop):
                return len(self._text) - held
        return len(self._text)

    def _take(self, end: int) -> str:
        text = self._text[self._given : end]
        self._given = max(self._given, end)
        return text
