"""Who may ask, and how much at once: keys, places and rate limits, before anything costs a replica a step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from serving.gateway.errors import rejected
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.ratelimit import Allowance, Budget
from serving.gateway.tenants import Tenant, Tenants

_DRAINING_RETRY_S = 1.0


class Gate:
    """Without `tenants` everybody may ask, without a key. While `draining`, new requests are refused.

    `retry_after_s` says when work that is refused for the load may come again; `clock` is monotonic. Both are seconds.
    """

    def __init__(
        self,
        tenants: Sequence[Tenant],
        *,
        max_inflight: int,
        retry_after_s: Callable[[], float],
        metrics: GatewayMetrics,
        clock: Callable[[], float],
    ) -> None:
        self._tenants = Tenants(tenants) if tenants else None
        self._budgets = {t.name: Budget(t.request_rate, t.token_rate, clock()) for t in tenants}
        self._max_inflight = max_inflight
        self._retry_after_s = retry_after_s
        self._clock = clock
        self._by_tenant: Counter[str] = Counter()
        self.inflight = 0
        self.draining = False
        for tenant in tenants:
            metrics.watch_tenant(tenant.name)

    def identify(self, headers: Mapping[str, str]) -> Tenant | None:
        """Whose request it is; None when there are no tenants. Raises ApiError 401."""
        return self._tenants.authenticate(headers.get("Authorization")) if self._tenants else None

    def enter(self, tenant: Tenant | None) -> None:
        """Take one of the gateway's places, and one of the tenant's. Raises ApiError 429, or 503 while draining."""
        if self.draining:
            message = "the gateway is shutting down: try again"
            code = "shutting_down"
            raise rejected(message, reason="draining", code=code, retry_after_s=_DRAINING_RETRY_S, status=503)
        name = tenant.name if tenant else ""
        self._refuse_too_many(self.inflight, self._max_inflight, "")
        if tenant is not None and tenant.max_inflight is not None:
            self._refuse_too_many(self._by_tenant[name], tenant.max_inflight, " of yours")
        self.inflight += 1
        self._by_tenant[name] += 1

    def leave(self, tenant: Tenant | None) -> None:
        """Give the place back."""
        self.inflight -= 1
        self._by_tenant[tenant.name if tenant else ""] -= 1

    def charge(self, tenant: Tenant | None, tokens: int) -> None:
        """Take a request and its most tokens from the tenant's buckets.

        Raises ApiError 429 with the exact time until the buckets allow it.
        """
        if tenant is None:
            return
        wait_s = self._budgets[tenant.name].spend(tokens, self._clock())
        if wait_s > 0:
            message = f"the rate limit of {tenant.name} is reached: try again in {wait_s:.3f} s"
            raise rejected(message, reason="rate_limit", code="rate_limit_exceeded", retry_after_s=wait_s)

    def correct(self, tenant: Tenant | None, charged_tokens: int, used_tokens: int) -> None:
        """The request is over: only what it used is gone."""
        if tenant is not None:
            self._budgets[tenant.name].correct(charged_tokens, used_tokens, self._clock())

    def allowances(self, tenant: Tenant | None) -> dict[str, Allowance]:
        """What the tenant has left, for the response's headers."""
        return self._budgets[tenant.name].allowances(self._clock()) if tenant else {}

    def _refuse_too_many(self, running: int, most: int, whose: str) -> None:
        if running >= most:
            message = f"{running} requests{whose} are in flight, as many as are allowed: try again"
            retry_after_s = self._retry_after_s()
            raise rejected(message, reason="too_many", code="rate_limit_exceeded", retry_after_s=retry_after_s)
