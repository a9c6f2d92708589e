"""FOCUS rows as a file: CSV, or Parquet with pyarrow (the extra `parquet`). Same rows, byte-identical files."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sre.cost.focus import FocusRow, Value
from sre.cost.focus_columns import COLUMNS
from sre.errors import EnvironmentLacks

_PRECISION, _SCALE = 30, 12
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def write_csv(rows: Sequence[FocusRow], path: Path) -> None:
    """Null is an empty field; times are ISO 8601 in UTC; text that a spreadsheet would run as a formula has an
    apostrophe before it. Raises EnvironmentLacks when the file cannot be written."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in COLUMNS])
    writer.writerows([_text(row.get(column.name)) for column in COLUMNS] for row in rows)
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error.strerror) from error


def write_parquet(rows: Sequence[FocusRow], path: Path) -> None:
    """Money as decimal(30, 12), times as timestamps in UTC. Raises EnvironmentLacks, without pyarrow too."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise EnvironmentLacks("Parquet needs pyarrow: pip install 'llm-gameday[parquet]'") from error
    types: dict[str, Any] = {
        "text": pyarrow.string(),
        "pairs": pyarrow.string(),
        "decimal": pyarrow.decimal128(_PRECISION, _SCALE),
        "time": pyarrow.timestamp("ms", tz="UTC"),
    }
    schema = pyarrow.schema([pyarrow.field(one.name, types[one.kind], nullable=one.nullable) for one in COLUMNS])
    columns = {one.name: [row.get(one.name) for row in rows] for one in COLUMNS}
    try:
        pyarrow.parquet.write_table(pyarrow.table(columns, schema=schema), path)
    except OSError as error:  # pyarrow's text repeats the path
        raise _unwritable(path, os.strerror(error.errno) if error.errno else "?") from error


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
        return (
            at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
            if at.microsecond
            else at.strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    return f"'{value}" if value.startswith(_FORMULAS) else value


def _unwritable(path: Path, why: str | None) -> EnvironmentLacks:
    return EnvironmentLacks(f"{path}: cannot be written ({why}): choose another --out")
