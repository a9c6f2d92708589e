"""History written to files that `open_source` reads back: what is kept when Prometheus's retention has passed.

Each file is whole or absent. Times are written to the millisecond, as Prometheus has them, values exactly.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from sre.errors import EnvironmentLacks
from sre.metrics.columns import by_identity
from sre.metrics.heads import write_head
from sre.metrics.layout import METRIC, RESERVED, TIME, VALUE, column_of
from sre.metrics.model import Series


def write_openmetrics(series: Sequence[Series], path: Path) -> None:
    """OpenMetrics text, also for `promtool tsdb create-blocks-from openmetrics`; packed when `path` ends in `.gz`.

    Metrics carry no type: a source does not know it. Raises EnvironmentLacks when the file cannot be written.
    """
    with _replacing(path) as out:
        for one in sorted(series, key=by_identity):
            head = write_head(one.id)
            rows = zip(_numbers(one.values.tolist()), _times(one.times.tolist()), strict=True)
            out.write("".join([f"{head} {value} {at}\n" for value, at in rows]).encode())
        out.write(b"# EOF\n")


def write_csv(series: Sequence[Series], path: Path) -> None:
    """CSV in the layout of `sre.metrics.layout`, time in Unix seconds; packed when `path` ends in `.gz`."""
    labels = _labels(series)
    with _replacing(path) as out:
        out.write(_csv_line([TIME, METRIC, VALUE, *map(column_of, labels)]).encode())
        for one in sorted(series, key=by_identity):
            own = dict(one.id.labels)
            tail = _csv_line([own.get(label, "") for label in labels]) if labels else "\n"
            middle, tail = f",{one.id.name},", f",{tail}" if labels else tail
            rows = zip(_times(one.times.tolist()), _numbers(one.values.tolist()), strict=True)
            out.write("".join([f"{at}{middle}{value}{tail}" for at, value in rows]).encode())


def write_parquet(series: Sequence[Series], path: Path) -> None:
    """Parquet in the same layout, time as float64 seconds. Raises EnvironmentLacks without pyarrow."""
    from sre.metrics.parquet_samples import arrow, batches

    pa = arrow()
    labels = _labels(series)
    text = pa.dictionary(pa.int32(), pa.string())
    kinds = [pa.float64(), text, pa.float64(), *([text] * len(labels))]
    schema = pa.schema(list(zip([*RESERVED, *map(column_of, labels)], kinds, strict=True)))
    with _replacing(path) as out, pa.parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for arrays in batches(iter(sorted(series, key=by_identity)), labels, pa):
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # so that cells with either character are quoted
    return line.getvalue().removesuffix("\r\n") + "\n"


def _labels(series: Sequence[Series]) -> tuple[str, ...]:
    return tuple(sorted({label for one in series for label, _ in one.id.labels}))


def _times(seconds: list[float]) -> list[str]:
    return [f"{at:.3f}" for at in seconds]


def _numbers(values: list[float]) -> list[str]:
    """Whole numbers without a fraction; anything else so that it reads back to the same float."""
    return [str(int(v)) if v.is_integer() and abs(v) < 2**53 else _text(v) for v in values]


def _text(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf")


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file beside `path` that takes its place when the block ends well, and is gone when it does not."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            if path.suffix == ".gz":
                # no name and time inside: the same samples give the same bytes
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    yield cast("IO[bytes]", packed)
            else:
                yield cast("IO[bytes]", file)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise EnvironmentLacks(
                f"{path}: cannot be written ({error.strerror or error}); free space or choose another folder"
            ) from error
        raise
