"""A performance report as data. A figure cannot exist without its origin, and no column or series mixes two of them.

There are three origins: measured on a machine, simulated with a profile, and a comparison of the two, which can only be
a ratio. The types refuse everything else, so a report that shows a simulated figure as measured cannot be built.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sre.platforms.performance import MEASURED_REQUESTS, WARM_UP_REQUESTS

Kind = Literal["share", "duration_s", "per_second", "ratio", "count", "tokens", "usd"]
OriginKind = Literal["measured", "simulated", "compared"]


@dataclass(frozen=True, slots=True)
class Measured:
    """`machine` is what the figures depend on (processor, cores, system), `what` what ran on it."""

    machine: str
    what: str

    @property
    def words(self) -> str:
        return f"measured on {self.machine}: {self.what}"


@dataclass(frozen=True, slots=True)
class Simulated:
    """`error_bar` is how far the profile says it may be off."""

    profile: str
    error_bar: str

    @property
    def words(self) -> str:
        return f"simulated with {self.profile} ({self.error_bar})"


@dataclass(frozen=True, slots=True)
class Compared:
    """A simulated figure over the measured one of the same offer to the same fleet."""

    measured: Measured
    simulated: Simulated

    @property
    def words(self) -> str:
        return f"{self.simulated.words} over {self.measured.words}"


Origin = Measured | Simulated | Compared


def kind_of(origin: Origin) -> OriginKind:
    if isinstance(origin, Measured):
        return "measured"
    return "simulated" if isinstance(origin, Simulated) else "compared"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its unit (`kind`) and its origin; without a number there is a reason."""

    kind: Kind
    value: float | None
    origin: Origin
    reason: str = ""

    def __post_init__(self) -> None:
        _require_origin(self.origin)
        if self.value is None and not self.reason:
            raise ValueError("a figure without a value needs a reason")
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"a figure is a finite number, not {self.value}: give None and a reason")
        if isinstance(self.origin, Compared) and self.kind != "ratio":
            raise ValueError(f"measured and simulated are compared by ratio, not by {self.kind}")


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence that states figures, with their origin."""

    text: str
    origin: Origin

    def __post_init__(self) -> None:
        _require_origin(self.origin)


@dataclass(frozen=True, slots=True)
class Column:
    """One property: a figure a row, all of one origin."""

    key: str
    label: str
    figures: tuple[Figure, ...]

    def __post_init__(self) -> None:
        _require_one_origin(f"column {self.key}", self.figures)


@dataclass(frozen=True, slots=True)
class Row:
    """`mark` says why a row stands out (`chosen`, `not sufficient`), "" for no reason."""

    key: str
    label: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`head` names what the rows are. All columns have as many figures as there are rows, and one origin."""

    key: str
    title: str
    head: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        short = [column.key for column in self.columns if len(column.figures) != len(self.rows)]
        if short or not self.rows or not self.columns:
            raise ValueError(f"table {self.key}: {', '.join(short) or 'nothing'} fits its {len(self.rows)} rows")
        _require_one_origin(f"table {self.key}", tuple(f for column in self.columns for f in column.figures))

    @property
    def origin(self) -> Origin:
        return self.columns[0].figures[0].origin


@dataclass(frozen=True, slots=True)
class Series:
    """A line of a chart: (x, figure) with x ascending. `mark` is the index of a point that is named `mark_label`."""

    key: str
    label: str
    points: tuple[tuple[float, Figure], ...]
    mark: int | None = None
    mark_label: str = ""

    def __post_init__(self) -> None:
        _require_one_origin(f"series {self.key}", tuple(figure for _, figure in self.points))

    @property
    def origin(self) -> Origin:
        return self.points[0][1].origin


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart of lines. Series of different origins are different lines, drawn differently."""

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_log: bool = False


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """How many requests a section's measured statement rests on, at the least over its rows."""

    warm_up: int
    measured: int

    @property
    def is_enough(self) -> bool:
        return self.warm_up >= WARM_UP_REQUESTS and self.measured >= MEASURED_REQUESTS

    @property
    def words(self) -> str:
        asked = f"{WARM_UP_REQUESTS} warm-up and {MEASURED_REQUESTS} counted requests"
        found = f"{self.warm_up} warm-up and {self.measured} counted requests"
        return f"{found} at the least" if self.is_enough else f"not sufficient: {found}, asked for are {asked}"


@dataclass(frozen=True, slots=True)
class Section:
    """One question and what is known about it. `method` is how it was found, `absent` what there is no figure for, and
    why. `sufficiency` is None where the number of requests is not what the statement rests on.
    """

    key: str
    title: str
    question: str
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    method: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    sufficiency: Sufficiency | None = None

    @property
    def is_sufficient(self) -> bool:
        return self.sufficiency is None or self.sufficiency.is_enough


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a report was asked for: with them it can be made again. `quick` sizes never suffice."""

    sections: tuple[str, ...]
    quick: bool = False
    measured: bool = True
    seed: int = 1
    profile: str = "h100-llama3-8b-tp1"
    time_scale: float = 4.0


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """The whole report; instants are Unix seconds, None where nothing was measured: what is simulated has no date."""

    options: RunOptions
    command: str
    sections: tuple[Section, ...]
    machine: str | None
    began_at: float | None
    ended_at: float | None

    @property
    def insufficient(self) -> tuple[str, ...]:
        return tuple(section.key for section in self.sections if not section.is_sufficient)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every figure of the tables, by a name that stays the same from run to run."""
        for section in self.sections:
            for table in section.tables:
                for column in table.columns:
                    for row, figure in zip(table.rows, column.figures, strict=True):
                        yield f"{section.key}/{table.key}/{row.key}/{column.key}", figure


def _require_origin(origin: object) -> None:
    if not isinstance(origin, Measured | Simulated | Compared):
        raise TypeError(f"a figure needs an origin (measured, simulated or compared), not {origin!r}")


def _require_one_origin(what: str, figures: tuple[Figure, ...]) -> None:
    if not figures:
        raise ValueError(f"{what} has no figures")
    if len({figure.origin for figure in figures}) > 1:
        raise ValueError(f"{what} mixes origins: measured and simulated figures stand apart")
