"""The gateway's Prometheus metrics, in a registry of their own. Names and buckets are those of docs/contracts.md.

Every label value exists from the start with 0, so that the first failure is an increase and not a new series.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Gauge

from serving.gateway.health import EJECTIONS, STATES, Ejection, State
from serving.gateway.model import FAILURE_REASONS, OUTCOMES, FailureReason, Outcome
from serving.gateway.series import Ledger

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
        self.ledger = ledger = Ledger()
        registry.register(ledger)
        self.ttft_threshold_s = ttft_threshold_s
        self.tpot_threshold_s = tpot_threshold_s
        self._requests_and_tokens(ledger)
        self._resilience(ledger)
        self._admission(ledger)
        self._gauges(registry)
        threshold = Gauge("sre_gateway_goodput_threshold_seconds", "Goodput thresholds.", ["signal"], registry=registry)
        threshold.labels("ttft").set(ttft_threshold_s)
        threshold.labels("tpot").set(tpot_threshold_s)

    def _requests_and_tokens(self, ledger: Ledger) -> None:
        requests = ledger.counter("sre_gateway_requests_total", "Finished requests.", ["outcome"])
        self._requests = {outcome: requests.labels(outcome) for outcome in OUTCOMES}
        self.ttft = ledger.histogram(
            "sre_gateway_ttft_seconds", "Request accepted to first token.", _with(TTFT_BUCKETS, self.ttft_threshold_s)
        )
        self.inter_token = ledger.histogram(
            "sre_gateway_inter_token_seconds",
            "Gaps between successive tokens.",
            _with(INTER_TOKEN_BUCKETS, self.tpot_threshold_s),
        )
        self.e2e = ledger.histogram("sre_gateway_e2e_seconds", "Duration of ok requests.", E2E_BUCKETS)
        self.eligible = ledger.count("sre_gateway_goodput_eligible_total", "Requests that count for goodput.")
        self.good = ledger.count("sre_gateway_goodput_good_total", "Ok requests within both goodput thresholds.")
        tokens = ledger.counter("sre_gateway_tokens_total", "Tokens of all requests.", ["kind"])
        self.prompt_tokens = tokens.labels("prompt")
        self.generation_tokens = tokens.labels("generation")
        self.good_tokens = ledger.count("sre_gateway_good_tokens_total", "Generation tokens of good requests.")
        self.wasted_tokens = ledger.count(
            "sre_gateway_wasted_tokens_total", "Generation tokens of requests that were not ok."
        )
        retries = ledger.counter("sre_gateway_retries_total", "Attempts after the first.", ["reason"])
        self._retries = {reason: retries.labels(reason) for reason in FAILURE_REASONS}
        self._attempts = ledger.counter(
            "sre_gateway_replica_requests_total", "Attempts by result.", ["replica", "outcome"]
        )

    def _resilience(self, ledger: Ledger) -> None:
        replays = ledger.counter("sre_gateway_replays_total", "Changes of replica after the first token.", ["result"])
        self.replays = {result: replays.labels(result) for result in REPLAY_RESULTS}
        replayed = ledger.counter("sre_gateway_replayed_tokens_total", "Tokens computed again by replays.", ["kind"])
        self.replayed_prompt_tokens = replayed.labels("prompt")
        self.replayed_generation_tokens = replayed.labels("generation")
        hedges = ledger.counter("sre_gateway_hedges_total", "Second attempts for late first tokens.", ["result"])
        self.hedges = {result: hedges.labels(result) for result in ("won", "lost")}
        self._ejections = ledger.counter(
            "sre_gateway_ejections_total", "Times taken out of rotation.", ["replica", "reason"]
        )
        suspects = ledger.counter("sre_gateway_poison_total", "Prompts under which replicas died.", ["event"])
        self.poison = {event: suspects.labels(event) for event in ("quarantined", "refused")}
        routed = ledger.counter("sre_gateway_prefix_routes_total", "Prompts by where their prefix led.", ["result"])
        self.prefix_routes = {result: routed.labels(result) for result in PREFIX_RESULTS}
        self.prefix_lost_blocks = ledger.count(
            "sre_gateway_prefix_lost_blocks_total",
            "Prefix blocks known on a replica that could not be used because it was out.",
        )

    def _admission(self, ledger: Ledger) -> None:
        self.queue_seconds = ledger.histogram("sre_gateway_queue_seconds", "Wait for a place.", TTFT_BUCKETS)
        rejections = ledger.counter("sre_gateway_rejections_total", "Refused by admission.", ["reason"])
        self.rejections = {reason: rejections.labels(reason) for reason in REJECTION_REASONS}
        expired = ledger.counter("sre_gateway_expired_total", "Deadlines passed, by where.", ["stage"])
        self.expired = {stage: expired.labels(stage) for stage in EXPIRY_STAGES}
        self._tenants = ledger.counter(
            "sre_gateway_tenant_requests_total", "Finished requests by tenant.", ["tenant", "outcome"]
        )
        self._tenant_tokens = ledger.counter("sre_gateway_tenant_tokens_total", "Tokens by tenant.", ["tenant", "kind"])

    def _gauges(self, registry: CollectorRegistry) -> None:
        self._up = Gauge("sre_gateway_replica_up", "1 when work is routed to it.", ["replica"], registry=registry)
        self._inflight = Gauge(
            "sre_gateway_replica_inflight", "Attempts running on it.", ["replica"], registry=registry
        )
        self._state = Gauge(
            "sre_gateway_replica_state", "1 for the state it is in.", ["replica", "state"], registry=registry
        )
        self.budget = Gauge("sre_gateway_retry_budget", "Retries the fleet may still spend now.", registry=registry)
        self.queue_depth = Gauge("sre_gateway_queue_depth", "Requests waiting for a place.", registry=registry)
        self.queue_tokens = Gauge("sre_gateway_queue_tokens", "Most tokens those can occupy.", registry=registry)
        self.predicted_ttft = Gauge(
            "sre_gateway_predicted_ttft_seconds",
            "First-token time a request arriving now can expect.",
            registry=registry,
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

    @property
    def finished_requests(self) -> float:
        """All of them, whatever became of them."""
        return sum(count.value for count in self._requests.values())

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
