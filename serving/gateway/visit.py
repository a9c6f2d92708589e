"""One request from arrival to its line in the log: what is known of it, and what is told at its end.

The log line has ids, times and counts; never a prompt, an answer or a key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from serving.gateway.accounting import Account
from serving.gateway.errors import ApiError
from serving.gateway.headers import rate_limit_headers
from serving.gateway.log import emit
from serving.gateway.model import Job, Outcome
from serving.gateway.ratelimit import Allowance
from serving.gateway.sse import Api
from serving.gateway.tenants import Tenant
from serving.gateway.tracing import Attributes, Span

_OPERATIONS: dict[Api, str] = {"chat": "chat", "completion": "text_completion"}
_LEFT_STATUS = 499  # the client closed its request: nginx's number, in the log only
_LEVELS: dict[Outcome, int] = {
    "ok": logging.INFO,
    "cancelled": logging.INFO,
    "invalid": logging.INFO,
    "rejected": logging.WARNING,
    "truncated": logging.ERROR,
    "error": logging.ERROR,
}


def operation_of(api: Api) -> str:
    """What the semantic conventions for generative AI call this route."""
    return _OPERATIONS[api]


@dataclass(slots=True)
class Visit:
    """The request so far. `client_id` is the id the client gave it; `queued_s` how long it waited for a place."""

    request_id: str
    client_id: str | None
    api: Api
    account: Account
    span: Span
    allowances: Callable[[Tenant | None], Mapping[str, Allowance]]
    tenant: Tenant | None = None
    job: Job | None = None
    stream: bool = False
    queued_s: float | None = None
    error: ApiError | None = None
    tried: list[str] = field(default_factory=list)

    def headers(self) -> dict[str, str]:
        """What every answer carries."""
        headers = {
            "x-sre-request-id": self.request_id,
            "x-request-id": self.client_id or self.request_id,
            "x-sre-replicas": ",".join(self.tried),
        }
        if self.job is not None:
            headers["x-sre-replay"] = self.job.replay
        return headers | rate_limit_headers(self.allowances(self.tenant))

    def close(self, now: float) -> None:
        """The account is settled: log it and end its span."""
        account = self.account
        outcome = account.outcome or "error"
        emit(
            "request",
            level=_LEVELS[outcome],
            request_id=self.request_id,
            client_request_id=self.client_id,
            tenant=account.tenant or None,
            operation=operation_of(self.api),
            stream=self.stream,
            outcome=outcome,
            status=self._status(outcome),
            code=self.error.code if self.error else None,
            finish_reason=account.finish_reason,
            prompt_tokens=account.prompt_tokens,
            tokens=account.tokens,
            queue_s=_rounded(self.queued_s),
            ttft_s=_rounded(account.ttft_s),
            duration_s=_rounded(now - account.accepted_at),
            replicas=self.tried,
            detail=account.detail,
        )
        self.span.set(self._attributes(outcome))
        self.span.end(error=None if outcome in ("ok", "cancelled", "invalid") else outcome)

    def _status(self, outcome: Outcome) -> int:
        if self.error is not None:
            return self.error.status
        return {"cancelled": _LEFT_STATUS, "error": 500}.get(outcome, 200)

    def _attributes(self, outcome: Outcome) -> Attributes:
        account = self.account
        known: dict[str, str | int | float | bool | tuple[str, ...] | None] = {
            "gen_ai.operation.name": operation_of(self.api),
            "gen_ai.response.id": self.request_id,
            "gen_ai.usage.input_tokens": account.prompt_tokens,
            "gen_ai.usage.output_tokens": account.tokens,
            "gen_ai.response.finish_reasons": (account.finish_reason,) if account.finish_reason else None,
            "http.response.status_code": self._status(outcome),
            "sre.outcome": outcome,
            "sre.tenant": account.tenant or None,
            "sre.replicas": tuple(self.tried),
            "sre.ttft_s": account.ttft_s,
        }
        if self.job is not None:
            known["gen_ai.request.model"] = self.job.model
            known["gen_ai.request.max_tokens"] = self.job.max_tokens
            for name in ("temperature", "top_p", "seed"):
                known[f"gen_ai.request.{name}"] = self.job.sampling.get(name)
        return {name: value for name, value in known.items() if value is not None}


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
