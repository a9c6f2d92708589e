"""One way to a source of samples: a Prometheus address, or a file or folder, told by its name and what is in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from sre.errors import BadDocument, NoData, SreError
from sre.metrics.credentials import Credentials
from sre.metrics.model import SampleSource, SourceFacts

TOKEN_ENV = "SRE_PROMETHEUS_TOKEN"  # noqa: S105  (the variable's name)
OPENMETRICS = (".prom", ".txt", ".om", ".openmetrics")
_KNOWN = (
    "a recorder's folder, a drill's samples.jsonl, .om, .openmetrics, .prom, .txt or .csv (these also as .gz), "
    ".parquet or a folder of .parquet files"
)


@runtime_checkable
class OpenSource(SampleSource, SourceFacts, Protocol):
    """What `open_source` gives: a source that knows itself and is closed after use, best by a `with` block."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Either `prometheus` (its URL) or `path` (samples on disk). The rest is for Prometheus, see `Credentials`.

    `timeout_s` bounds every request. `allow_partial` accepts answers that the server itself calls incomplete.
    """

    prometheus: str | None = None
    path: Path | None = None
    token_file: Path | None = None
    token_env: str | None = TOKEN_ENV
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    timeout_s: float = 30.0
    allow_partial: bool = False


def open_source(spec: SourceSpec) -> OpenSource:
    """The source that `spec` names. A Prometheus server is not asked anything yet; a file is read whole.

    Raises SreError for a spec that names none or two, BadDocument for a file that is malformed, NoData for a folder
    without samples, EnvironmentLacks for missing secrets, certificates or pyarrow.
    """
    if spec.prometheus is not None and spec.path is not None:
        raise SreError("a Prometheus address and a path are two sources: give one")
    if spec.prometheus is not None:
        return _prometheus(spec, spec.prometheus)
    if spec.path is not None:
        return open_samples(spec.path)
    raise SreError("no source of samples: give a Prometheus address, or a file or folder of samples")


def open_samples(path: Path) -> OpenSource:
    """Samples on disk. Raises as `open_source`."""
    if not path.exists():
        raise BadDocument([f"{path}: no such file or folder: give {_KNOWN}"])
    return _folder(path) if path.is_dir() else _reader_of(path)(path)


def _prometheus(spec: SourceSpec, url: str) -> OpenSource:
    from sre.metrics.prometheus import PrometheusSamples

    if not spec.timeout_s > 0:
        raise SreError(f"a time-out of {spec.timeout_s:g} s leaves no time to answer: give seconds, above 0")
    credentials = Credentials(
        token_file=spec.token_file,
        token_env=spec.token_env,
        username=spec.username,
        password_file=spec.password_file,
        password_env=spec.password_env,
        ca_file=spec.ca_file,
        cert_file=spec.cert_file,
        key_file=spec.key_file,
    )
    return PrometheusSamples(url, timeout_s=spec.timeout_s, credentials=credentials, allow_partial=spec.allow_partial)


def _folder(path: Path) -> OpenSource:
    from sre.metrics.files import RecordedSamples
    from sre.metrics.parquet_samples import read_parquet
    from sre.metrics.segments import stored_samples

    recorded, parquet = bool(stored_samples(path)), any(path.glob("*.parquet"))
    if recorded and parquet:
        raise BadDocument([f"{path}: holds a recorder's samples and Parquet files: give a folder of one kind"])
    if parquet:
        return read_parquet(path)
    if recorded:
        return RecordedSamples(path)
    raise NoData(f"{path}: no samples in this folder: is the recorder running? Else give {_KNOWN}")


def _reader_of(path: Path) -> Callable[[Path], OpenSource]:
    packed = path.suffix.lower() == ".gz"
    kind = Path(path.stem if packed else path.name).suffix.lower()
    if kind in OPENMETRICS:
        from sre.metrics.openmetrics import read_openmetrics

        return read_openmetrics
    if kind == ".csv":
        from sre.metrics.csv_samples import read_csv

        return read_csv
    if kind == ".parquet" and not packed:
        from sre.metrics.parquet_samples import read_parquet

        return read_parquet
    if kind == ".jsonl" and not packed:
        from sre.metrics.files import read_extract

        return read_extract
    raise BadDocument([f"{path}: no kind of samples is called so: give {_KNOWN}"])
