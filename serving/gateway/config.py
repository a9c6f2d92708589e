"""The gateway's configuration file, validated at the edge so that the rest may trust it.

Every fault of the file is reported at once. The listener refuses anything but loopback: keys and answers
would travel in plain text.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from serving.errors import BadInput

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ReplicaConfig(BaseModel):
    """A replica the gateway may send work to; it keeps its address over restarts.

    Either `grpc_address` (Triton) or `url` (an OpenAI-compatible server, such as `vllm serve`). `max_seqs` and
    `kv_tokens` are what it can hold at once; None is unknown, and then not limited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    grpc_address: Annotated[str, StringConstraints(pattern=r"^\S+:[0-9]{1,5}$")] | None = None
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$")] | None = None
    max_seqs: Annotated[int, Field(ge=1)] | None = None
    kv_tokens: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.grpc_address is None) == (self.url is None):
            raise ValueError("give either grpc_address (Triton) or url (an OpenAI-compatible server)")
        return self


class HealthConfig(BaseModel):
    """When a replica is taken out of rotation, and how it comes back. Times are seconds.

    A replica with work in hand that sends nothing for `stall_steps` of its usual step times, but at least `stall_min_s`
    and at most `stall_max_s`, is ejected; so is one with `error_threshold` failures in a row, or whose inter-token time
    is over `slow_factor` times the others' median. It is probed by a real inference each `probe_interval_s`, comes back
    half open (`half_open_requests` at a time) and is whole after as many successes. `max_ejected_share` is the floor:
    beyond it nothing is ejected for being silent or slow (a dead connection always counts).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    stall_steps: Annotated[int, Field(ge=2, le=10_000)] = 20
    stall_min_s: Seconds = 1.0
    stall_max_s: Seconds = 5.0
    error_threshold: Annotated[int, Field(ge=1, le=1000)] = 3
    slow_factor: Annotated[float, Field(ge=0, le=1000)] = 0.0
    probe_interval_s: Seconds = 1.0
    probe_timeout_s: Seconds = 2.0
    idle_probe_s: Seconds = 5.0
    half_open_requests: Annotated[int, Field(ge=1, le=1000)] = 2
    max_ejected_share: Annotated[float, Field(ge=0, le=1)] = 0.67


class FailoverConfig(BaseModel):
    """How often and how dearly a request may be tried again.

    `max_attempts` bounds one request's replicas before its first token, `max_replays` its changes of replica after it.
    The fleet-wide retry budget: `budget_ratio` retries for each request, `budget_min_per_s` on top, saved up for
    `budget_window_s`. A prompt under which `poison_deaths` replicas died is refused for `quarantine_s` (0: never).
    `unreplayable` is the policy for jobs whose continuation is not exact. `hedge_after_s` starts a
    second attempt elsewhere when the first token is late (None: never).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    max_replays: Annotated[int, Field(ge=0, le=10)] = 3
    budget_ratio: Annotated[float, Field(ge=0, le=10)] = 0.2
    budget_min_per_s: Annotated[float, Field(ge=0, le=10_000)] = 50.0
    budget_window_s: Seconds = 10.0
    poison_deaths: Annotated[int, Field(ge=0, le=10)] = 2
    quarantine_s: Seconds = 300.0
    unreplayable: Literal["continue", "fail"] = "continue"
    hedge_after_s: Seconds | None = None


