"""Faults that clients are. They are sent by the same plan as the real storm; their proof is counted the same way."""

from __future__ import annotations

from typing import Any

from sre.chaos.faults.model import Lease, Plan
from sre.chaos.faults.storms import ENOUGH, QUEUE_METRIC, SEEN_WITHIN_S
from sre.gameday.rehearsal.acts.model import Act
from sre.gameday.rehearsal.stage import WouldFail
from sre.platforms.local.rehearse import Offer, OfferCounts, Offered


class StormAct(Act):
    """A helper full of clients."""

    kind: Any = "surge"
    offered: Offered | None = None

    def plan(self) -> Plan:
        return Plan(components=("traffic",))

    async def apply(self, lease: Lease) -> None:
        del lease
        await self.platform.sleep(self.scene.paces.helper_start_s)
        self.offered = self.platform.offer(self._offer())

    async def prove(self, lease: Lease) -> str:
        if not await self.scene.until(self._seen, within_s=SEEN_WITHIN_S, poll_s=0.2):
            raise WouldFail(f"{lease.fault}: too few of its requests had an ending the gateway counted")
        counts = self._counts()
        return f"the storm sent {counts.sent}: {_endings(counts)}"

    async def undo(self, lease: Lease) -> None:
        del lease
        if self.offered is not None:
            self.offered.stop()

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        if not await self.scene.until(self._queue_is_empty, within_s=timeout_s, poll_s=0.05):
            raise WouldFail(f"requests still queue in the gateway {timeout_s:g} s after the {lease.fault}")
        return self.scene.now()

    def _offer(self) -> Offer:
        names = ("prompt_tokens", "output_tokens", "timeout_s", "seed", "rate_rps", "factor", "clients", "attempts")
        told = {name: getattr(self.fault, name) for name in (*names, "pause_s") if hasattr(self.fault, name)}
        return Offer(kind=self.kind, **told)

    def _counts(self) -> OfferCounts:
        return OfferCounts() if self.offered is None else self.offered.counts

    def _seen(self) -> bool:
        """So many of its requests have ended in the way that makes it this kind of storm."""
        counts = self._counts()
        ended = counts.ok + counts.rejected + counts.failed + counts.timeout + counts.hung_up
        own = {"retry": counts.retries, "hang-up": counts.hung_up}.get(self.kind, ended)
        return own >= ENOUGH

    def _queue_is_empty(self) -> bool:
        page = self.platform.page("gateway")
        if page is None:
            return False
        lines = (line for line in page.splitlines() if line.startswith(QUEUE_METRIC))
        return all(float(line.rpartition(" ")[2]) <= 0 for line in lines)


class Surge(StormAct):
    pass


class RetryStorm(StormAct):
    kind = "retry"


class DisconnectStorm(StormAct):
    kind = "hang-up"


def _endings(counts: OfferCounts) -> str:
    told = {
        "ok": counts.ok,
        "hung up": counts.hung_up,
        "rejected": counts.rejected,
        "timed out": counts.timeout,
        "failed": counts.failed,
        "repeated": counts.retries,
    }
    return ", ".join(f"{count} {name}" for name, count in told.items() if count)
