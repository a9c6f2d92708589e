"""What a soak does to its platform: one replica at a time killed, frozen or drained, in an order the seed decides."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import time
from collections import Counter

import aiohttp
import psutil

KINDS = ("kill", "hang", "drain")
DRAIN_GRACE_S = 10.0
_POLL_S = 0.25


class Harm:
    """Harms `platform` each `every_s` until cancelled; `done` says what was done, `log` when and to whom."""

    def __init__(self, platform, *, every_s: float, hang_s: float, seed: int) -> None:
        self._platform = platform
        self._every_s = every_s
        self._hang_s = hang_s
        self._dice = random.Random(seed)
        self.done: Counter[str] = Counter()
        self.log: list[tuple[float, str, str]] = []

    async def run(self) -> None:
        """A kind never comes a third time before each came once more: bags of all three, shuffled."""
        began = time.monotonic()
        bag: list[str] = []
        number = 0
        while True:
            number += 1
            await asyncio.sleep(max(0.0, began + number * self._every_s - time.monotonic()))
            bag = bag or self._dice.sample(KINDS, len(KINDS))
            kind, victim = bag.pop(), self._dice.choice(await self._all_serving())
            self.log.append((time.monotonic() - began, kind, victim))
            await getattr(self, f"_{kind}")(victim)
            self.done[kind] += 1

    async def _all_serving(self) -> list[str]:
        """The replicas, once every one of them serves: faults do not pile up."""
        while True:
            state = self._state()
            if all(entry["state"] == "ready" for entry in state["replicas"]) and await self._all_up(state):
                return [entry["name"] for entry in state["replicas"]]
            await asyncio.sleep(_POLL_S)

    async def _all_up(self, state) -> bool:
        async with aiohttp.ClientSession() as session, session.get(f"{state['gateway']['url']}/ready") as response:
            return len((await response.json())["replicas_up"]) == len(state["replicas"])

    async def _kill(self, victim: str) -> None:
        await asyncio.to_thread(lambda: self._platform.signal(self._platform.process("server", victim), "kill"))

    async def _hang(self, victim: str) -> None:
        """Freeze the server's process. The supervisor may replace it meanwhile: only the same one is thawed."""
        process = psutil.Process(self._entry(victim)["pid"])
        process.send_signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(self._hang_s)
        finally:
            if process.is_running():
                process.send_signal(signal.SIGCONT)

    async def _drain(self, victim: str) -> None:
        control = json.loads((self._platform.state_dir / "control.json").read_text())
        url = f"{control['url']}/replicas/{victim}/drain"
        headers = {"Authorization": f"Bearer {control['token']}"}
        body = {"grace_s": DRAIN_GRACE_S, "restart": True}
        async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=body) as response:
            assert response.status == 202, await response.text()

    def _entry(self, name: str):
        return next(entry for entry in self._state()["replicas"] if entry["name"] == name)

    def _state(self):
        return json.loads((self._platform.state_dir / "state.json").read_text())


def rss_mb(pid: int) -> float:
    """Resident memory of one process, MB."""
    return psutil.Process(pid).memory_info().rss / 2**20
