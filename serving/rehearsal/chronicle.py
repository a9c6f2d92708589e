"""The supervisor's journal of a rehearsal: the same events, kept instead of written, and what was paid meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serving.fleet.journal import Journal
from serving.fleet.model import PlatformState, StateFiles
from serving.rehearsal.model import Event


class Chronicle(Journal):
    """`state.json` is the state itself. `replica_s` are replica-seconds up to now: what is held is paid."""

    def __init__(self, files: StateFiles, state: PlatformState, *, now: Callable[[], float]) -> None:
        super().__init__(files, state, now=now)
        self._clock = now
        self._paid_until = now()
        self._paid_s = 0.0
        self._held = len(state.replicas)
        self.events: list[Event] = []

    def event(
        self, name: str, *, replica: str | None = None, pid: int | None = None, must: bool = False, **detail: Any
    ) -> float:
        at = self._clock()
        self.events.append({"at": at, "event": name, "replica": replica, "pid": pid, "detail": detail})
        self.save()
        return at

    def save(self) -> None:
        self._pay()
        self._held = len(self.state.replicas)

    def catch_up(self) -> None:
        self.save()

    @property
    def replica_s(self) -> float:
        self._pay()
        return self._paid_s

    def _pay(self) -> None:
        now = self._clock()
        self._paid_s += self._held * (now - self._paid_until)
        self._paid_until = now
