"""What Parquet files say of themselves without being read: which label values they can hold, and from when to when.

The statistics of a column chunk bound its values, so a file that is not loaded for them certainly holds no match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sre.errors import BadDocument, NoData
from sre.metrics.layout import METRIC, PREFIX, TIME, VALUE
from sre.metrics.model import Selector
from sre.metrics.parquet_samples import arrow
from sre.slo.events import selectors_of
from sre.slo.model import Sli, ratios_of

_ANY = ("", "\U0010ffff")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Least and greatest value of each label (and of `metric`), and of the time; None when a file does not say."""

    labels: Mapping[str, tuple[str, str]]
    times: tuple[float, float] | None


def everything_read(sli: Sli) -> tuple[Selector, ...]:
    """Every selector the SLI reads, and `up`, which tells a newborn series from an old one."""
    sides = [selector for ratio in ratios_of(sli) for selector in (*ratio.good, *ratio.bad)]
    return (*selectors_of(sli), *sides, Selector("up"))


def may_hold(bounds: Mapping[str, tuple[str, str]], selector: Selector) -> bool:
    """Whether a file can hold a series that the selector matches.

    Metrics may answer under an older name, so names are told apart for `up` alone; `le` is compared as a number.
    """
    if selector.name == "up":
        least, most = bounds.get("metric", _ANY)
        return least <= "up" <= most
    for matcher in selector.matchers:
        if matcher.op != "=" or matcher.label == "le" or not matcher.value:
            continue
        least, most = bounds.get(matcher.label, ("", ""))
        if not least <= matcher.value <= most:
            return False
    return True


def file_facts(path: Path) -> FileFacts:
    """From the file's footer. Raises BadDocument for a file that is no Parquet."""
    pa = arrow()
    try:
        with pa.parquet.ParquetFile(path) as file:
            return _facts(file.metadata)
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadDocument([f"{path}: not a readable Parquet file ({reason})"]) from error


def folder_times(folder: Path) -> tuple[float, float]:
    """(just before the first sample, the last one) of a folder's files. Raises NoData when none of them says."""
    known = [file_facts(path).times for path in sorted(folder.glob("*.parquet"))]
    times = [pair for pair in known if pair is not None]
    if not times:
        raise NoData(f"{folder}: its Parquet files do not say from when to when they are: give --start and --end")
    return min(first for first, _ in times) - 0.001, max(last for _, last in times)


def _facts(metadata: Any) -> FileFacts:
    labels: dict[str, tuple[str, str]] = {}
    times: list[tuple[float, float] | None] = []
    for group in range(metadata.num_row_groups):
        row_group = metadata.row_group(group)
        for column in (row_group.column(number) for number in range(row_group.num_columns)):
            name, statistics = column.path_in_schema, column.statistics
            known = statistics is not None and statistics.has_min_max
            if name == TIME:
                times.append((_seconds(statistics.min), _seconds(statistics.max)) if known else None)
            elif name != VALUE:
                low, high = (str(statistics.min), str(statistics.max)) if known else _ANY
                label = name if name == METRIC else name.removeprefix(PREFIX)
                before = labels.get(label, (low, high))
                labels[label] = (min(before[0], low), max(before[1], high))
    return FileFacts(labels, _hull(times))


def _hull(times: list[tuple[float, float] | None]) -> tuple[float, float] | None:
    known = [pair for pair in times if pair is not None]
    return (min(a for a, _ in known), max(b for _, b in known)) if known and len(known) == len(times) else None


def _seconds(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)
