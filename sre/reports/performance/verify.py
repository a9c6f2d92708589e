"""A report held against an earlier one, figure by figure, each kind within its stated tolerance.

Simulated figures are seeded and have to be the same. Measured ones depend on the machine and on what else runs on it:
durations and rates are compared on the same kind of machine only and loosely, ratios of one run and shares everywhere,
since what disturbs a run disturbs both sides of a ratio.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from sre.reports.formats import NOT_AVAILABLE
from sre.reports.performance.json_file import Recorded, RecordedFigure, rounded
from sre.reports.performance.model import Figure, Kind, OriginKind, PerformanceReport, kind_of
from sre.reports.performance.view import words_of

Verdict = Literal["same", "within", "outside", "missing", "new", "not compared"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
BAD: frozenset[Verdict] = frozenset({"outside", "missing"})


@dataclass(frozen=True, slots=True)
class Tolerance:
    """`factor`: neither more nor less than so many times; `absolute`: at most so far off, in the figure's own unit.

    Within either is within. `anywhere`: compared also between different machines.
    """

    words: str
    reason: str
    factor: float = 1.0
    absolute: float = 0.0
    anywhere: bool = False

    def holds(self, before: float, now: float) -> bool:
        if abs(before - now) <= self.absolute:
            return True
        low, high = sorted((abs(before), abs(now)))
        return before * now > 0 and high <= low * self.factor


EXACT = Tolerance("the same to 9 digits", "seeded: the same code gives the same figure", anywhere=True)
_NOISE = "two busy cores, client and platform beside each other"
MEASURED: Mapping[Kind, Tolerance] = MappingProxyType(
    {
        "share": Tolerance(
            "within 10 points", f"{_NOISE}; near its threshold a share moves fast", absolute=0.10, anywhere=True
        ),
        "duration_s": Tolerance("within a factor of 2", f"tails of {_NOISE}", factor=2.0, absolute=0.05),
        "per_second": Tolerance("within a factor of 1.5", _NOISE, factor=1.5, absolute=1.0),
        "ratio": Tolerance("within a factor of 1.6", "both sides had the same disturbance", factor=1.6, anywhere=True),
        "count": Tolerance("within a factor of 1.5, or 5", _NOISE, factor=1.5, absolute=5.0),
        "tokens": Tolerance(
            "within a factor of 3, or 500", "which streams a kill meets is chance", factor=3.0, absolute=500.0
        ),
        "usd": Tolerance("within a factor of 1.5", _NOISE, factor=1.5),
    }
)
COMPARED = Tolerance("within a factor of 1.6", "as wide as the measured side of it", factor=1.6, anywhere=True)
FEW = Tolerance(
    "within a factor of 3", "with too few requests a tail is a single one", factor=3.0, absolute=0.25, anywhere=True
)


@dataclass(frozen=True, slots=True)
class Check:
    """One figure then and now."""

    name: str
    origin: OriginKind
    before: str
    now: str
    tolerance: str
    verdict: Verdict
    why: str = ""

    @property
    def is_bad(self) -> bool:
        return self.verdict in BAD


@dataclass(frozen=True, slots=True)
class Verified:
    """All checks; it stands when none is bad and there was something to check."""

    checks: tuple[Check, ...]
    same_machine: bool

    @property
    def ok(self) -> bool:
        return any(check.verdict in ("same", "within") for check in self.checks) and not self.bad

    @property
    def bad(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.is_bad)

    def by_section(self) -> list[tuple[str | int, ...]]:
        """(section, origin, figures, then how many of each verdict in the order of VERDICTS)."""
        rows: dict[tuple[str, OriginKind], list[Verdict]] = {}
        for check in self.checks:
            rows.setdefault((check.name.split("/")[0], check.origin), []).append(check.verdict)
        return [(*key, len(found), *(found.count(verdict) for verdict in VERDICTS)) for key, found in rows.items()]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for check in self.checks:
            found[check.verdict] = found.get(check.verdict, 0) + 1
        return found


def verify(before: Recorded, report: PerformanceReport) -> Verified:
    """`report` held against an earlier one. What is new in it is named and is no fault; what is gone is one."""
    same = before.machine == report.machine
    now, few = dict(report.figures()), report.options.quick
    checks = [
        _check(name, figure, now.get(name), same_machine=same, few=few) for name, figure in before.figures.items()
    ]
    checks += [_new(name, figure) for name, figure in now.items() if name not in before.figures]
    return Verified(tuple(checks), same)


def tolerance_of(origin: OriginKind, kind: Kind, *, few: bool = False) -> Tolerance:
    """What a figure may be off by. `few`: a quick run, whose tails rest on a handful of requests."""
    if origin == "simulated":
        return EXACT
    if few and kind in ("duration_s", "ratio"):
        return FEW
    return COMPARED if origin == "compared" else MEASURED[kind]


def rules(origins: Collection[OriginKind] = ("measured", "simulated", "compared")) -> Sequence[tuple[str, Tolerance]]:
    """The tolerances of figures of these origins, each with its reason, for a reader."""
    found = [("simulated", EXACT)] if "simulated" in origins else []
    if "measured" in origins:
        found += [(f"measured {kind.removesuffix('_s').replace('_', ' ')}", rule) for kind, rule in MEASURED.items()]
        found.append(("quick runs, tails and ratios", FEW))
    return [*found, ("compared", COMPARED)] if "compared" in origins else found


def _check(name: str, before: RecordedFigure, now: Figure | None, *, same_machine: bool, few: bool) -> Check:
    shown = words_of(before.kind, before.value)
    if now is None and before.origin != "simulated" and not same_machine:
        return Check(name, before.origin, shown, NOT_AVAILABLE, "", "not compared", "this machine has no such figure")
    if now is None:
        return Check(name, before.origin, shown, NOT_AVAILABLE, "", "missing", "the report has no such figure")
    tolerance = tolerance_of(before.origin, before.kind, few=few)
    verdict, why = _verdict(before, now, tolerance, same_machine=same_machine)
    return Check(name, before.origin, shown, words_of(now.kind, now.value), tolerance.words, verdict, why)


def _verdict(before: RecordedFigure, now: Figure, tolerance: Tolerance, *, same_machine: bool) -> tuple[Verdict, str]:
    if (before.kind, before.origin) != (now.kind, kind_of(now.origin)):
        return "outside", f"was {before.origin} {before.kind}, is {kind_of(now.origin)} {now.kind}"
    if not same_machine and not tolerance.anywhere:
        return "not compared", "measured on another machine"
    value = rounded(now.value)
    if before.value == value:
        return "same", ""
    if before.value is None or value is None:
        if before.origin == "simulated":
            return "outside", now.reason or before.reason
        return "not compared", now.reason or before.reason
    return ("within", "") if tolerance.holds(before.value, value) else ("outside", "")


def _new(name: str, figure: Figure) -> Check:
    return Check(name, kind_of(figure.origin), NOT_AVAILABLE, words_of(figure.kind, figure.value), "", "new")
