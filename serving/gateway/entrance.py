"""The way in, for requests of this process: gate, rate limits, waiting line, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from serving.gateway.admission import Admission
from serving.gateway.failover import PoolFailover
from serving.gateway.forecast import Forecast
from serving.gateway.gate import Gate
from serving.gateway.model import Job
from serving.gateway.pool import Pool
from serving.gateway.ratelimit import Allowance
from serving.gateway.replica import Lease
from serving.gateway.tenants import Tenant


class Entrance:
    """What there is one of for all requests. `clock` gives monotonic seconds."""

    def __init__(
        self, gate: Gate, admission: Admission, forecast: Forecast, pool: Pool, *, clock: Callable[[], float]
    ) -> None:
        self.gate = gate
        self.admission = admission
        self.forecast = forecast
        self.pool = pool
        self.clock = clock
        self.failover = PoolFailover(pool, clock)

    def identify(self, headers: Mapping[str, str]) -> Tenant | None:
        """Whose request it is. Raises ApiError 401."""
        return self.gate.identify(headers)

    def allowances(self, tenant: Tenant | None) -> Mapping[str, Allowance]:
        return self.gate.allowances(tenant)

    @property
    def by_text(self) -> bool:
        """Some replica goes on from text alone. Replicas come and go, and with them what can be promised."""
        return any(replica.config.url is not None for replica in self.pool)

    async def enter(self, tenant: Tenant | None, *, body_is_here: bool) -> Entry:
        """A place for one request, from before its body is read to its end. Raises ApiError."""
        return self.open(tenant)

    def open(self, tenant: Tenant | None) -> Entry:
        """The same for callers that do not wait."""
        self.gate.enter(tenant)
        return Entry(self, tenant)


class Entry:
    """One request inside: `admit` it, then `leave`, whatever happened."""

    __slots__ = ("_charged", "_entrance", "_key", "_tenant")

    def __init__(self, entrance: Entrance, tenant: Tenant | None) -> None:
        self._entrance = entrance
        self._tenant = tenant
        self._charged: int | None = None
        self._key: object | None = None

    @property
    def by_text(self) -> bool:
        return self._entrance.by_text

    @property
    def failover(self) -> PoolFailover:
        return self._entrance.failover

    async def admit(self, job: Job, key: object, *, stream: bool) -> Lease:
        """Charge the tenant and wait for a place on a replica; `key` is what the forecast knows the request by.

        `stream` is for a coordinator, which says what became of a dead worker's requests. Raises ApiError.
        """
        entrance = self._entrance
        entrance.pool.require_harmless(job)
        entrance.gate.charge(self._tenant, job.cost_tokens)
        self._charged = job.cost_tokens
        lease = await entrance.admission.admit(job)
        now = entrance.clock()
        entrance.forecast.begin(key, now)
        entrance.pool.budget.request(now)
        self._key = key
        return lease

    def leave(self, used_tokens: int) -> None:
        """It is over, and took so many tokens, prompt and generated."""
        entrance = self._entrance
        if self._key is not None:
            entrance.forecast.end(self._key, entrance.clock())
        if self._charged is not None:
            entrance.gate.correct(self._tenant, self._charged, used_tokens)
        entrance.gate.leave(self._tenant)
