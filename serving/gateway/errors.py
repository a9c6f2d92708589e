"""Ways a request ends badly. `ReplicaFailed` may be retried; the others are told to the client."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from serving.errors import ServingError
from serving.gateway.model import FailureReason, Outcome

Rejection = Literal["queue_full", "queue_timeout", "shed", "rate_limit", "too_many", "draining"]
ExpiryStage = Literal["queue", "engine", "stream"]
_NO_CONNECTION = ("failed to connect", "cannot connect")  # gRPC's and aiohttp's words


class ReplicaFailed(ServingError):  # noqa: N818  (reads as a sentence)
    """One attempt on one replica ended without the rest of its tokens; another replica may do better."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: FailureReason = reason
        self.detail = detail


class JobRefused(ServingError):  # noqa: N818
    """The model refused the job itself (`INVALID_ARG:`): no replica would take it."""


class DeadlinePassed(ServingError):  # noqa: N818
    """The client's deadline passed (`DEADLINE_EXCEEDED:` from the engine): no replica can help."""


class Truncated(ServingError):  # noqa: N818
    """Tokens were produced and then their replica failed."""


class ClientStalled(ConnectionError):  # noqa: N818
    """The client takes nothing of what waits for it. A ConnectionError, so that it is handled as a client that left."""


class ApiError(ServingError):
    """An OpenAI-shaped answer other than 200; `outcome` is what the request is counted as.

    `rejection` and `expired` are the reason and the stage under which it is counted beside that.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        outcome: Outcome,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        rejection: Rejection | None = None,
        expired: ExpiryStage | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.outcome: Outcome = outcome
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s
        self.rejection: Rejection | None = rejection
        self.expired: ExpiryStage | None = expired
        self._headers = dict(headers or {})

    def body(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """`Retry-After` in whole seconds, rounded up, and the exact time for clients that know OpenAI's header."""
        if self.retry_after_s is None:
            return self._headers
        exact = {"retry-after-ms": str(math.ceil(self.retry_after_s * 1000))}
        return self._headers | {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))} | exact


def invalid(
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
    headers: Mapping[str, str] | None = None,
) -> ApiError:
    """The client's mistake."""
    return ApiError(status, message, outcome="invalid", param=param, code=code, headers=headers)


def unavailable(message: str, *, status: int = 503, code: str, retry_after_s: float | None = None) -> ApiError:
    """Our failure before any token: counted as an error."""
    return ApiError(status, message, outcome="error", kind="server_error", code=code, retry_after_s=retry_after_s)


def never_arrived(failure: ReplicaFailed) -> bool:
    """Whether no connection could be made: the replica was gone before this job came to it."""
    detail = failure.detail.lower()
    return failure.reason == "connect" and any(words in detail for words in _NO_CONNECTION)


def poison_suspected() -> ApiError:
    """Replicas died while this very prompt waited for its first token: it is given to no more of them."""
    return unavailable(
        "replicas failed while they began to serve this prompt: it is not tried again for some minutes",
        status=500,
        code="poison_suspected",
    )


def rejected(message: str, *, reason: Rejection, code: str, retry_after_s: float, status: int = 429) -> ApiError:
    """Too much is asked of us: the client may come again after `retry_after_s`."""
    return ApiError(
        status,
        message,
        outcome="rejected",
        kind="rate_limit_error",
        code=code,
        retry_after_s=retry_after_s,
        rejection=reason,
    )


def deadline_exceeded(stage: ExpiryStage) -> ApiError:
    """The deadline the client set (`x-request-timeout-ms`) passed before its answer could begin or be completed."""
    message = "the deadline of x-request-timeout-ms passed: allow more time"
    return ApiError(504, message, outcome="error", kind="server_error", code="deadline_exceeded", expired=stage)
