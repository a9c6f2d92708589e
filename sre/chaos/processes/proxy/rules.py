"""What a fault proxy does to the bytes that pass it, as JSON says it, by direction. Pure.

    {"revision": 2, "seed": 1, "to_replica": {"latency_ms": 50, "jitter_ms": 10, "loss_ratio": 0.01, "kbit_per_s": 512,
     "partition": true}, "from_replica": {...}, "reset": {"after_bytes": 4096, "share": 1.0}}

Every key is optional; `{}` is a proxy that does nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from sre.errors import SreError

MOST_LOSS = 0.9  # beyond, a retransmission's turn comes too rarely: use partition
_MOST_MS = 60_000.0


@dataclass(frozen=True, slots=True)
class LinkRules:
    """One direction. `loss_ratio` is of segments, `kbit_per_s` 0 is unlimited."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    loss_ratio: float = 0.0
    kbit_per_s: float = 0.0
    partition: bool = False

    @property
    def is_transparent(self) -> bool:
        return self == LinkRules()

    def faults(self) -> list[str]:
        bounds = {"latency_ms": _MOST_MS, "jitter_ms": _MOST_MS, "loss_ratio": MOST_LOSS, "kbit_per_s": 1e9}
        found = [
            f"{name} is {value!r}: write 0 to {most:g}"
            for name, most in bounds.items()
            if not _is_number(value := getattr(self, name)) or not 0 <= value <= most
        ]
        if self.partition not in (True, False):
            found.append(f"partition is {self.partition!r}: write true or false")
        return found


@dataclass(frozen=True, slots=True)
class ResetRule:
    """A connection is reset once it has carried more than `after_bytes` since the rule holds; of all connections, by
    chance, this share. 0 bytes: at once, those that are open as well as new ones.
    """

    after_bytes: int = 0
    share: float = 1.0

    def faults(self) -> list[str]:
        found = []
        if type(self.after_bytes) is not int or self.after_bytes < 0:
            found.append(f"after_bytes is {self.after_bytes!r}: write a whole number, 0 or more")
        if not _is_number(self.share) or not 0 < self.share <= 1:
            found.append(f"share is {self.share!r}: write a number above 0, at most 1")
        return found


@dataclass(frozen=True, slots=True)
class Rules:
    """Both directions. `revision` is echoed in the proxy's state: who changed the rules sees that they hold."""

    to_replica: LinkRules = LinkRules()
    from_replica: LinkRules = LinkRules()
    reset: ResetRule | None = None
    seed: int = 0
    revision: int = 0

    @property
    def is_transparent(self) -> bool:
        return self.to_replica.is_transparent and self.from_replica.is_transparent and self.reset is None

    @property
    def is_cut(self) -> bool:
        """No handshake gets through: it needs both ways."""
        return self.to_replica.partition or self.from_replica.partition

    def to_json(self) -> str:
        return json.dumps(asdict(self))


TRANSPARENT = Rules()
Section = TypeVar("Section", LinkRules, ResetRule)


def parse_rules(text: str) -> Rules:
    """Raises SreError, one line, for what is no such rules."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SreError(f"rules of the fault proxy: not JSON ({error})") from error
    known = {field.name for field in fields(Rules)}
    if not isinstance(data, dict) or not set(data) <= known:
        raise SreError(f"rules of the fault proxy: an object with keys of {', '.join(sorted(known))} is expected")
    found: list[str] = []
    reset = data.get("reset")
    rules = Rules(
        to_replica=_section(LinkRules, data.get("to_replica") or {}, "to_replica", found),
        from_replica=_section(LinkRules, data.get("from_replica") or {}, "from_replica", found),
        reset=None if reset is None else _section(ResetRule, reset, "reset", found),
        seed=_whole(data, "seed", found),
        revision=_whole(data, "revision", found),
    )
    if found:
        raise SreError(f"rules of the fault proxy: {'; '.join(found)}")
    return rules


def _section(kind: type[Section], data: Any, where: str, found: list[str]) -> Section:
    known = {field.name for field in fields(kind)}
    if not isinstance(data, Mapping) or not set(data) <= known:
        found.append(f"{where}: an object with keys of {', '.join(sorted(known))} is expected")
        return kind()
    section = kind(**data)
    found += [f"{where}.{fault}" for fault in section.faults()]
    return section


def _whole(data: Mapping[str, Any], name: str, found: list[str]) -> int:
    value = data.get(name, 0)
    if type(value) is not int:
        found.append(f"{name} is {value!r}: write a whole number")
        return 0
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
