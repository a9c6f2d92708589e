"""The table layout that CSV and Parquet share: columns `time`, `metric`, `value`, and one column a label.

Rows are samples in any order. A label whose name is one of the three is the column `label.<name>`, which no label can
be called. An empty cell (CSV) or a null (Parquet) means that the series has no such label.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sre.metrics.faults import Faults
from sre.metrics.identity import series_id
from sre.metrics.model import SeriesId

TIME, METRIC, VALUE = "time", "metric", "value"
RESERVED = (TIME, METRIC, VALUE)
PREFIX = "label."
METRIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the columns of one file are; `labels` are (position, label name)."""

    time: int
    metric: int
    value: int
    labels: tuple[tuple[int, str], ...]

    @property
    def keys(self) -> tuple[int, ...]:
        """Positions of what makes a series: the metric, then its labels."""
        return (self.metric, *(position for position, _ in self.labels))

    def series(self, key: Sequence[str | None]) -> SeriesId:
        """The series of one row's key, in the order of `keys`. Raises ValueError for a name that is none."""
        name = key[0] or ""
        if not METRIC_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a metric name" if name else "the metric's name is empty")
        pairs = zip(self.labels, key[1:], strict=True)
        return series_id(name, ((label, value) for (_, label), value in pairs if value))


def read_layout(columns: Sequence[str], faults: Faults, *, place: str) -> Layout | None:
    """The layout of these column names; None, with its faults added, when they are no such table."""
    before = faults.count
    missing = [name for name in RESERVED if name not in columns]
    if missing:
        faults.add(place, f"no column {', '.join(missing)}: columns time, metric, value and one a label are expected")
    labels: list[tuple[int, str]] = []
    for position, column in enumerate(columns):
        if column in RESERVED:
            continue
        label = column.removeprefix(PREFIX)
        if not _LABEL_NAME.fullmatch(label):
            faults.add(place, f"column {column!r} is not a label name")
        labels.append((position, label))
    for column in sorted({column for column in columns if list(columns).count(column) > 1}):
        faults.add(place, f"column {column!r} is given twice")
    if faults.count > before:
        return None
    time, metric, value = (list(columns).index(name) for name in RESERVED)
    return Layout(time, metric, value, tuple(labels))


def column_of(label: str) -> str:
    """The column a label is written to."""
    return PREFIX + label if label in RESERVED else label
