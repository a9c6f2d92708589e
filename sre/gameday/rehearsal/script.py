"""Plays an experiment file in virtual time, as `chaos run` plays it: what is looked at, when, and what is skipped.

What it leaves behind is Chaos Toolkit's journal and our ledger. Nothing is concluded here: verdict, incident and report
are made of them by the code that reads a drill's.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sre.chaos.faults.by_action import fault_of, heals
from sre.chaos.verdict.journal import AFTER_ROLLBACKS
from sre.errors import SreError
from sre.gameday.rehearsal import mitigations
from sre.gameday.rehearsal.leases import Leases
from sre.gameday.rehearsal.readings import PROBES_MODULE, Readings
from sre.gameday.rehearsal.timetable import Timetable

HEAL_TIMEOUT_S = 60.0
STEADY_POLL_S = 1.0
FAILED = "chaoslib.exceptions.ActivityFailed: "
Json = Mapping[str, Any]


@dataclass(slots=True)
class Script:
    """One run of `experiment` (plain data, variables put in). `journal` grows while it is played.

    `settle_s` is how long the steady state may take to hold again after the rollbacks; `watch` is the guard's, begun
    with the method.
    """

    experiment: Json
    leases: Leases
    readings: Readings
    times: Timetable
    settle_s: float
    watch: Callable[[], Awaitable[None]] | None = None
    journal: dict[str, Any] = field(default_factory=dict)

    async def play(self) -> None:
        """Everything from the first look to the last record. Never raises for what a real run would survive."""
        scene = self.leases.scene
        await self.times.begin(scene, scene.paces.chaos_start_s)
        self.journal.update(
            experiment=copy.deepcopy(dict(self.experiment)),
            start=_iso(scene.now()),
            status="completed",
            deviated=False,
            steady_states={"before": None, "after": None, "during": []},
            run=[],
            rollbacks=[],
        )
        title = str(self.experiment.get("title"))
        self.leases.ledger.append(_run_begin(self.leases, scene.now()))
        if await self._steady("before"):
            await self._method()
            if self.journal["status"] == "completed":
                await self._after()
        else:
            self.journal["status"] = "failed"
        for index, activity in enumerate(self.experiment.get("rollbacks") or ()):
            await self.times.wait(scene, "rollbacks", index)
            self.journal["rollbacks"].append(await self._activity(activity))
        self.journal.update(end=_iso(scene.now()))
        await self.leases.undo_all(by="control")
        await self._look_again()
        detail = {"title": title, "status": self.journal["status"], "deviated": self.journal["deviated"]}
        self.leases.record("run_end", **detail)

    def abort(self, reason: str) -> None:
        """What the guard does to a run: from here on nothing is broken, and the method is left."""
        self.leases.aborted = reason
        self.journal["status"] = "interrupted"

    async def _method(self) -> None:
        """A guard that aborts cancels the step under way; what was broken is undone."""
        playing = asyncio.ensure_future(self._steps())
        watching = asyncio.ensure_future(self._watched())
        await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            playing.cancel()
            await self.leases.undo_all(by="guard")
        watching.cancel()
        outcomes = await asyncio.gather(playing, watching, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _steps(self) -> None:
        scene = self.leases.scene
        for index, activity in enumerate(self.experiment.get("method") or ()):
            pauses = activity.get("pauses") or {}
            if not await self.times.wait(scene, "run", index):
                await scene.platform.sleep(float(pauses.get("before") or 0))
            self.journal["run"].append(await self._activity(activity))
            if not self.times.knows("run", index + 1):
                await scene.platform.sleep(float(pauses.get("after") or 0))

    async def _watched(self) -> None:
        """Until the guard has aborted the run; without one nobody does."""
        if self.watch is not None:
            await self.watch()
        if self.leases.aborted is None:
            await asyncio.Event().wait()

    async def _after(self) -> None:
        await self.times.wait(self.leases.scene, "after", 0)
        self.journal["deviated"] = not await self._steady("after")

    async def _steady(self, phase: str) -> bool:
        """One look at the steady state, as the toolkit takes it: it ends with the first probe that is not met."""
        probes = (self.experiment.get("steady-state-hypothesis") or {}).get("probes") or ()
        played, met = [], True
        for probe in probes:
            one = await self._activity(probe)
            one["tolerance_met"] = one["status"] == "succeeded" and _tolerated(probe.get("tolerance"), one["output"])
            played.append(one)
            met = met and one["tolerance_met"]
            if not met:
                break
        if probes:
            self.journal["steady_states"][phase] = {"steady_state_met": met, "probes": played}
        return met

    async def _look_again(self) -> None:
        """After the rollbacks every probe is read each time, until all are met or the time is over."""
        probes = (self.experiment.get("steady-state-hypothesis") or {}).get("probes") or ()
        if not probes or not self.journal["run"]:
            return
        scene = self.leases.scene
        began = scene.now()
        while True:
            seen = [await self._activity(probe) for probe in probes]
            told = [
                {
                    "name": str(probe.get("name")),
                    "value": one["output"],
                    "tolerance_met": one["status"] == "succeeded" and _tolerated(probe.get("tolerance"), one["output"]),
                    "said": "" if one["status"] == "succeeded" else one["exception"][-1].removeprefix(FAILED),
                }
                for probe, one in zip(probes, seen, strict=True)
            ]
            met, waited_s = all(one["tolerance_met"] for one in told), round(scene.now() - began, 3)
            if met or waited_s >= self.settle_s:
                break
            await scene.platform.sleep(STEADY_POLL_S)
        look = {"met": met, "probes": told, "waited_s": waited_s, "interrupted": False}
        self.journal[AFTER_ROLLBACKS] = look
        self.leases.record(AFTER_ROLLBACKS, **look)

    async def _activity(self, activity: Json) -> dict[str, Any]:
        """One entry of the journal. What fails is written down, and the run goes on."""
        scene = self.leases.scene
        began = scene.now()
        entry: dict[str, Any] = {"activity": copy.deepcopy(dict(activity)), "output": None, "start": _iso(began)}
        try:
            entry["output"] = await self._call(activity)
            entry["status"] = "succeeded"
        except SreError as error:
            entry |= {"status": "failed", "exception": [f"{FAILED}{error}"]}
        entry |= {"end": _iso(scene.now()), "duration": round(scene.now() - began, 6)}
        return entry

    async def _call(self, activity: Json) -> Any:
        provider = activity.get("provider") or {}
        module, func = str(provider.get("module")), str(provider.get("func"))
        arguments = {key: value for key, value in (provider.get("arguments") or {}).items() if key != "configuration"}
        fault = fault_of(module, func)
        if fault is not None:
            lease_s = float(arguments.pop("lease_s"))
            return await self.leases.inject(fault, arguments, lease_s=lease_s)
        if heals(module, func):
            return await self.leases.heal(timeout_s=float(arguments.get("timeout_s", HEAL_TIMEOUT_S)))
        if module == PROBES_MODULE:
            return self.readings.read(func, arguments)
        if (module, func) == (mitigations.MODULE, mitigations.CARRY_OUT):
            return await mitigations.carry_out(self.leases.scene, arguments)
        if (module, func) == (mitigations.MODULE, mitigations.TAKE_BACK):
            return await mitigations.take_back(self.leases.scene, arguments)
        raise SreError(f"{module}.{func} is not rehearsed")


def _run_begin(leases: Leases, at: float) -> Any:
    from sre.chaos.leases.records import run_begin

    return run_begin(leases.run, at=at)


def _tolerated(tolerance: Any, value: Any) -> bool:
    """By the toolkit's own rule."""
    from chaoslib.hypothesis import within_tolerance

    try:
        return bool(within_tolerance(copy.deepcopy(tolerance), value) is True)
    except Exception:  # noqa: BLE001  (a tolerance may raise anything: then the reading is not tolerated)
        return False


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()
