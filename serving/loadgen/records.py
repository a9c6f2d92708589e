"""Writes `requests.jsonl`: one line as each request finishes, flushed, so that a killed run keeps what it saw."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from serving.errors import BadInput, EnvironmentLacks
from serving.loadgen.model import RequestRecord

FILE_NAME = "requests.jsonl"


class RecordWriter:
    """A context manager over `<out>/requests.jsonl`; an earlier run's file is replaced."""

    def __init__(self, out: Path) -> None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            self._file = (out / FILE_NAME).open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            raise BadInput(f"{out}: cannot write records there: {error.strerror}") from error

    def write(self, record: RequestRecord) -> None:
        """Raises EnvironmentLacks when the disk does not take it."""
        try:
            self._file.write(json.dumps(asdict(record), separators=(",", ":")) + "\n")
        except OSError as error:
            raise EnvironmentLacks(f"{self._file.name}: cannot write a record: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
