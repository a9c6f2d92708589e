"""Prompts that may be what kills replicas: one that was in flight on two that died is not tried on a third.

A retry is right for a request whose replica died of something else, and spreads the harm of one that killed it. Which
of them did is not known at the first death, so each that may have is remembered, by a hash of its prompt. At the next
death of a replica under it, it is put in quarantine. What was answered lately is no suspect.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from serving.gateway.replica import Fallen

_HASH_BYTES = 6  # a JSON number keeps 53 bits
_MOST_KNOWN = 4096
_FORGIVEN_S = 0.25
"""What came later than this after the last sign of life, and the first job of that silence, came to a dead engine."""


def fingerprint_of(prompt: str) -> int:
    """Names a prompt in every process alike; 0 is nobody's."""
    digest = hashlib.blake2b(prompt.encode(errors="surrogatepass"), digest_size=_HASH_BYTES).digest()
    return int.from_bytes(digest, "big") or 1


def who_may_have_done_it(fallen: Iterable[Fallen], *, progress_at: float) -> set[int]:
    """The prompts without any token that were there when the replica was last heard of, or came just after."""
    present = [one for one in fallen if one.fingerprint and one.until + _FORGIVEN_S >= progress_at]
    if not present:
        return set()
    latest = max(progress_at, min(one.opened_at for one in present)) + _FORGIVEN_S
    return {one.fingerprint for one in present if one.opened_at <= latest}


@dataclass(slots=True)
class _Record:
    deaths: set[tuple[str, int]] = field(default_factory=set)
    last_at: float = 0.0


class Suspects:
    """`deaths` of replicas put a prompt in quarantine (0: never) for `quarantine_s` seconds of `clock`.

    `quarantined` is told of each that comes in.
    """

    def __init__(
        self, *, deaths: int, quarantine_s: float, clock: Callable[[], float], quarantined: Callable[[], None]
    ) -> None:
        self._most = deaths
        self._quarantine_s = quarantine_s
        self._clock = clock
        self._quarantined = quarantined
        self._known: OrderedDict[int, _Record] = OrderedDict()
        self._harmless: OrderedDict[int, float] = OrderedDict()

    def died(self, fingerprints: Iterable[int], replica: str, life: int) -> None:
        """A replica died, in that life of it, while these prompts waited for it."""
        if not self._most:
            return
        for fingerprint in fingerprints:
            if self._is_harmless(fingerprint):
                continue
            record = self._record(fingerprint) or _Record()
            was_in = len(record.deaths) >= self._most
            record.deaths.add((replica, life))
            record.last_at = self._clock()
            self._known[fingerprint] = record
            self._known.move_to_end(fingerprint)
            if not was_in and len(record.deaths) >= self._most:
                self._quarantined()
        _forget_oldest(self._known)

    def answered(self, fingerprint: int) -> None:
        """It got a token: it kills nobody."""
        if fingerprint and self._most:
            self._known.pop(fingerprint, None)
            self._harmless[fingerprint] = self._clock()
            self._harmless.move_to_end(fingerprint)
            _forget_oldest(self._harmless)

    def suspected(self, fingerprint: int) -> bool:
        """Whether a replica has died under it."""
        return self._record(fingerprint) is not None

    def in_quarantine(self, fingerprint: int) -> bool:
        record = self._record(fingerprint)
        return record is not None and len(record.deaths) >= self._most

    def _is_harmless(self, fingerprint: int) -> bool:
        answered_at = self._harmless.get(fingerprint)
        return answered_at is not None and self._clock() - answered_at < self._quarantine_s

    def _record(self, fingerprint: int) -> _Record | None:
        record = self._known.get(fingerprint)
        if record is not None and self._clock() - record.last_at >= self._quarantine_s:
            del self._known[fingerprint]
            return None
        return record


def _forget_oldest(known: OrderedDict[int, Any]) -> None:
    while len(known) > _MOST_KNOWN:
        known.popitem(last=False)
