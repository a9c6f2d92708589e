"""The part of an experiment that is ours: `extensions: [{name: llm-gameday, ...}]`.

Chaos Toolkit carries extensions along without looking at them, so one file describes the fault for `chaos run` and the
drill around it for `sre gameday run`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sre.chaos.model import BlastRadius, Drill, Expected, TokenLengths, Workload
from sre.slo.documents import Faults, Node

EXTENSION = "llm-gameday"
SECTION = (
    *("name", "id", "family", "failure_mode", "platform", "workload", "clock_factor", "expected", "blast_radius"),
    *("deadline_s", "guard", "gate"),
)
WORKLOAD = ("rate_rps", "duration_s", "warmup_s", "seed", "cv", "prompt_tokens", "output_tokens")
LENGTHS = ("median", "sigma", "min", "max")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
Bound = Callable[[float], bool]


def read_drill_section(root: Node, node: Node | None, *, path: Path, faults: Faults) -> Drill | None:
    """The drill of a checked experiment; None after a fault, which is then in `faults`."""
    if node is None:
        return None
    before = len(faults.found)
    fields = faults.mapping(node, SECTION)
    reader = _Reader(faults)
    drill = Drill(
        path=path,
        title=_text(root, "title"),
        description=_text(root, "description"),
        hypothesis=_text((root.fields or {}).get("steady-state-hypothesis"), "title"),
        failure_mode=reader.slug(node, "failure_mode", "name the failure mode, e.g. replica-crash"),
        workload=reader.workload(faults.required(node, "workload", "say what load the drill runs under")),
        clock_factor=reader.number(
            fields, node, "clock_factor", "a factor of 1 to 10000", _from(1, 10000), default=60.0
        ),
        expected=reader.expected(faults.required(node, "expected", "say which alert must fire, and when")),
        blast_radius=reader.blast_radius(faults.required(node, "blast_radius", "say how much may be hit")),
    )
    return drill if len(faults.found) == before else None


class _Reader:
    """Reads typed values; after a fault it goes on with a stand-in, so that later faults are found too."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def workload(self, node: Node | None) -> Workload:
        if node is None:
            return Workload(1.0, 1.0, 0.0, 0)
        fields = self._faults.mapping(node, WORKLOAD)
        above_0 = _above(0)
        load = Workload(
            rate_rps=self.number(fields, node, "rate_rps", "requests a second, above 0", above_0),
            duration_s=self.number(fields, node, "duration_s", "seconds, above 0", above_0),
            warmup_s=self.number(fields, node, "warmup_s", "seconds, 0 or more", _from(0, 1e6), default=12.0),
            seed=self.whole(fields, node, "seed", _from(0, 2**63 - 1), default=1),
            cv=self.number(fields, node, "cv", "0 (even) to 20 (bursty)", _from(0, 20)) if "cv" in fields else None,
            prompt_tokens=self._lengths(fields.get("prompt_tokens")),
            output_tokens=self._lengths(fields.get("output_tokens")),
        )
        if load.duration_s <= load.warmup_s:
            self._faults.add(node, f"is {load.duration_s:g}, all of it warm-up: make it longer", key="duration_s")
        return load

    def expected(self, node: Node | None) -> Expected:
        if node is None:
            return Expected("", 1.0, 1.0)
        fields = self._faults.mapping(node, ("alert", "recovered_within_s", "failed_requests"))
        alert = self._faults.required(node, "alert", "give slo and within_s")
        alert_fields = self._faults.mapping(alert, ("slo", "within_s")) if alert is not None else {}
        return Expected(
            alert_slo=self.slug(alert, "slo", "name an SLO, e.g. availability") if alert is not None else "",
            alert_within_s=self.number(alert_fields, alert or node, "within_s", "seconds, above 0", _above(0)),
            recovered_within_s=self.number(fields, node, "recovered_within_s", "seconds, above 0", _above(0)),
            failed_requests=self.whole(fields, node, "failed_requests", _from(0, 1e9))
            if "failed_requests" in fields
            else None,
        )

    def blast_radius(self, node: Node | None) -> BlastRadius:
        if node is None:
            return BlastRadius(1, 1)
        fields = self._faults.mapping(node, ("max_replicas", "min_healthy", "components"))
        named = fields.get("components")
        components = tuple(str(item.scalar) for item in (named.items or ())) if named is not None else ()
        return BlastRadius(
            max_replicas=self.whole(fields, node, "max_replicas", _from(0, 1000), default=1),
            min_healthy=self.whole(fields, node, "min_healthy", _from(0, 1000), default=1),
            components=components,
        )

    def _lengths(self, node: Node | None) -> TokenLengths | None:
        if node is None:
            return None
        fields = self._faults.mapping(node, LENGTHS)
        lengths = TokenLengths(
            median=self.number(fields, node, "median", "tokens, above 0", _above(0)),
            sigma=self.number(fields, node, "sigma", "0 to 5, the spread of ln(tokens)", _from(0, 5)),
            min=self.whole(fields, node, "min", _from(1, 10_000_000)),
            max=self.whole(fields, node, "max", _from(1, 10_000_000)),
        )
        if not lengths.min <= lengths.median <= lengths.max:
            self._faults.add(
                node, f"min {lengths.min}, median {lengths.median:g}, max {lengths.max}: put them in order"
            )
        return lengths

    def number(
        self, fields: dict[str, Node], at: Node, key: str, what: str, allowed: Bound, default: float | None = None
    ) -> float:
        child = fields.get(key)
        if child is None:
            if default is None:
                self._faults.required(at, key, f"write {what}")
            return 1.0 if default is None else default
        value = self._faults.number(child, f"write {what}")
        if value is not None and not allowed(value):
            self._faults.add(child, f"is {value:g}: write {what}")
            return 1.0
        return 1.0 if value is None else value

    def whole(self, fields: dict[str, Node], at: Node, key: str, allowed: Bound, default: int | None = None) -> int:
        value = self.number(fields, at, key, "a whole number in range", allowed, default)
        if key in fields and not isinstance(fields[key].scalar, int):
            self._faults.add(fields[key], f"is {fields[key].kind}: write a whole number")
        return int(value)

    def slug(self, node: Node, key: str, mend: str) -> str:
        child = self._faults.required(node, key, mend)
        text = self._faults.text(child, mend)
        if child is not None and text and not _SLUG.fullmatch(text):
            self._faults.add(child, f"is {text!r}: use lower-case words joined by `-`")
        return text


def _text(node: Node | None, key: str) -> str:
    child = (node.fields or {}).get(key) if node is not None else None
    return str(child.scalar).strip() if child is not None and child.scalar is not None else ""


def _above(low: float) -> Bound:
    return lambda value: low < value < float("inf")


def _from(low: float, high: float) -> Bound:
    return lambda value: low <= value <= high
