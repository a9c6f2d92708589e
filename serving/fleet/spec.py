"""The platform asked for: what `sre up` writes into `spec.json` and the supervisor reads back."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from serving.engine.vllm import VllmConfig
from serving.errors import BadInput

MOST_REPLICAS = 16
MOST_GATEWAY_WORKERS = 32
MOST_TOKENS = 1_000_000
Engine = Literal["emulated", "vllm"]
Routing = Literal["affinity", "least_outstanding", "round_robin"]
_THRESHOLD = "must be above 0 and at most 3600"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A further process the supervisor owns, started once the gateway is up (the sample recorder, for instance)."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GpuPrice:
    """What an hour of one GPU costs, and how many a replica holds. `per_gpu_hour` is text: money keeps its digits."""

    name: str
    per_gpu_hour: str
    currency: str = "USD"
    gpus_per_replica: int = 1

    @property
    def replica_hour(self) -> float:
        """An hour of one replica; NaN where the amount is none."""
        try:
            return float(self.per_gpu_hour) * self.gpus_per_replica
        except ValueError:
            return math.nan


@dataclass(frozen=True, slots=True)
class PlatformSpec:
    """The platform asked for.

    `port` is the gateway's (0 picks a free one); every other port is picked free. `time_scale` stretches emulated step
    times; above 20 a loaded replica answers no health probe in time. `cold_start_scale` stretches the profile's cold
    start (0: none). `prometheus` is `auto` (start it when its binary is found) or `off`. Thresholds define goodput.
    `max_replicas` bounds every change of size. `unhealthy_restart_s` is how long the gateway may hold a replica out of
    rotation before its process is replaced. `vllm` configures that engine (None: a tiny model it creates itself).
    `autoscale` and `tenants` are paths: the policy, the tenants file. `autoscale_clock_factor` compresses the policy's
    windows for drills of minutes. `gateway_workers` is how many processes carry the gateway's bytes. With `price` the
    gateway says what the fleet costs. `routing` is how it spreads work. `max_num_seqs` and `max_num_batched_tokens` of
    the emulated engine are the profile's unless given.
    """

    replicas: int = 3
    profile: str = "h100-llama3-8b-tp1"
    time_scale: float = 1.0
    cold_start_scale: float = 0.0
    engine: Engine = "emulated"
    vllm: VllmConfig | None = None
    port: int = 8400
    ttft_threshold_s: float = 1.0
    tpot_threshold_s: float = 0.05
    prometheus: Literal["auto", "off"] = "auto"
    scrape_interval_s: float = 1.0
    max_replicas: int = MOST_REPLICAS
    unhealthy_restart_s: float = 20.0
    autoscale: str | None = None
    autoscale_clock_factor: float = 1.0
    tenants: str | None = None
    gateway_workers: int = 1
    price: GpuPrice | None = None
    routing: Routing = "affinity"
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    sidecars: tuple[Sidecar, ...] = ()

    def __post_init__(self) -> None:
        faults = [text for bad, text in (*self._faults(), *self._more_faults()) if bad]
        if faults:
            raise BadInput(f"platform: {'; '.join(faults)}")

    def _faults(self) -> list[tuple[bool, str]]:
        return [
            (
                not _whole(self.replicas, 1, MOST_REPLICAS),
                f"replicas is {self.replicas!r}: use 1 to {MOST_REPLICAS} on one machine",
            ),
            (
                not 0.01 <= self.time_scale <= 20,
                f"time_scale is {self.time_scale:g}: use 0.01 to 20 (1 is real time)",
            ),
            (
                not 0 <= self.cold_start_scale <= 10,
                f"cold_start_scale is {self.cold_start_scale:g}: use 0 (none) to 10 (1 is real time)",
            ),
            (not _whole(self.port, 0, 65535), f"port is {self.port!r}: use 1 to 65535, or 0 for a free one"),
            (not isinstance(self.profile, str), f"profile is {self.profile!r}: use the name of one"),
            (not 0 < self.ttft_threshold_s <= 3600, f"ttft_threshold_s is {self.ttft_threshold_s:g}: {_THRESHOLD}"),
            (not 0 < self.tpot_threshold_s <= 3600, f"tpot_threshold_s is {self.tpot_threshold_s:g}: {_THRESHOLD}"),
            (self.prometheus not in {"auto", "off"}, f"prometheus is {self.prometheus!r}: use auto or off"),
            (
                not 0.2 <= self.scrape_interval_s <= 60,
                f"scrape_interval_s is {self.scrape_interval_s:g}: use 0.2 to 60",
            ),
        ]

    def _more_faults(self) -> list[tuple[bool, str]]:
        bounds_fit = _whole(self.replicas, 1, MOST_REPLICAS) and _whole(self.max_replicas, self.replicas, MOST_REPLICAS)
        return [
            (
                _whole(self.replicas, 1, MOST_REPLICAS) and not bounds_fit,
                f"max_replicas is {self.max_replicas!r}: use replicas ({self.replicas}) to {MOST_REPLICAS}",
            ),
            (self.engine not in {"emulated", "vllm"}, f"engine is {self.engine!r}: use emulated or vllm"),
            (
                not 0.5 <= self.unhealthy_restart_s <= 3600,
                f"unhealthy_restart_s is {self.unhealthy_restart_s:g}: use 0.5 to 3600",
            ),
            (
                not 1 <= self.autoscale_clock_factor <= 600,
                f"autoscale_clock_factor is {self.autoscale_clock_factor:g}: use 1 (real time) to 600",
            ),
            (
                not _whole(self.gateway_workers, 1, MOST_GATEWAY_WORKERS),
                f"gateway_workers is {self.gateway_workers!r}: use 1 to {MOST_GATEWAY_WORKERS}",
            ),
            (
                self.price is not None and not 0 < self.price.replica_hour <= 1_000_000,
                f"price is {self.price and self.price.per_gpu_hour!r} a GPU-hour: use an amount above 0",
            ),
            *self._work_faults(),
        ]

    def _work_faults(self) -> list[tuple[bool, str]]:
        limits = {"max_num_seqs": self.max_num_seqs, "max_num_batched_tokens": self.max_num_batched_tokens}
        seqs, budget = self.max_num_seqs, self.max_num_batched_tokens
        return [
            (
                self.routing not in get_args(Routing),
                f"routing is {self.routing!r}: use {', '.join(get_args(Routing))}",
            ),
            *(
                (
                    value is not None and not _whole(value, 1, MOST_TOKENS),
                    f"{name} is {value!r}: use 1 to {MOST_TOKENS}",
                )
                for name, value in limits.items()
            ),
            (
                isinstance(seqs, int) and isinstance(budget, int) and seqs > budget,
                f"max_num_seqs {seqs} exceeds max_num_batched_tokens {budget}: each sequence needs one token a step",
            ),
            (
                self.engine == "vllm" and (seqs is not None or budget is not None),
                "max_num_seqs and max_num_batched_tokens are of the emulated engine: vLLM has its own settings",
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
            if data.get("price") is not None:
                data["price"] = GpuPrice(**data["price"])
            if data.get("vllm") is not None:
                data["vllm"] = VllmConfig(**data["vllm"])
            return cls(**data)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error
        except (TypeError, KeyError) as error:
            raise BadInput(f"{path}: a value has the wrong type ({error}): write it with `sre up`") from error


def _whole(value: object, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
