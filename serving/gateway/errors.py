"""Ways a request ends badly. `ReplicaFailed` may be retried; the others are told to the client."""

from __future__ import annotations

from serving.errors import ServingError
from serving.gateway.model import FailureReason, Outcome


class ReplicaFailed(ServingError):  # noqa: N818  (reads as a sentence)
    """One attempt on one replica ended without the rest of its tokens; another replica may do better."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: FailureReason = reason
        self.detail = detail


class JobRefused(ServingError):  # noqa: N818
    """The model refused the job itself (`INVALID_ARG:`): no replica would take it."""


class Truncated(ServingError):  # noqa: N818
    """Tokens were produced and then their replica failed."""


class ApiError(ServingError):
    """An OpenAI-shaped answer other than 200; `outcome` is what the request is counted as."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        outcome: Outcome,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.outcome: Outcome = outcome
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, dict[str, str | None]]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> ApiError:
    """The client's mistake."""
    return ApiError(status, message, outcome="invalid", param=param, code=code)


def unavailable(message: str, *, status: int = 503, code: str, retry_after_s: int | None = None) -> ApiError:
    """Our failure before any token: counted as an error."""
    return ApiError(status, message, outcome="error", kind="server_error", code=code, retry_after_s=retry_after_s)
