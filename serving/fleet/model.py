"""What the local platform is asked for (`PlatformSpec`) and what it says of itself while it runs (`PlatformState`)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from serving.errors import BadInput

ProcessState = Literal["starting", "ready", "backoff", "stopped"]
Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]
_THRESHOLD = "must be above 0 and at most 3600"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A further process the supervisor owns, started once the gateway is up (the sample recorder, for instance)."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlatformSpec:
    """The platform asked for.

    `port` is the gateway's (0 picks a free one); every other port is picked free. `time_scale` stretches emulated step
    times; above 20 a loaded replica answers no health probe in time. `prometheus` is `auto` (start it when its binary
    is found) or `off`. Thresholds define goodput.
    """

    replicas: int = 3
    profile: str = "h100-llama3-8b-tp1"
    time_scale: float = 1.0
    port: int = 8400
    ttft_threshold_s: float = 1.0
    tpot_threshold_s: float = 0.05
    prometheus: Literal["auto", "off"] = "auto"
    scrape_interval_s: float = 1.0
    sidecars: tuple[Sidecar, ...] = ()

    def __post_init__(self) -> None:
        faults = [text for bad, text in self._faults() if bad]
        if faults:
            raise BadInput(f"platform: {'; '.join(faults)}")

    def _faults(self) -> list[tuple[bool, str]]:
        return [
            (
                type(self.replicas) is not int or not 1 <= self.replicas <= 16,
                f"replicas is {self.replicas!r}: use 1 to 16 on one machine",
            ),
            (
                not 0.01 <= self.time_scale <= 20,
                f"time_scale is {self.time_scale:g}: use 0.01 to 20 (1 is real time)",
            ),
            (
                type(self.port) is not int or not 0 <= self.port <= 65535,
                f"port is {self.port!r}: use 1 to 65535, or 0 for a free one",
            ),
            (not isinstance(self.profile, str), f"profile is {self.profile!r}: use the name of one"),
            (not 0 < self.ttft_threshold_s <= 3600, f"ttft_threshold_s is {self.ttft_threshold_s:g}: {_THRESHOLD}"),
            (not 0 < self.tpot_threshold_s <= 3600, f"tpot_threshold_s is {self.tpot_threshold_s:g}: {_THRESHOLD}"),
            (self.prometheus not in {"auto", "off"}, f"prometheus is {self.prometheus!r}: use auto or off"),
            (
                not 0.2 <= self.scrape_interval_s <= 60,
                f"scrape_interval_s is {self.scrape_interval_s:g}: use 0.2 to 60",
            ),
        ]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, *, path: str = "spec.json") -> PlatformSpec:
        """Parse what `to_json` wrote. Raises BadInput, one line, for anything else."""
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise BadInput(f"{path}: not JSON ({error}): write it with `sre up`") from error
        known = {f.name for f in fields(cls)}
        if not isinstance(data, dict) or not set(data) <= known:
            extra = ", ".join(sorted(set(data) - known)) if isinstance(data, dict) else type(data).__name__
            raise BadInput(f"{path}: unknown keys ({extra}): known are {', '.join(sorted(known))}")
        try:
            data["sidecars"] = tuple(Sidecar(s["name"], tuple(s["argv"])) for s in data.get("sidecars", ()))
            return cls(**data)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
        except (TypeError, KeyError) as error:
            raise BadInput(f"{path}: a value has the wrong type ({error}): write it with `sre up`") from error


@dataclass(slots=True)
class ProcessInfo:
    """One owned process. `created` is its creation time, so that a recycled pid is never taken for it."""

    name: str
    state: ProcessState = "starting"
    pid: int | None = None
    created: float | None = None


@dataclass(slots=True)
class EndpointInfo(ProcessInfo):
    url: str = ""


@dataclass(slots=True)
class ReplicaInfo(ProcessInfo):
    http_url: str = ""
    grpc_address: str = ""
    metrics_url: str = ""
    restarts: int = 0
    ready_at: float | None = None


@dataclass(slots=True)
class PlatformState:
    """The content of `state.json` (see docs/contracts.md). Mutable: the supervisor owns the only instance."""

    platform_id: str
    started_at: float
    supervisor: ProcessInfo
    gateway: EndpointInfo
    spec: PlatformSpec
    replicas: list[ReplicaInfo] = field(default_factory=list)
    prometheus: EndpointInfo | None = None
    recorder: ProcessInfo | None = None
    phase: Phase = "starting"
    error: str | None = None
    schema: int = 1

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


@dataclass(frozen=True, slots=True)
class StateFiles:
    """Where things lie below a state directory."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def samples(self) -> Path:
        return self.root / "samples"
