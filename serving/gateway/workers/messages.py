"""What a worker and the coordinator say to each other (docs/contracts.md, "Gateway workers").

A message is a JSON array: its kind, then its fields. `call` numbers a question, and the answer has the same number;
`visit` numbers a request of the worker's, `lease` a place on a replica that the coordinator gave.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from serving.gateway.errors import ApiError
from serving.gateway.generation import NoPlace
from serving.gateway.ratelimit import Allowance
from serving.gateway.series import Change

PROTOCOL = 2

Allowances = Mapping[str, Sequence[float]]
"""What a tenant has left, by resource: limit, remaining, reset_s."""
Fault = Sequence[Any]
"""An ApiError: status, message, outcome, kind, param, code, retry_after_s, rejection, expired."""


class Progress(NamedTuple):
    """How a lease stands. Times are seconds of the machine's monotonic clock, which all its processes share."""

    lease: int
    pieces: int
    waiting: bool
    first_at: float
    last_at: float
    first_due_at: float | None
    prefill_tokens: int


# a worker says


class Ready(NamedTuple):
    """It serves."""


class Enter(NamedTuple):
    call: int
    visit: int
    tenant: str


class Admit(NamedTuple):
    call: int
    visit: int
    prompt_tokens: int
    max_tokens: int
    priority: int
    deadline_at: float | None
    prefix: Sequence[int]
    fingerprint: int
    stream: bool


class Elsewhere(NamedTuple):
    call: int
    visit: int
    lives: Mapping[str, int]
    erred: Sequence[str]
    until: float
    free: bool


class Spare(NamedTuple):
    call: int
    visit: int
    lives: Mapping[str, int]
    erred: Sequence[str]


class Failed(NamedTuple):
    lease: int
    reason: Any
    detail: str


class Release(NamedTuple):
    lease: int


class Leave(NamedTuple):
    """The visit is over, with all its questions and leases."""

    visit: int
    used_tokens: int


class Report(NamedTuple):
    """`closed` counts the connections that ended, since the start; `changes` are the counters'."""

    closed: int
    progress: Sequence[Sequence[Any]]
    changes: Sequence[Change]


class AskPage(NamedTuple):
    call: int
    path: str
    accept: str


class Flushed(NamedTuple):
    number: int


# the coordinator says


class Hello(NamedTuple):
    protocol: int
    config: str
    tenants: Sequence[Mapping[str, Any]]
    started_at: int


class Entered(NamedTuple):
    call: int
    allowances: Allowances


class Granted(NamedTuple):
    """`replica` is its name, `grpc_address` and `url`."""

    call: int
    lease: int
    replica: Mapping[str, Any]
    life: int
    opened_at: float
    allowances: Allowances


class Refused(NamedTuple):
    call: int
    fault: Fault
    allowances: Allowances


class Unplaced(NamedTuple):
    """No place elsewhere; `why` is None for a second attempt, which needs no reason."""

    call: int
    why: NoPlace | None


class Paged(NamedTuple):
    call: int
    status: int
    content_type: str
    body: str


class Lost(NamedTuple):
    """The lease's replica is lost or, when `moved`, to be left because an operator says so."""

    lease: int
    moved: bool
    reason: Any
    detail: str


class Known(NamedTuple):
    """The replicas there are; `by_text`: some of them go on from text alone."""

    names: Sequence[str]
    by_text: bool


class Flush(NamedTuple):
    """Asks for a Report at once, then Flushed."""

    number: int


class Close(NamedTuple):
    """End what still runs, and exit."""


_TO_COORDINATOR = (Ready, Enter, Admit, Elsewhere, Spare, Failed, Release, Leave, Progress, Report, AskPage, Flushed)
_TO_WORKER = (Hello, Entered, Granted, Refused, Unplaced, Paged, Lost, Known, Flush, Close)
_KINDS: Mapping[str, Any] = {kind.__name__: kind for kind in (*_TO_COORDINATOR, *_TO_WORKER)}

Message = tuple[Any, ...]
"""One of the above."""


def encode(messages: Iterable[Message]) -> bytes:
    return json.dumps([(type(message).__name__, *message) for message in messages], separators=(",", ":")).encode()


def decode(data: bytes | bytearray) -> list[Message]:
    return [_KINDS[kind](*fields) for kind, *fields in json.loads(data)]


def fault_of(error: ApiError) -> Fault:
    return (
        error.status,
        error.message,
        error.outcome,
        error.kind,
        error.param,
        error.code,
        error.retry_after_s,
        error.rejection,
        error.expired,
    )


def error_of(fault: Fault) -> ApiError:
    status, message, outcome, kind, param, code, retry_after_s, rejection, expired = fault
    return ApiError(
        status,
        message,
        outcome=outcome,
        kind=kind,
        param=param,
        code=code,
        retry_after_s=retry_after_s,
        rejection=rejection,
        expired=expired,
    )


def plain(allowances: Mapping[str, Allowance]) -> Allowances:
    return {name: (left.limit, left.remaining, left.reset_s) for name, left in allowances.items()}


def allowances_of(allowances: Allowances) -> dict[str, Allowance]:
    return {
        name: Allowance(int(limit), int(remaining), reset_s) for name, (limit, remaining, reset_s) in allowances.items()
    }
