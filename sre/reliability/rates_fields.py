"""One entry of a rate book each: a source, a recovery, a fault, or every fault of it with its line."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import cast, get_args

from sre.reliability.rates import (
    Basis,
    Failover,
    FaultClass,
    Hits,
    Per,
    Recovery,
    Rollouts,
    Shape,
    Source,
    SpotDiscount,
    hazard,
)
from sre.slo.documents import Faults, Node

_BASIS = "write published, measured or assumed"
_RATES = ("events", "once_in_hours", "share_a_month", "chance")
_RATE = "write one of {events: 148}, {once_in_hours: 720}, {share_a_month: 0.15}, {chance: 0.05}"
_RANGE = "write [low, high]"
_MOST = 1e9
_WIDEST = 4.0
_SOURCE = ("name", "title", "hours")
_RECOVERY = (
    *("name", "title", "median_h", "mean_h", "shape", "sigma", "range_h", "replaceable", "starts", "measured_by"),
    *("basis", "source", "applies"),
)
_FAULT = (
    *("name", "title", "group", "hits", "loses", "per", "rate", "range", "recovery", "abrupt"),
    *("basis", "source", "applies"),
)


class Entries:
    """Reads entries of one file; `sources` are those an entry may name."""

    def __init__(self, faults: Faults, sources: Mapping[str, Source]) -> None:
        self.faults = faults
        self.sources = sources

    def recovery(self, node: Node) -> Recovery | None:
        """None after a fault."""
        before, fields = len(self.faults.all), self.faults.mapping(node, _RECOVERY)
        if node.fields is None:
            return None
        shape = cast(Shape, self.faults.one_of(fields.get("shape"), get_args(Shape), f"write {_or(get_args(Shape))}"))
        shape = shape or "lognormal"
        median = self._median(node, shape)
        sigma = self._number(fields.get("sigma"), "sigma", most=_WIDEST)
        if shape == "lognormal" and "sigma" not in fields:
            self.faults.add(node, "missing: write the spread of the logarithm, e.g. 1.0", key="sigma")
        span = self._range(fields.get("range_h"), median)
        name, title, basis, source, applies = self._said(node)
        if len(self.faults.all) > before or median is None or source is None:
            return None
        return Recovery(
            *(name, title, median, shape, sigma or 0.0, span or (median, median), basis, source, applies),
            starts=self.faults.boolean(fields.get("starts"), "write true or false"),
            replaceable=self.faults.boolean(fields.get("replaceable"), "write true or false"),
            measured_by=self._names(fields.get("measured_by")),
        )

    def _median(self, node: Node, shape: Shape) -> float | None:
        fields = node.fields or {}
        if ("median_h" in fields) == ("mean_h" in fields):
            self.faults.add(node, "give either median_h or mean_h, in hours", key="median_h")
            return None
        mean = self._number(fields.get("mean_h"), "mean_h", above=0)
        if mean is not None and shape == "lognormal":
            self.faults.add(fields["mean_h"], "of a lognormal give median_h")
        return mean * math.log(2) if mean and shape == "exponential" else mean or self._median_given(fields)

    def _median_given(self, fields: Mapping[str, Node]) -> float | None:
        return self._number(fields.get("median_h"), "median_h", above=0)

    def fault(self, node: Node, recoveries: Collection[str]) -> FaultClass | None:
        """None after a fault. `recoveries` are the names an entry may point to."""
        before, fields = len(self.faults.all), self.faults.mapping(node, _FAULT)
        if node.fields is None:
            return None
        name, title, basis, source, applies = self._said(node)
        hits = cast(Hits, self._word(node, "hits", get_args(Hits)))
        per = cast(Per, self._word(node, "per", get_args(Per)))
        recovery = self._word(node, "recovery", sorted(recoveries))
        group = self.faults.text(self.faults.required(node, "group", "name the group it is varied with"), "write text")
        rate = self._rate(self.faults.required(node, "rate", _RATE), per, source)
        span = self._range(fields.get("range"), 1.0)
        loses = self._number(fields.get("loses"), "loses", most=1)
        self._check_hit(node, hits, per)
        if len(self.faults.all) > before or rate is None or source is None:
            return None
        return FaultClass(
            *(name, title, group, hits, per, rate[0], span or (1.0, 1.0), recovery, basis, source, rate[1]),
            loses=1.0 if loses is None else loses,
            abrupt=self.faults.boolean(fields.get("abrupt"), "write true or false"),
            applies=applies,
        )

    def _check_hit(self, node: Node, hits: Hits, per: Per) -> None:
        if per == "rollout" and hits != "fleet":
            self.faults.add(node, "a rollout's fault hits the fleet: write `hits: fleet`", key="per")
        if per == "gpu-hour" and hits not in ("replica", "spot replica", "host"):
            self.faults.add(node, f"what hits a {hits or 'fleet'} is not counted by GPU: write `per: hour`", key="per")
        if "loses" in (node.fields or {}) and hits != "fleet":
            self.faults.add(node, "only what hits the fleet loses a share of its traffic: remove it", key="loses")

    def _rate(self, node: Node | None, per: Per, source: Source | None) -> tuple[float, str] | None:
        """The hourly rate (or chance) and how it was told."""
        if node is None:
            return None
        fields = self.faults.mapping(node, _RATES)
        if len(fields) != 1 or not set(fields) <= set(_RATES):
            self.faults.add(node, f"is {node.kind} of {len(fields)} keys: {_RATE}")
            return None
        key, child = next(iter(fields.items()))
        if (key == "chance") != (per == "rollout"):
            self.faults.add(child, "a chance is of each rollout (`per: rollout`), and a rollout has a chance alone")
            return None
        share = key in ("chance", "share_a_month")
        value = self._number(child, key, most=1 if share else _MOST, above=0 if key == "once_in_hours" else None)
        return None if value is None else self._hourly(child, key, value, source)

    def _hourly(self, node: Node, key: str, value: float, source: Source | None) -> tuple[float, str] | None:
        if key == "chance":
            return value, f"{value * 100:g} % of rollouts"
        if key == "once_in_hours":
            return 1 / value, f"once in {value:g} h"
        if key == "share_a_month":
            if value >= 1:
                self.faults.add(node, "is everything: write a share below 1")
                return None
            return hazard(value), f"{value * 100:g} % a month"
        if source is None or source.hours is None:
            self.faults.add(node, "a count needs a source with `hours` to divide it by")
            return None
        return value / source.hours, f"{value:g} in {source.hours:,.0f} GPU-hours"

    def hours(self, node: Node | None) -> float | None:
        """What counts are divided by: above 0."""
        return self._number(node, "hours", most=1e15, above=0)

    def failover(self, node: Node | None) -> Failover | None:
        """None where it is absent or has a fault."""
        fields = self._section(node, ("lost_replica_s", "range_s", "measured_by", "basis", "source"))
        if node is None or not fields:
            return None
        lost = self._number(self.faults.required(node, "lost_replica_s", "write seconds"), "lost_replica_s")
        span = self._range(fields.get("range_s"), lost)
        basis, source = self._whose(node)
        if lost is None or source is None:
            return None
        return Failover(lost, span or (lost, lost), basis, source, self._names(fields.get("measured_by")))

    def rollouts(self, node: Node | None) -> Rollouts | None:
        """None where it is absent or has a fault."""
        fields = self._section(node, ("a_month", "drain_s", "surge", "basis", "source"))
        if node is None or not fields:
            return None
        count = self._number(self.faults.required(node, "a_month", "write how many"), "a_month", most=10_000)
        drain = self._number(self.faults.required(node, "drain_s", "write seconds"), "drain_s")
        surge = self.faults.boolean(fields.get("surge"), "write true or false")
        basis, source = self._whose(node)
        if count is None or drain is None or source is None:
            return None
        return Rollouts(count, drain, surge, basis, source)

    def discount(self, node: Node | None) -> SpotDiscount | None:
        """None where it is absent or has a fault."""
        fields = self._section(node, ("share", "basis", "source"))
        if node is None or not fields:
            return None
        share = self._number(self.faults.required(node, "share", "write a share of the price"), "share", most=1)
        basis, source = self._whose(node)
        return None if share is None or source is None else SpotDiscount(share, basis, source)

    def _section(self, node: Node | None, known: Collection[str]) -> Mapping[str, Node]:
        return {} if node is None else self.faults.mapping(node, known)

    def _said(self, node: Node) -> tuple[str, str, Basis, Source | None, str]:
        name = self.faults.text(self.faults.required(node, "name", "give it a name"), "write a name")
        title = self.faults.text(self.faults.required(node, "title", "say what it is"), "write text")
        applies = (node.fields or {}).get("applies")
        return name, title, *self._whose(node), self.faults.text(applies, "write text")

    def _whose(self, node: Node) -> tuple[Basis, Source | None]:
        basis = self.faults.one_of(self.faults.required(node, "basis", _BASIS), get_args(Basis), _BASIS)
        named = self._word(node, "source", sorted(self.sources))
        return cast(Basis, basis), self.sources.get(named)

    def _word(self, node: Node, key: str, known: Collection[str]) -> str:
        mend = f"write {_or(known)}"
        return self.faults.one_of(self.faults.required(node, key, mend), known, mend)

    def _names(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.faults.text(item, "write a name") for item in self.faults.list_of(node, "write a list"))

    def _number(self, node: Node | None, key: str, *, most: float = _MOST, above: float | None = None) -> float | None:
        if node is None:
            return None
        found = self.faults.number(node, f"write {key} as a number")
        if found is None:
            return None
        if not math.isfinite(found) or found > most:
            self.faults.add(node, f"is {node.kind}: write a number up to {most:g}")
            return None
        if found < 0 or (above is not None and found <= above):
            self.faults.add(
                node, f"is {node.kind}: {'write a number above 0' if above is not None else 'never negative'}"
            )
            return None
        return found

    def _range(self, node: Node | None, middle: float | None) -> tuple[float, float] | None:
        if node is None:
            return None
        ends = [self._number(item, "an end") for item in self.faults.list_of(node, _RANGE)]
        if len(ends) != 2:
            self.faults.add(node, f"has {len(ends)} ends: {_RANGE}")
            return None
        low, high = ends
        if low is None or high is None or middle is None:
            return None
        if not low <= middle <= high:
            self.faults.add(node, f"does not hold the value {middle:g}: {_RANGE} around it")
        return low, high


def read_source(node: Node, faults: Faults) -> Source | None:
    """None after a fault. A mean time of no hours would divide by nothing, so `hours` is above 0."""
    before, fields = len(faults.all), faults.mapping(node, _SOURCE)
    name = faults.text(faults.required(node, "name", "give it a name"), "write a name")
    title = faults.text(faults.required(node, "title", "say who says so, and when"), "write text")
    hours = Entries(faults, {}).hours(fields.get("hours"))
    return None if len(faults.all) > before or node.fields is None else Source(name, title, hours)


def _or(words: Collection[str]) -> str:
    listed = list(words)
    return f"{', '.join(listed[:-1])} or {listed[-1]}" if len(listed) > 1 else "".join(listed) or "nothing"
