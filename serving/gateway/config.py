"""The gateway's configuration file, validated at the edge so that the rest may trust it.

Every fault of the file is reported at once. The listener refuses anything but loopback: there is no authentication yet.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from serving.errors import BadInput

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]


class ReplicaConfig(BaseModel):
    """A replica the gateway may send work to; it keeps its address over restarts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    grpc_address: Annotated[str, StringConstraints(pattern=r"^\S+:[0-9]{1,5}$")]


class GatewayConfig(BaseModel):
    """What `gateway.json` may say. Times are seconds.

    `first_token_timeout_s` bounds one attempt, `deadline_s` all attempts together, both until the first token;
    `idle_timeout_s` is the longest gap between two tokens. `idle_probe_s` is how long a replica may be silent
    before it is probed, `stall_probe_s` the same for one that has work.
    `default_max_tokens` is used for chat requests that name no limit (completions use OpenAI's 16).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8400
    platform_id: str = ""
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] = "llm"
    replicas: Annotated[list[ReplicaConfig], Field(min_length=1, max_length=64)]
    ttft_threshold_s: Seconds = 1.0
    tpot_threshold_s: Seconds = 0.05
    max_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    first_token_timeout_s: Seconds = 30.0
    deadline_s: Seconds = 60.0
    idle_timeout_s: Seconds = 10.0
    probe_interval_s: Seconds = 1.0
    probe_timeout_s: Seconds = 5.0
    idle_probe_s: Seconds = 5.0
    stall_probe_s: Seconds = 2.0
    drain_timeout_s: Seconds = 5.0
    body_timeout_s: Seconds = 30.0
    max_body_bytes: Annotated[int, Field(ge=1024, le=8 * 1024 * 1024)] = 4 * 1024 * 1024
    max_inflight: Annotated[int, Field(ge=1, le=100_000)] = 512
    default_max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 256

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str) -> str:
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(f"{host!r} is not a loopback address: use 127.0.0.1 (the gateway has no authentication)")
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
