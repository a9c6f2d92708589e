"""What the recorder scrapes, read from `recorder.json`.

A series gets the labels Prometheus would give it (`job`, `instance`, the target's own), so that it is the same series
in either source. Only loopback targets are accepted: the recorder has no credentials and no business on a network.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sre.errors import BadDocument

RESERVED_LABELS = ("job", "instance")


@dataclass(frozen=True, slots=True)
class Target:
    """One metrics page. `labels` are added to each of its series beside `job` and `instance`.

    `via` is where the page is fetched instead of `url`, while it is reached by another way; its series stay the same.
    """

    job: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()
    via: str | None = None

    @property
    def instance(self) -> str:
        """`host:port`, what Prometheus calls the instance."""
        return urlsplit(self.url).netloc

    @property
    def identity(self) -> tuple[tuple[str, str], ...]:
        """Sorted label pairs of this target's `up` series; every series of the target carries them too."""
        return tuple(sorted({"job": self.job, "instance": self.instance, **dict(self.labels)}.items()))


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """`recorder.json`. A segment holds `segment_s` of samples and is removed `retention_s` after it ended."""

    directory: Path
    targets: tuple[Target, ...]
    interval_s: float = 1.0
    retention_s: float = 7200.0
    segment_s: float = 120.0
    keep: tuple[str, ...] = field(default=())


def read_config(path: Path) -> RecorderConfig:
    """Read and check `recorder.json`. Raises BadDocument with every fault found."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): give the recorder's configuration"]) from error
    except ValueError as error:
        raise BadDocument([f"{path}: not JSON ({error}): see docs/contracts.md for its form"]) from error
    if not isinstance(record, dict):
        raise BadDocument([f"{path}: a JSON object is expected at the top"])
    check = _Check(path)
    config = check.config(record)
    if check.faults:
        raise BadDocument(check.faults)
    return config


def scrape_timeout_s(interval_s: float) -> float:
    """A scrape that takes longer has failed; below the interval, so that scrapes of one target never overlap."""
    return 0.8 * interval_s


class _Check:
    """Collects every fault of one configuration file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[str] = []

    def config(self, record: dict[str, Any]) -> RecorderConfig:
        known = {"interval_s", "directory", "retention_s", "segment_s", "targets", "keep"}
        for key in sorted(set(record) - known):
            self._fault(key, f"unknown key: use one of {', '.join(sorted(known))}")
        raw_targets = record.get("targets")
        if not isinstance(raw_targets, list) or not raw_targets:
            self._fault("targets", "a list of at least one target is expected")
            raw_targets = []
        if not record.get("directory"):
            self._fault("directory", "missing: say where samples go")
        return RecorderConfig(
            directory=Path(str(record.get("directory"))),
            targets=self._unique([self._target(raw, f"targets[{i}]") for i, raw in enumerate(raw_targets)]),
            interval_s=self._positive(record, "interval_s", 1.0),
            retention_s=self._positive(record, "retention_s", 7200.0),
            segment_s=self._positive(record, "segment_s", 120.0),
            keep=self._prefixes(record.get("keep", [])),
        )

    def _target(self, raw: object, where: str) -> Target:
        if not isinstance(raw, dict):
            self._fault(where, "an object with job, url and labels is expected")
            return Target("", "")
        job, url, labels = raw.get("job"), raw.get("url"), raw.get("labels", {})
        if not isinstance(job, str) or not job:
            self._fault(f"{where}.job", "missing: name the job")
        if not isinstance(url, str) or not _is_loopback(url):
            self._fault(
                f"{where}.url", f"{url!r} is not an http URL of this machine: use http://127.0.0.1:PORT/metrics"
            )
        via = raw.get("via")
        if via is not None and (not isinstance(via, str) or not _is_loopback(via)):
            self._fault(f"{where}.via", f"{via!r} is not an http URL of this machine")
        if not isinstance(labels, dict) or not all(isinstance(v, str) for v in labels.values()):
            self._fault(f"{where}.labels", "an object of strings is expected")
            labels = {}
        for label in sorted(set(labels) & set(RESERVED_LABELS)):
            self._fault(f"{where}.labels.{label}", "is set by the recorder itself: choose another label name")
        return Target(str(job), str(url), tuple(sorted(labels.items())), None if via is None else str(via))

    def _unique(self, targets: list[Target]) -> tuple[Target, ...]:
        seen: set[tuple[tuple[str, str], ...]] = set()
        for i, target in enumerate(targets):
            if target.url and target.identity in seen:
                self._fault(f"targets[{i}]", "has the job, address and labels of an earlier one: remove it")
            seen.add(target.identity)
        return tuple(targets)

    def _positive(self, record: dict[str, Any], key: str, default: float) -> float:
        value = record.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            self._fault(key, f"{value!r} is not a positive number of seconds")
            return default
        return float(value)

    def _prefixes(self, raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list) or not all(isinstance(prefix, str) for prefix in raw):
            self._fault("keep", "a list of metric name prefixes is expected")
            return ()
        return tuple(raw)

    def _fault(self, where: str, problem: str) -> None:
        self.faults.append(f"{self._path}: {where}: {problem}")


def _is_loopback(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False
