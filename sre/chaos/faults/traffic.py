"""Faults that clients are: too many, too long, too stubborn, too fickle."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import ClassVar

from sre.chaos.faults.model import Plan
from sre.chaos.faults.parameters import number, require, whole
from sre.chaos.faults.storms import MOST_RPS, Storm, request_complaints, storm_plan
from sre.platforms.model import Platform


@dataclass(frozen=True, slots=True)
class TrafficSurge(Storm):
    """Extra requests at `rate_rps`, or as many as make the present traffic `factor` times as much."""

    name: ClassVar[str] = "traffic-surge"
    summary: ClassVar[str] = "more requests than usual, all at once, from new clients"
    protects: ClassVar[str] = "admission by predicted wait, rate limits, load shedding, autoscaling"

    rate_rps: float | None = None
    factor: float | None = None
    prompt_tokens: int = 200
    output_tokens: int = 100
    timeout_s: float = 30.0
    seed: int = 1
    model: str = "llm"
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        both = (self.rate_rps is None) == (self.factor is None)
        require(
            self.name,
            "write either rate_rps (extra requests a second) or factor (of the present traffic)" if both else None,
            None if self.rate_rps is None else number("rate_rps", self.rate_rps, above=0, most=MOST_RPS),
            None if self.factor is None else number("factor", self.factor, above=1, most=100),
            *request_complaints(self.prompt_tokens, self.output_tokens, self.timeout_s),
        )

    def plan(self, platform: Platform) -> Plan:
        return storm_plan(platform, "surge", asdict(self))


@dataclass(frozen=True, slots=True)
class LongPromptFlood(Storm):
    """Few requests, each with a very long prompt: prefill starves everybody's decode, and the KV cache fills."""

    name: ClassVar[str] = "long-prompt-flood"
    summary: ClassVar[str] = "requests with very long prompts, none of them in a prefix cache"
    protects: ClassVar[str] = "chunked prefill, admission by tokens, token rate limits"

    prompt_tokens: int = 8000
    rate_rps: float = 2.0
    output_tokens: int = 16
    timeout_s: float = 60.0
    seed: int = 1
    model: str = "llm"
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        require(
            self.name,
            number("rate_rps", self.rate_rps, above=0, most=MOST_RPS),
            *request_complaints(self.prompt_tokens, self.output_tokens, self.timeout_s),
        )

    def plan(self, platform: Platform) -> Plan:
        return storm_plan(platform, "surge", asdict(self))


@dataclass(frozen=True, slots=True)
class RetryStorm(Storm):
    """Clients whose timeout is shorter than the answer, and which repeat every failure at once: load made of load."""

    name: ClassVar[str] = "retry-storm"
    summary: ClassVar[str] = "clients with short timeouts repeat every failure at once, without back-off"
    protects: ClassVar[str] = "Retry-After, rate limits, load shedding, cancellation of abandoned work"

    clients: int = 50
    timeout_s: float = 0.5
    attempts: int = 5
    pause_s: float = 1.0
    prompt_tokens: int = 200
    output_tokens: int = 100
    seed: int = 1
    model: str = "llm"
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        require(
            self.name,
            whole("clients", self.clients, least=1, most=1000),
            whole("attempts", self.attempts, least=2, most=100),
            number("pause_s", self.pause_s, above=0, most=3600),
            *request_complaints(self.prompt_tokens, self.output_tokens, self.timeout_s),
        )

    def plan(self, platform: Platform) -> Plan:
        return storm_plan(platform, "retry", asdict(self))


@dataclass(frozen=True, slots=True)
class DisconnectStorm(Storm):
    """Clients that open a stream and go away after its first token: every request costs a prefill for nothing."""

    name: ClassVar[str] = "disconnect-storm"
    summary: ClassVar[str] = "clients hang up after the first token"
    protects: ClassVar[str] = "cancellation within 100 ms: the engine stops work nobody reads"

    rate_rps: float = 10.0
    prompt_tokens: int = 200
    output_tokens: int = 400
    timeout_s: float = 30.0
    seed: int = 1
    model: str = "llm"
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        require(
            self.name,
            number("rate_rps", self.rate_rps, above=0, most=MOST_RPS),
            *request_complaints(self.prompt_tokens, self.output_tokens, self.timeout_s),
        )

    def plan(self, platform: Platform) -> Plan:
        return storm_plan(platform, "hang-up", asdict(self))
