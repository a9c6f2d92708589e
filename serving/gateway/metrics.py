"""The gateway's Prometheus metrics, in a registry of their own. Names and buckets are those of docs/contracts.md.

Every label value exists from the start with 0, so that the first failure is an increase and not a new series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.gateway.health import EJECTIONS, STATES, Ejection, State
from serving.gateway.model import FAILURE_REASONS, OUTCOMES, FailureReason, Outcome

TTFT_BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
INTER_TOKEN_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2)
REPLAY_RESULTS = ("ok", "failed", "refused")
PREFIX_RESULTS = ("hit", "overflow", "failover", "new")
REJECTION_REASONS = ("queue_full", "queue_timeout", "shed", "rate_limit", "too_many", "draining")
EXPIRY_STAGES = ("queue", "engine", "stream")
E2E_BUCKETS = (0.25, 0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 30, 60)


class GatewayMetrics:
    """All series of one gateway. A threshold that is no bucket bound becomes one, for its SLO to be exact."""

    def __init__(self, *, ttft_threshold_s: float, tpot_threshold_s: float) -> None:
        self.registry = registry = CollectorRegistry()
        self.ttft_threshold_s = ttft_threshold_s
        self.tpot_threshold_s = tpot_threshold_s
        requests = Counter("sre_gateway_requests_total", "Finished requests.", ["outcome"], registry=registry)
        self._requests = {outcome: requests.labels(outcome) for outcome in OUTCOMES}
        self.ttft = Histogram(
            "sre_gateway_ttft_seconds",
            "Request accepted to first token.",
            buckets=_with(TTFT_BUCKETS, ttft_threshold_s),
            registry=registry,
        )
        self.inter_token = Histogram(
            "sre_gateway_inter_token_seconds",
            "Gaps between successive tokens.",
            buckets=_with(INTER_TOKEN_BUCKETS, tpot_threshold_s),
            registry=registry,
        )
        self.e2e = Histogram(
            "sre_gateway_e2e_seconds", "Duration of ok requests.", buckets=E2E_BUCKETS, registry=registry
        )
        self.eligible = Counter(
            "sre_gateway_goodput_eligible_total", "Requests that count for goodput.", registry=registry
        )
        self.good = Counter(
            "sre_gateway_goodput_good_total", "Ok requests within both goodput thresholds.", registry=registry
        )
        threshold = Gauge("sre_gateway_goodput_threshold_seconds", "Goodput thresholds.", ["signal"], registry=registry)
        threshold.labels("ttft").set(ttft_threshold_s)
        threshold.labels("tpot").set(tpot_threshold_s)
        tokens = Counter("sre_gateway_tokens_total", "Tokens of all requests.", ["kind"], registry=registry)
        self.prompt_tokens = tokens.labels("prompt")
        self.generation_tokens = tokens.labels("generation")
        self.good_tokens = Counter(
            "sre_gateway_good_tokens_total", "Generation tokens of good requests.", registry=registry
        )
        self.wasted_tokens = Counter(
            "sre_gateway_wasted_tokens_total", "Generation tokens of requests that were not ok.", registry=registry
        )
        retries = Counter("sre_gateway_retries_total", "Attempts after the first.", ["reason"], registry=registry)
        self._retries = {reason: retries.labels(reason) for reason in FAILURE_REASONS}
        self._up = Gauge("sre_gateway_replica_up", "1 when work is routed to it.", ["replica"], registry=registry)
        self._inflight = Gauge(
            "sre_gateway_replica_inflight", "Attempts running on it.", ["replica"], registry=registry
        )
        self._attempts = Counter(
            "sre_gateway_replica_requests_total", "Attempts by result.", ["replica", "outcome"], registry=registry
        )

        self._resilience(registry)
        self._admission(registry)

    def _resilience(self, registry: CollectorRegistry) -> None:
        replays = Counter(
            "sre_gateway_replays_total", "Changes of replica after the first token.", ["result"], registry=registry
        )
        self.replays = {result: replays.labels(result) for result in REPLAY_RESULTS}
        replayed = Counter(
            "sre_gateway_replayed_tokens_total", "Tokens computed again by replays.", ["kind"], registry=registry
        )
        self.replayed_prompt_tokens = replayed.labels("prompt")
        self.replayed_generation_tokens = replayed.labels("generation")
        self.budget = Gauge("sre_gateway_retry_budget", "Retries the fleet may still spend now.", registry=registry)
        hedges = Counter(
            "sre_gateway_hedges_total", "Second attempts for late first tokens.", ["result"], registry=registry
        )
        self.hedges = {result: hedges.labels(result) for result in ("won", "lost")}
        self._state = Gauge(
            "sre_gateway_replica_state", "1 for the state it is in.", ["replica", "state"], registry=registry
        )
        self._ejections = Counter(
            "sre_gateway_ejections_total", "Times taken out of rotation.", ["replica", "reason"], registry=registry
        )
        routed = Counter(
            "sre_gateway_prefix_routes_total", "Prompts by where their prefix led.", ["result"], registry=registry
        )
        self.prefix_routes = {result: routed.labels(result) for result in PREFIX_RESULTS}
        self.prefix_lost_blocks = Counter(
            "sre_gateway_prefix_lost_blocks_total",
            "Prefix blocks known on a replica that could not be used because it was out.",
            registry=registry,
        )

    def _admission(self, registry: CollectorRegistry) -> None:
        self.queue_depth = Gauge("sre_gateway_queue_depth", "Requests waiting for a place.", registry=registry)
        self.queue_tokens = Gauge("sre_gateway_queue_tokens", "Most tokens those can occupy.", registry=registry)
        self.queue_seconds = Histogram(
            "sre_gateway_queue_seconds", "Wait for a place.", buckets=TTFT_BUCKETS, registry=registry
        )
        self.predicted_ttft = Gauge(
            "sre_gateway_predicted_ttft_seconds",
            "First-token time a request arriving now can expect.",
            registry=registry,
        )
        rejections = Counter("sre_gateway_rejections_total", "Refused by admission.", ["reason"], registry=registry)
        self.rejections = {reason: rejections.labels(reason) for reason in REJECTION_REASONS}
        expired = Counter("sre_gateway_expired_total", "Deadlines passed, by where.", ["stage"], registry=registry)
        self.expired = {stage: expired.labels(stage) for stage in EXPIRY_STAGES}
        self._tenants = Counter(
            "sre_gateway_tenant_requests_total",
            "Finished requests by tenant.",
            ["tenant", "outcome"],
            registry=registry,
        )
        self._tenant_tokens = Counter(
            "sre_gateway_tenant_tokens_total", "Tokens by tenant.", ["tenant", "kind"], registry=registry
        )

    def watch_tenant(self, name: str) -> None:
        """Create the tenant's series. Configured tenants only: that bounds the label."""
        for outcome in OUTCOMES:
            self._tenants.labels(name, outcome)
        for kind in ("prompt", "generation"):
            self._tenant_tokens.labels(name, kind)

    def tenant_request(self, name: str, outcome: Outcome) -> None:
        self._tenants.labels(name, outcome).inc()

    def tenant_tokens(self, name: str, *, prompt: int, generation: int) -> None:
        self._tenant_tokens.labels(name, "prompt").inc(prompt)
        self._tenant_tokens.labels(name, "generation").inc(generation)

    def request(self, outcome: Outcome) -> None:
        self._requests[outcome].inc()

    def retry(self, reason: FailureReason) -> None:
        self._retries[reason].inc()

    def attempt(self, replica: str, *, ok: bool) -> None:
        self._attempts.labels(replica, "ok" if ok else "error").inc()

    def replayed(self, prompt_tokens: int, generation_tokens: int) -> None:
        """A generation goes on elsewhere; so many tokens were computed again for it."""
        self.replays["ok"].inc()
        self.replayed_prompt_tokens.inc(prompt_tokens)
        self.replayed_generation_tokens.inc(generation_tokens)

    def ejected(self, replica: str, reason: Ejection) -> None:
        self._ejections.labels(replica, reason).inc()

    def routed(self, result: str, lost_blocks: int) -> None:
        """A prompt with known blocks was routed."""
        self.prefix_routes[result].inc()
        self.prefix_lost_blocks.inc(lost_blocks)

    def watch_replica(
        self,
        name: str,
        *,
        up: Callable[[], float],
        inflight: Callable[[], float],
        state: Callable[[], State] = lambda: "down",
    ) -> None:
        """Create the replica's series; its gauges are read when scraped."""
        self._up.labels(name).set_function(up)
        self._inflight.labels(name).set_function(inflight)
        for value in STATES:
            self._state.labels(name, value).set_function(lambda value=value: float(state() == value))  # type: ignore[misc]
        for outcome in ("ok", "error"):
            self._attempts.labels(name, outcome)
        for reason in EJECTIONS:
            self._ejections.labels(name, reason)

    def forget_replica(self, name: str) -> None:
        """Its gauges go; its counters stay, as counters must not fall."""
        self._up.remove(name)
        self._inflight.remove(name)
        for value in STATES:
            self._state.remove(name, value)


def _with(buckets: Iterable[float], threshold: float) -> tuple[float, ...]:
    return tuple(sorted({*buckets, threshold}))
