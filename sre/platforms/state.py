"""Reads what the supervisor says of itself: `state.json` (replaced atomically) and `events.jsonl` (appended).

Contract in docs/contracts.md. A reader meets these files missing, half a platform old, or damaged by a full disk; each
of those is one line with its mend, never a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sre.errors import PlatformError
from sre.platforms.model import ReplicaState
from sre.platforms.processes import ProcessRef

STATE_FILE = "state.json"
EVENTS_FILE = "events.jsonl"


class NotUp(PlatformError):  # noqa: N818
    """No platform was started in this state directory, or it was stopped."""


@dataclass(frozen=True, slots=True)
class ReplicaEntry:
    """A replica as the supervisor last wrote it down. Its process may have died since."""

    name: str
    state: ReplicaState
    process: ProcessRef | None
    metrics_url: str
    restarts: int
    ready_at: float | None
    serving: bool | None = None
    rotation: str | None = None
    http_url: str = ""
    grpc_address: str = ""
    routed_by: str | None = None


@dataclass(frozen=True, slots=True)
class AutoscalerEntry:
    """The autoscaler as the supervisor last wrote it down; `policy` is the file it follows."""

    policy: str
    state: str
    process: ProcessRef | None
    url: str = ""


@dataclass(frozen=True, slots=True)
class LocalState:
    """The part of `state.json` that other processes act on. What is absent there is None here."""

    platform_id: str
    phase: str
    error: str | None
    started_at: float
    supervisor: ProcessRef | None
    gateway_url: str
    gateway: ProcessRef | None
    prometheus_url: str | None
    recorder: ProcessRef | None
    prometheus: ProcessRef | None
    replicas: tuple[ReplicaEntry, ...]
    desired_replicas: int | None = None
    max_replicas: int | None = None
    engine: str | None = None
    autoscaler: AutoscalerEntry | None = None


def read_state(state_dir: Path) -> LocalState:
    """Raises NotUp when there is no state file, PlatformError when it cannot be understood."""
    path = state_dir / STATE_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise NotUp(f"{state_dir}: no platform is up here: start one with `sre up`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    try:
        return _parse(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(path, error) from error


class EventTail:
    """Reads `events.jsonl` on from where the last call stopped. A line still being written is left for the next."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / EVENTS_FILE
        self._offset = 0

    def new(self) -> list[dict[str, Any]]:
        """Events completed since the last call, in order. Raises PlatformError for a line that is no JSON object."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                complete, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return []
        self._offset += len(complete + newline)
        try:
            return [dict(json.loads(line)) for line in complete.splitlines() if line.strip()]
        except (ValueError, TypeError) as error:
            raise _unreadable(self._path, error) from error


def _unreadable(path: Path, error: Exception) -> PlatformError:
    why = f"{type(error).__name__}: {error}".replace("\n", " ")
    return PlatformError(f"{path}: cannot be understood ({why}): clean up with `sre down`, then `sre up`")


def _parse(data: Mapping[str, Any]) -> LocalState:
    prometheus, recorder, autoscaler = data.get("prometheus"), data.get("recorder"), data.get("autoscaler")
    spec = data.get("spec") or {}
    return LocalState(
        platform_id=str(data["platform_id"]),
        phase=str(data["phase"]),
        error=data.get("error"),
        started_at=float(data["started_at"]),
        supervisor=_process(data["supervisor"]),
        gateway_url=str(data["gateway"]["url"]),
        gateway=_process(data["gateway"]),
        prometheus_url=None if prometheus is None else str(prometheus["url"]),
        recorder=None if recorder is None else _process(recorder),
        prometheus=None if prometheus is None else _process(prometheus),
        replicas=tuple(_replica(entry) for entry in data["replicas"]),
        desired_replicas=data.get("desired_replicas"),
        max_replicas=spec.get("max_replicas"),
        engine=spec.get("engine"),
        autoscaler=None if autoscaler is None else _autoscaler(autoscaler),
    )


def _autoscaler(entry: Mapping[str, Any]) -> AutoscalerEntry:
    return AutoscalerEntry(str(entry["policy"]), str(entry["state"]), _process(entry), str(entry.get("url", "")))


def _replica(entry: Mapping[str, Any]) -> ReplicaEntry:
    ready_at = entry.get("ready_at")
    return ReplicaEntry(
        name=str(entry["name"]),
        state=cast("ReplicaState", str(entry["state"])),
        process=_process(entry),
        metrics_url=str(entry["metrics_url"]),
        restarts=int(entry["restarts"]),
        ready_at=None if ready_at is None else float(ready_at),
        serving=entry.get("serving"),
        rotation=entry.get("rotation"),
        grpc_address=str(entry.get("grpc_address", "")),
        routed_by=(entry.get("route") or {}).get("owner"),
        http_url=str(entry.get("http_url", "")),
    )


def _process(entry: Mapping[str, Any]) -> ProcessRef | None:
    pid, created = entry.get("pid"), entry.get("created")
    return None if pid is None or created is None else ProcessRef(int(pid), float(created))