class AdmissionConfig(BaseModel):
    """What may wait, and for how long. Times are seconds.

    `max_queue` requests wait for a place; a full queue sheds its lowest priority first. `queue_timeout_s` is the
    longest wait; `no_replica_wait_s` the same while no replica is up at all. `kv_overcommit` is how far the sum of all
    requests' most tokens may go beyond what a replica's KV cache holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_queue: Annotated[int, Field(ge=0, le=100_000)] = 512
    queue_timeout_s: Seconds = 30.0
    no_replica_wait_s: Annotated[float, Field(ge=0, le=3600)] = 5.0
    kv_overcommit: Annotated[float, Field(ge=0.1, le=100)] = 1.0


class RoutingConfig(BaseModel):
    """`affinity` sends a prompt to the replica that holds its prefix, unless that one's outstanding tokens exceed the
    least loaded's by more than `overflow_tokens`. `balancing` is how the rest is spread; `round_robin` is there to be
    compared with: it looks at no load, and with it no holder is too busy. A block is `block_chars` characters of the
    prompt; the gateway remembers at most `max_blocks` per replica.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    affinity: bool = True
    balancing: Literal["least_outstanding", "round_robin"] = "least_outstanding"
    block_chars: Annotated[int, Field(ge=16, le=65_536)] = 256
    overflow_tokens: Annotated[int, Field(ge=0)] = 4096
    max_blocks: Annotated[int, Field(ge=16, le=10_000_000)] = 50_000


class ControlConfig(BaseModel):
    """The control API: a listener of its own on loopback, every call with `Authorization: Bearer <token>`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    port: Annotated[int, Field(ge=0, le=65535)]
    token: Annotated[str, StringConstraints(min_length=16, max_length=200)]


class CostConfig(BaseModel):
    """What an hour of one replica costs, for the cost gauges: its GPUs, whether they work or not."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    replica_hour: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"


class GatewayConfig(BaseModel):
    """What `gateway.json` may say. Times are seconds.

    `first_token_timeout_s` bounds one attempt, `deadline_s` all attempts together, both until the first token;
    `idle_timeout_s` is the longest gap between two tokens. `write_timeout_s` is how long a client may read nothing.
    `default_max_tokens` is used for chat requests that name no limit (completions use OpenAI's 16). `tenants` is the
    path of the tenants file; None serves everybody without a key. `engine` says whose rules of replay hold. `workers`
    is how many processes carry the bytes: with more than one, this one coordinates them (`workers/`). Without `cost`
    there are no cost gauges.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    workers: Annotated[int, Field(ge=1, le=32)] = 1
    platform_id: str = ""
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "llm"
    engine: Literal["emulated", "vllm"] = "emulated"
    replicas: Annotated[list[ReplicaConfig], Field(max_length=64)]
    ttft_threshold_s: Seconds = 1.0
    tpot_threshold_s: Seconds = 0.05
    first_token_timeout_s: Seconds = 30.0
    deadline_s: Seconds = 60.0
    idle_timeout_s: Seconds = 10.0
    write_timeout_s: Seconds = 10.0
    header_timeout_s: Seconds = 10.0
    drain_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 30.0
    max_body_bytes: Annotated[int, Field(ge=1024, le=8 * 1024 * 1024)] = 4 * 1024 * 1024
    max_inflight: Annotated[int, Field(ge=1, le=100_000)] = 1024
    default_max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 256
    tenants: str | None = None
    health: HealthConfig = HealthConfig()
    failover: FailoverConfig = FailoverConfig()
    admission: AdmissionConfig = AdmissionConfig()
    routing: RoutingConfig = RoutingConfig()
    control: ControlConfig | None = None
    cost: CostConfig | None = None

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(f"{host!r} is not a loopback address: use 127.0.0.1 (the gateway speaks plain HTTP)")
        return host

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [replica.name for replica in self.replicas]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"replica names must be unique: {', '.join(twice)}")
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_config(text: str | bytes, *, path: str) -> GatewayConfig:
    """The configuration in `text`. Raises BadInput: one line that names every fault with its place."""
    try:
        return GatewayConfig.model_validate_json(text)
    except ValidationError as error:
        faults = [": ".join(filter(None, [_place(e["loc"]), e["msg"]])) for e in error.errors(include_url=False)]
        raise BadInput(f"{path}: {'; '.join(faults)}") from error


def load_config(path: Path) -> GatewayConfig:
    """Read and validate `path`. Raises BadInput, also when the file cannot be read."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}): give an existing file to --config") from error
    return parse_config(text, path=str(path))


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)
