"""`plan.json`: what to offer, to whom, for how long. Strict at the edge: an unknown or misspelt key is refused."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from serving.errors import BadInput

DEFAULT_RATE_RPS = 6.0
MAX_REQUESTS = 1_000_000
"""All are laid out in memory before the first is sent; more than this one process could not send either."""
MAX_CONCURRENCY = 4096
TraceFormat = Literal["auto", "azure", "mooncake"]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(ge=1, le=10_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class LengthPlan(_Strict):
    """Log-normal token lengths: `sigma` is the standard deviation of ln(length); clipped to [min, max]."""

    median: PositiveFloat
    sigma: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]
    min: PositiveInt
    max: PositiveInt

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.median <= self.max:
            raise ValueError(f"need min <= median <= max, got {self.min}, {self.median:g}, {self.max}")
        return self


class PrefixPlan(_Strict):
    """Each prompt begins with one of `pool` shared texts of `blocks` x 512 tokens; the k-th is drawn in proportion to
    k^-`skew` (0: all alike).
    """

    pool: Annotated[int, Field(ge=1, le=1_000_000)]
    blocks: Annotated[int, Field(ge=1, le=1000)]
    skew: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)] = 0.0


class Plan(_Strict):
    """One run of the load generator. docs/contracts.md shows the file; the defaults are a chat-like load.

    With `concurrency` the loop is closed: so many clients, each sending its next request when its last one ended, until
    `requests` are sent or `duration_s` is over. Without it requests come at their own times, the first `requests` of
    them when that is given.
    """

    url: str
    out: Path
    model: Annotated[str, Field(min_length=1)] = "llm"
    duration_s: PositiveFloat = 75.0
    rate_rps: PositiveFloat | None = None
    seed: int = 1
    cv: Annotated[float, Field(ge=0, le=20, allow_inf_nan=False)] = 1.0
    prompt_tokens: LengthPlan = LengthPlan(median=400, sigma=0.7, min=16, max=2048)
    output_tokens: LengthPlan = LengthPlan(median=220, sigma=0.4, min=16, max=512)
    prefixes: PrefixPlan | None = None
    requests: Annotated[int, Field(ge=1, le=MAX_REQUESTS)] | None = None
    concurrency: Annotated[int, Field(ge=1, le=MAX_CONCURRENCY)] | None = None
    trace: Path | None = None
    trace_format: TraceFormat = "auto"
    max_prompt_tokens: PositiveInt | None = None
    max_output_tokens: PositiveInt | None = None
    timeout_s: PositiveFloat = 60.0
    api_key_env: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"'{url}' is no http:// or https:// address")
        if not _is_loopback(parts.hostname):
            raise ValueError(f"'{url}' is not this machine: forward its port here (kubectl port-forward, ssh -L)")
        return url.rstrip("/").removesuffix("/v1")

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        requests = (self.rate_rps or DEFAULT_RATE_RPS) * self.duration_s
        if self.trace is None and requests > MAX_REQUESTS:
            raise ValueError(f"{requests:g} requests: lower rate_rps or duration_s, {MAX_REQUESTS} are the most")
        return self

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.trace is None:
            return self
        unused = sorted(self.model_fields_set & {"cv", "prompt_tokens", "output_tokens", "prefixes"})
        if unused:
            raise ValueError(f"'trace' brings its own arrivals and lengths: remove {', '.join(unused)} or the trace")
        return self

    @model_validator(mode="after")
    def _one_loop(self) -> Self:
        if self.concurrency is None:
            return self
        unused = sorted(self.model_fields_set & {"cv", "rate_rps", "trace"})
        if unused:
            raise ValueError(f"'concurrency' makes its own arrivals: remove {', '.join(unused)} or the concurrency")
        if self.requests is None:
            raise ValueError("'concurrency' needs 'requests': how many are sent in all")
        return self


def _is_loopback(host: str) -> bool:
    """Load is only ever offered to this machine: a typing error must not become an attack on somebody's server."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def load_plan(path: Path) -> Plan:
    """The plan in `path`. Raises BadInput naming the file and every fault in it."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot read the plan: {error.strerror}") from error
    return parse_plan(text, where=str(path))


def parse_plan(text: str | bytes, *, where: str) -> Plan:
    """The plan in `text`. Raises BadInput naming `where` and every fault in it."""
    try:
        return Plan.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(_fault(item["loc"], item["msg"]) for item in error.errors())
        raise BadInput(f"{where}: {faults}") from error


def _fault(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    what = message.removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
