"""The account of one request: its times and tokens, settled into the metrics exactly once.

Counters of tokens and gaps move while the request runs, so that a long stream is visible in every scrape; outcome and
goodput are known at the end only.
"""

from __future__ import annotations

from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Finish, Outcome

_NOT_OURS: frozenset[Outcome] = frozenset({"cancelled", "invalid"})


class Account:
    """Opened when a request is accepted. Times are seconds of one monotonic clock, given by the caller."""

    __slots__ = ("_first_at", "_last_at", "_metrics", "_settled", "_usage_known", "accepted_at", "tokens")

    def __init__(self, metrics: GatewayMetrics, accepted_at: float) -> None:
        self._metrics = metrics
        self.accepted_at = accepted_at
        self.tokens = 0
        self._first_at: float | None = None
        self._last_at = accepted_at
        self._usage_known = False
        self._settled = False

    def token(self, now: float) -> None:
        """A token arrived."""
        if self._first_at is None:
            self._first_at = now
            self._metrics.ttft.observe(now - self.accepted_at)
        else:
            self._metrics.inter_token.observe(now - self._last_at)
        self._last_at = now
        self.tokens += 1
        self._metrics.generation_tokens.inc()

    def usage(self, finish: Finish) -> None:
        """The engine's own totals; tokens that came without text (an end-of-sequence token) are added."""
        self._usage_known = True
        self._metrics.prompt_tokens.inc(finish.prompt_tokens)
        unseen = finish.output_tokens - self.tokens
        if unseen > 0:
            self.tokens += unseen
            self._metrics.generation_tokens.inc(unseen)

    def close_usage(self, prompt_tokens_estimate: int) -> None:
        """The generation is over: without the engine's totals, a prompt that got a token is counted by estimate."""
        if self.tokens and not self._usage_known:
            self._metrics.prompt_tokens.inc(prompt_tokens_estimate)

    @property
    def ttft_s(self) -> float | None:
        return None if self._first_at is None else self._first_at - self.accepted_at

    @property
    def mean_inter_token_s(self) -> float:
        """Time per output token after the first; 0 for a single token."""
        if self._first_at is None or self.tokens < 2:
            return 0.0
        return (self._last_at - self._first_at) / (self.tokens - 1)

    def settle(self, outcome: Outcome, now: float) -> None:
        """Count the request. The first call decides: a client that leaves with its last byte got everything."""
        if self._settled:
            return
        self._settled = True
        self._metrics.request(outcome)
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
