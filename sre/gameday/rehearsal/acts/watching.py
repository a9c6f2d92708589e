"""Faults of what the platform is watched with, and of the host where they touch nothing else."""

from __future__ import annotations

from sre.chaos.faults.model import Lease, Plan
from sre.gameday.rehearsal.acts.model import Act
from sre.gameday.rehearsal.stage import WouldFail
from sre.platforms.local.rehearse import PageMode

LATE_SCRAPES = 2.0
SILENT_INTERVALS = 2.5
GATEWAY, RECORDER = "gateway", "recorder"


class RecorderAct(Act):
    """Nothing new is recorded until it is undone."""

    intervals = LATE_SCRAPES

    def is_recorder(self) -> bool:
        return True

    def plan(self) -> Plan:
        return Plan(components=(RECORDER,))

    async def apply(self, lease: Lease) -> None:
        del lease
        if self.is_recorder():
            self.scene.recorder.pause()

    async def prove(self, lease: Lease) -> str:
        waited_s = self.intervals * self.scene.recorder.interval_s
        await self.platform.sleep(waited_s)
        return f"{lease.plan.target}: the newest sample is {waited_s:.1f} s old"

    async def undo(self, lease: Lease) -> None:
        del lease
        if self.is_recorder():
            self.scene.recorder.resume()

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        fresh_s = LATE_SCRAPES * self.scene.recorder.interval_s

        def fresh() -> bool:
            return self.scene.now() - self.scene.recorder.newest_at() < fresh_s

        if not await self.scene.until(fresh, within_s=timeout_s, poll_s=0.05):
            raise WouldFail(f"{lease.plan.target} does not do its work after {timeout_s:g} s")
        return self.scene.now()


class MetricsStale(RecorderAct):
    """SIGSTOP of the recorder. Prometheus is not rehearsed: nothing is read from it then either."""

    note = "there is no Prometheus in a rehearsal: a fault of it changes nothing there"
    mode: PageMode = "frozen"

    def is_recorder(self) -> bool:
        return bool(self.param("target") == RECORDER)

    def plan(self) -> Plan:
        return Plan(components=(str(self.param("target")),))

    async def apply(self, lease: Lease) -> None:
        del lease
        if self.is_recorder():
            self.platform.metrics(RECORDER, self.mode)

    async def undo(self, lease: Lease) -> None:
        del lease
        if self.is_recorder():
            self.platform.metrics(RECORDER, "true")


class MetricsDown(MetricsStale):
    """The recorder crash-loops under its supervisor, or scrapes of one page are reset."""

    mode: PageMode = "down"

    def is_page(self) -> bool:
        return bool(self.param("target") == "exporter")

    def plan(self) -> Plan:
        return Plan(components=(RECORDER,)) if self.is_page() else super().plan()

    async def apply(self, lease: Lease) -> None:
        if self.is_page():
            await self.platform.sleep(self.scene.paces.helper_start_s)
            self.platform.metrics(_page(self), "down")
        else:
            await super().apply(lease)

    async def prove(self, lease: Lease) -> str:
        if not self.is_page():
            return await super().prove(lease)
        await self.platform.sleep(LATE_SCRAPES * self.scene.recorder.interval_s)
        return f"{_page(self)}: its scrapes were reset"

    async def undo(self, lease: Lease) -> None:
        if self.is_page():
            self.platform.metrics(_page(self), "true")
        else:
            await super().undo(lease)


class MetricsLying(RecorderAct):
    """A page that is served and wrong."""

    def is_recorder(self) -> bool:
        return False

    async def apply(self, lease: Lease) -> None:
        del lease
        await self.platform.sleep(self.scene.paces.helper_start_s)
        if self.param("how") == "freeze":
            self.platform.metrics(_page(self), "frozen")
        else:
            factor, prefix = float(self.param("factor")), str(self.param("prefix"))
            self.platform.metrics(_page(self), "scaled", factor=factor, prefix=prefix)

    async def prove(self, lease: Lease) -> str:
        del lease
        await self.platform.sleep(self.scene.recorder.interval_s)
        return f"{_page(self)}: its page is false for observers"

    async def undo(self, lease: Lease) -> None:
        del lease
        self.platform.metrics(_page(self), "true")


class DiskFull(RecorderAct):
    """The victim can write no byte. The recorder records nothing; a gateway that cannot log serves on."""

    fidelity = "approximate"
    note = "the recorder writes nothing meanwhile; a gateway that cannot log serves as before"
    intervals = SILENT_INTERVALS

    def is_recorder(self) -> bool:
        return bool(self.param("how") == "ballast" or self.param("victim") == "recorder")

    def plan(self) -> Plan:
        ballast = self.param("how") == "ballast"
        return Plan(components=("host", "recorder") if ballast else (str(self.param("victim")),))


class MemoryPressure(Act):
    """Refused on the real platform when too little would be left, so by design it touches nobody."""

    fidelity = "no effect"
    note = "refused on the real machine unless a fifth of its memory stays free, so nothing served changes"

    def plan(self) -> Plan:
        return Plan(components=("host",))

    async def apply(self, lease: Lease) -> None:
        del lease
        await self.platform.sleep(self.scene.paces.helper_start_s)

    async def prove(self, lease: Lease) -> str:
        del lease
        return f"{self.param('memory_mb')} MiB are held"


def _page(act: Act) -> str:
    """`gateway`, or the replica that is meant."""
    page = str(act.param("page"))
    if page == GATEWAY:
        return page
    named = getattr(act, "page_name", None)
    if named is None:
        from sre.platforms.selection import choose

        named = choose(page, act.scene.replicas(), inflight=act.scene.inflight(), seed=int(act.param("seed"))).name
        act.page_name = named  # type: ignore[attr-defined]
    return str(named)
