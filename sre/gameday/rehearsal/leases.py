"""The life of a fault in a rehearsal, written to a ledger as a real one is: planned, applied, proven, undone, over.

The records are those of `sre.chaos.leases`, so the verdict, the incident and the report are drawn from them by the code
that draws them from a drill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.model import Fault, Lease
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.radius import require_within
from sre.chaos.leases.records import Run, fault_begin
from sre.errors import PlatformError, SreError
from sre.gameday.rehearsal.acts.catalogue import act_of
from sre.gameday.rehearsal.acts.model import Act
from sre.gameday.rehearsal.stage import Scene, WouldFail
from sre.platforms.local.errors import serving_errors_as_ours

DRIVER = "local"


@dataclass(slots=True)
class _Held:
    """A fault under way; `watch` undoes it when its lease ends."""

    act: Act
    lease: Lease
    watch: asyncio.Task[None]


@dataclass(slots=True)
class Leases:
    """The faults of one rehearsed run. `ledger` lies in the rehearsal's own folder."""

    scene: Scene
    ledger: Ledger
    run: Run
    aborted: str | None = None
    _open: dict[str, _Held] = field(default_factory=dict)
    _unended: dict[str, tuple[Act, Lease]] = field(default_factory=dict)
    _count: int = 0

    async def inject(self, name: str, params: dict[str, Any], *, lease_s: float) -> dict[str, Any]:
        """As `sre.chaos.acting.injected`. Raises SreError for what is refused, or would not be proven."""
        if not 0 < lease_s < float("inf"):
            raise SreError(f"lease_s is {lease_s:g}: write seconds, above 0: then the fault is undone in any case")
        act = self._act(name, params)
        await self.scene.platform.sleep(self.scene.paces.act_s)
        with serving_errors_as_ours():
            lease = self._lease(act, lease_s)
        self._open[lease.fault_id] = _Held(act, lease, asyncio.ensure_future(self._undone_at_deadline(lease)))
        self._unended[lease.fault_id] = (act, lease)
        try:
            with serving_errors_as_ours():
                await act.apply(lease)
                proof = await act.prove(lease)
        except SreError as error:
            await self.undo(lease.fault_id, by="run")
            self._note(lease, "fault_not_proven", reason=str(error))
            raise
        self._note(lease, "fault_proven", how=proof)
        return {"fault_id": lease.fault_id, "target": lease.plan.target, "proof": proof}

    async def heal(self, *, timeout_s: float, by: str = "run") -> dict[str, Any]:
        """Undo what is open, then wait until what was hit is well. Raises SreError for what is not in time."""
        undone = list(reversed(self._open))
        for fault_id in undone:
            await self.undo(fault_id, by=by)
        deadline, took, ill = self.scene.now() + timeout_s, {}, []
        for fault_id, (act, lease) in list(self._unended.items()):
            try:
                took[fault_id] = round(await self._end(act, lease, deadline - self.scene.now()) - lease.begin, 3)
            except SreError as error:
                ill.append(str(error))
        if ill:
            raise WouldFail("; ".join(ill))
        return {"undone": undone, "recovered": took}

    async def undo(self, fault_id: str, *, by: str) -> None:
        held = self._open.pop(fault_id, None)
        if held is None:
            return
        if held.watch is not asyncio.current_task():
            held.watch.cancel()
        with serving_errors_as_ours():
            await held.act.undo(held.lease)
        self._note(held.lease, "fault_undone", by=by)

    async def undo_all(self, *, by: str) -> None:
        for fault_id in list(reversed(self._open)):
            await self.undo(fault_id, by=by)

    def record(self, event: str, **detail: Any) -> None:
        """A record of the run itself."""
        whose = {"run": self.run.run_id, "pid": self.run.process.pid}
        self.ledger.append(LedgerRecord(self.scene.now(), event, detail={**whose, **detail}))

    def _act(self, name: str, params: dict[str, Any]) -> Act:
        found = act_of(name)
        if found is None:
            raise SreError(f"{name}: is not rehearsed")
        return found(self.scene, made(name, params))

    def _lease(self, act: Act, lease_s: float) -> Lease:
        """Written down before anything is touched. Raises PlatformError for what the blast radius forbids."""
        at = self.scene.now()
        if self.aborted is not None:
            raise PlatformError("the guard has aborted the run: nothing is broken any more")
        if at >= self.run.deadline_at:
            raise PlatformError("the run is past its deadline_s: nothing is broken any more")
        plan, held = act.plan(), [one.lease for one in self._open.values()]
        require_within(self.run.radius, plan, replicas=self.scene.replicas(), open_leases=held)
        self._count += 1
        lease = Lease(
            fault_id=f"f-rehearsed-{self._count}",
            fault=act.fault.name,
            plan=plan,
            deadline_at=min(at + lease_s, self.run.deadline_at),
            run=self.run.process,
            run_id=self.run.run_id,
            begin=at,
        )
        params = {key: value for key, value in asdict(act.fault).items() if value is not None}  # type: ignore[call-overload]
        self.ledger.append(fault_begin(lease, params=params))
        return lease

    async def _end(self, act: Act, lease: Lease, timeout_s: float) -> float:
        with serving_errors_as_ours():
            since = await act.recovered(lease, timeout_s=max(0.0, timeout_s))
        at = since if since > lease.begin else self.scene.now()
        del self._unended[lease.fault_id]
        self._note(lease, "fault_end", at=at, how="well again")
        return at

    async def _undone_at_deadline(self, lease: Lease) -> None:
        await self.scene.platform.sleep(max(0.0, lease.deadline_at - self.scene.now()))
        await self.undo(lease.fault_id, by="watchdog")

    def _note(self, lease: Lease, event: str, *, at: float | None = None, **detail: Any) -> None:
        when = self.scene.now() if at is None else at
        self.ledger.append(LedgerRecord(when, event, lease.fault_id, lease.fault, lease.plan.target, detail))


def made(name: str, params: dict[str, Any]) -> Fault:
    """The fault with its parameters, checked by its own class. Raises SreError."""
    cls: Callable[..., Fault] = fault_class(name, DRIVER)
    try:
        return cls(**{key: value for key, value in params.items() if value is not None})
    except TypeError as error:
        raise SreError(f"{name}: {error}") from error
