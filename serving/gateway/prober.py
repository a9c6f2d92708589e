"""Health by real inference: a replica is up when it produced a token, and not because it says it is healthy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from serving.engine.inference import PROBE_PROMPT
from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.model import Job
from serving.gateway.pool import Replica

_SAMPLING = {"max_tokens": 1, "ignore_eos": True, "priority": -1}


def probe_job(model: str) -> Job:
    """The smallest real job, ahead of users' work."""
    return Job("probe", model, PROBE_PROMPT, _SAMPLING, max_tokens=1, prompt_tokens_estimate=3)


@dataclass(frozen=True, slots=True)
class Prober:
    """Probes replicas that are down each `interval_s`, suspect ones at once, and silent ones after `idle_s`.

    A replica with work that is silent for `stall_s` is suspect: a frozen process fails no call.
    """

    job: Job
    interval_s: float
    timeout_s: float
    idle_s: float
    stall_s: float
    clock: Callable[[], float]

    async def watch(self, replica: Replica) -> None:
        """Keep the replica's health current until cancelled."""
        while True:
            replica.needs_probe.clear()
            if replica.inflight and self._silent_s(replica) >= self.stall_s:
                replica.suspect = True
            if self._is_due(replica):
                await self.probe(replica)
            try:
                async with asyncio.timeout(self.interval_s):
                    await replica.needs_probe.wait()
            except TimeoutError:
                continue

    def _is_due(self, replica: Replica) -> bool:
        return not replica.up or replica.suspect or self._silent_s(replica) >= self.idle_s

    def _silent_s(self, replica: Replica) -> float:
        return self.clock() - replica.served_at

    async def probe(self, replica: Replica) -> None:
        """One inference decides."""
        stream = replica.channel.start(self.job)
        try:
            async with asyncio.timeout(self.timeout_s):
                while (await stream.read(self.timeout_s)).finish is None:
                    pass
                await stream.finish()
        except TimeoutError:
            replica.mark_down(ReplicaFailed("timeout", f"no inference within {self.timeout_s:g} s"))
        except ReplicaFailed as failure:
            replica.mark_down(failure)
        except JobRefused as refusal:
            replica.mark_down(ReplicaFailed("error", f"probe refused: {refusal}"))
        else:
            replica.served_at = self.clock()
            replica.mark_up()
        finally:
            stream.cancel()
