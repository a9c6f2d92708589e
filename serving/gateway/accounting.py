"""The account of one request: its times and tokens, settled into the metrics exactly once.

Counters of tokens and gaps move while the request runs, so that a long stream is visible in every scrape; outcome and
goodput are known at the end only.
"""

from __future__ import annotations

from serving.gateway.errors import ExpiryStage
from serving.gateway.forecast import Forecast
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Finish, Outcome

_NOT_OURS: frozenset[Outcome] = frozenset({"cancelled", "invalid"})


class Account:
    """Opened when a request is accepted. Times are seconds of one monotonic clock, given by the caller.

    `forecast` learns from it how fast tokens come; `tenant` is set once it is known, `detail` when something
    went wrong.
    """

    __slots__ = (
        "_first_at",
        "_forecast",
        "_held_s",
        "_last_at",
        "_metrics",
        "_prompt_tokens",
        "accepted_at",
        "detail",
        "finish_reason",
        "outcome",
        "tenant",
        "tokens",
    )

    def __init__(self, metrics: GatewayMetrics, accepted_at: float, forecast: Forecast | None = None) -> None:
        self._metrics = metrics
        self._forecast = forecast
        self.accepted_at = accepted_at
        self.tenant = ""
        self.tokens = 0
        self.outcome: Outcome | None = None
        self.finish_reason: str | None = None
        self.detail: str | None = None
        self._first_at: float | None = None
        self._last_at = accepted_at
        self._held_s = 0.0
        self._prompt_tokens: int | None = None

    def token(self, now: float, count: int = 1) -> None:
        """`count` tokens arrived together; a server may send several at once, their gap is then shared out."""
        if self._first_at is None:
            self._first_at = now
            self._metrics.ttft.observe(now - self.accepted_at)
            if self._forecast is not None:
                self._forecast.first_tokens.arrived(self, now)
        else:
            gap_s = (now - self._last_at) / count
            for _ in range(count):
                self._metrics.inter_token.observe(gap_s)
        self._last_at = now
        self.tokens += count
        self._metrics.generation_tokens.inc(count)
        if self._forecast is not None:
            self._forecast.rate.add(count, now)

    def held(self, blocked_s: float, now: float) -> None:
        """The client took nothing for `blocked_s`, so nothing was read from the replica: that is no gap of ours."""
        self._held_s += blocked_s
        self._last_at = now

    def expired(self, stage: ExpiryStage) -> None:
        """The client's deadline passed there."""
        self._metrics.expired[stage].inc()

    def usage(self, finish: Finish) -> None:
        """The engine's own totals; tokens that came without text (an end-of-sequence token) are added."""
        self.finish_reason = finish.reason
        self._count_prompt(finish.prompt_tokens)
        unseen = finish.output_tokens - self.tokens
        if unseen > 0:
            self.tokens += unseen
            self._metrics.generation_tokens.inc(unseen)

    def close_usage(self, prompt_tokens_estimate: int) -> None:
        """The generation is over: without the engine's totals, a prompt that got a token is counted by estimate."""
        if self.tokens and self._prompt_tokens is None:
            self._count_prompt(prompt_tokens_estimate)
        if self.tenant:
            self._metrics.tenant_tokens(self.tenant, prompt=self.prompt_tokens, generation=self.tokens)

    def _count_prompt(self, tokens: int) -> None:
        self._prompt_tokens = tokens
        self._metrics.prompt_tokens.inc(tokens)
        if self._forecast is not None:
            self._forecast.rate.add(tokens, self._last_at)

    @property
    def prompt_tokens(self) -> int:
        """Those computed; 0 as long as nothing was."""
        return self._prompt_tokens or 0

    @property
    def ttft_s(self) -> float | None:
        return None if self._first_at is None else self._first_at - self.accepted_at

    @property
    def mean_inter_token_s(self) -> float:
        """Time per output token after the first; 0 for a single token."""
        if self._first_at is None or self.tokens < 2:
            return 0.0
        return max(0.0, self._last_at - self._first_at - self._held_s) / (self.tokens - 1)

    def settle(self, outcome: Outcome, now: float) -> None:
        """Count the request. The first call decides: a client that leaves with its last byte got everything."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        self._metrics.request(outcome)
        if self.tenant:
            self._metrics.tenant_request(self.tenant, outcome)
        if outcome not in _NOT_OURS:
            self._metrics.eligible.inc()
        if outcome != "ok":
            self._metrics.wasted_tokens.inc(self.tokens)
            return
        self._metrics.e2e.observe(now - self.accepted_at)
        if self._is_good(now):
            self._metrics.good.inc()
            self._metrics.good_tokens.inc(self.tokens)

    def _is_good(self, now: float) -> bool:
        ttft_s = self.ttft_s if self.ttft_s is not None else now - self.accepted_at
        return ttft_s <= self._metrics.ttft_threshold_s and self.mean_inter_token_s <= self._metrics.tpot_threshold_s
