"""History as Parquet, in the layout of `sre.metrics.layout`; a folder of such files is read as one.

`time` is a timestamp (without a zone it counts as UTC) or a number of Unix seconds. Row groups are read one batch at a
time and stay Arrow columns: series are found by their dictionary codes. pyarrow is an extra (`parquet`): it is 156 MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sre.errors import BadDocument, EnvironmentLacks
from sre.metrics.columns import SampleColumns, by_identity, join
from sre.metrics.faults import Faults
from sre.metrics.layout import Layout, read_layout
from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import FloatArray, Series, SeriesId

BATCH_ROWS = 262_144


def read_parquet(path: Path) -> LoadedSamples:
    """Every sample of a file, or of all `*.parquet` files of a folder.

    Raises BadDocument with the faults of the first bad file, EnvironmentLacks without pyarrow.
    """
    paths = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    pieces: dict[SeriesId, list[tuple[FloatArray, FloatArray]]] = {}
    for one in paths:
        for series in _read_file(one):
            pieces.setdefault(series.id, []).append((series.times, series.values))
    return LoadedSamples("parquet", sorted((join(one, found) for one, found in pieces.items()), key=by_identity))


def arrow() -> Any:
    """The module pyarrow, with its Parquet part. Raises EnvironmentLacks when it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise EnvironmentLacks("Parquet needs pyarrow: pip install 'llm-gameday[parquet]'") from error
    return pyarrow


def _read_file(path: Path) -> list[Series]:
    pa = arrow()
    faults, columns = Faults(path), SampleColumns()
    row = 1
    try:
        with pa.parquet.ParquetFile(path, memory_map=True) as file:
            names = list(file.schema_arrow.names)
            layout = read_layout(names, faults, place="")
            faults.raise_any()
            assert layout is not None  # noqa: S101  (for the type checker: without a layout there was a fault)
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                _take(pa, batch, layout, columns, faults, row)
                row += batch.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadDocument([f"{path}: not a readable Parquet file ({reason})"]) from error
    series = columns.series(faults)
    faults.raise_any()
    return series


def _take(pa: Any, batch: Any, layout: Layout, columns: SampleColumns, faults: Faults, row: int) -> None:
    times = _times(pa, batch.column(layout.time), faults)
    values = _numbers(pa, batch.column(layout.value), "value", faults)
    keys = [_texts(pa, batch.column(i), batch.schema.names[i], faults) for i in layout.keys]
    faults.raise_any()
    for at in np.flatnonzero(~np.isfinite(times))[:100].tolist():
        faults.add(f"row {row + at}", "time is missing, or not a time")
    codes = _codes(keys, layout, columns, faults, row)
    kept = np.isfinite(times) & (codes >= 0)
    lines = np.arange(row, row + batch.num_rows)
    columns.extend(codes[kept], times[kept], values[kept], lines[kept])


def _times(pa: Any, column: Any, faults: Faults) -> FloatArray:
    if not pa.types.is_timestamp(column.type):
        return _numbers(pa, column, "time", faults)
    per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
    ticks: NDArray[np.int64] = column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    missing: NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, np.nan, ticks / per_second)


def _numbers(pa: Any, column: Any, name: str, faults: Faults) -> FloatArray:
    """A numeric column as float64; null is NaN (a value that is absent, a time that is a fault)."""
    types = pa.types
    if not (types.is_integer(column.type) or types.is_floating(column.type) or types.is_decimal(column.type)):
        faults.add("", f"column {name} is {column.type}: a number is expected")
        return np.full(len(column), np.nan)
    numbers: FloatArray = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers


def _texts(pa: Any, column: Any, name: str, faults: Faults) -> tuple[NDArray[np.int64], list[str | None]]:
    """(code of each row, text of each code); null is a code of its own."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_null(kind):
        return np.zeros(len(column), np.int64), [None]
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        faults.add("", f"column {name} is {column.type}: text is expected")
        return np.zeros(len(column), np.int64), [None]
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    codes = encoded.indices.cast(pa.int64()).fill_null(len(texts)).to_numpy(zero_copy_only=False)
    return codes, [*texts, None]


def _codes(
    keys: list[tuple[NDArray[np.int64], list[str | None]]],
    layout: Layout,
    columns: SampleColumns,
    faults: Faults,
    row: int,
) -> NDArray[np.int64]:
    """The series code of each row; -1 where the metric's name is none."""
    combined = np.zeros(len(keys[0][0]), np.int64)
    for codes, texts in keys:  # numbered anew after each column, so that the product cannot overflow
        _, combined = np.unique(combined * len(texts) + codes, return_inverse=True)
    _, first, inverse = np.unique(combined, return_index=True, return_inverse=True)
    known = np.full(len(first), -1, np.int64)
    for number, at in enumerate(first.tolist()):
        try:
            known[number] = columns.code(layout.series([texts[codes[at]] for codes, texts in keys]))
        except ValueError as error:
            faults.add(f"row {row + at}", str(error))
    found: NDArray[np.int64] = known[inverse]
    return found


def batches(series: Iterator[Series], labels: tuple[str, ...], pa: Any) -> Iterator[Any]:
    """One record batch a series, for the writer; dictionary-encoded, so a series' names are stored once."""
    for one in series:
        own, size = dict(one.id.labels), len(one.times)
        constant = [_constant(pa, text, size) for text in (one.id.name, *(own.get(label) for label in labels))]
        yield [pa.array(one.times), constant[0], pa.array(one.values), *constant[1:]]


def _constant(pa: Any, text: str | None, size: int) -> Any:
    indices = pa.array(np.zeros(size, np.int32), mask=np.full(size, text is None))
    return pa.DictionaryArray.from_arrays(indices, pa.array([text or ""]))
