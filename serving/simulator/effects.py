"""What faults hold on a replica's engine: a hang, slow steps, fewer KV blocks. Several may hold at once, and end apart.

They hold on one life of the process: a replica that is started anew is sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.scenario import FleetFault
from serving.simulator.watch import Watch


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """One fault on one life of a replica; `value` as in `FleetFault`."""

    fault: FleetFault
    value: float
    member: Member
    life: int

    @property
    def blocks(self) -> int:
        """What a loss of KV blocks leaves."""
        return int(self.value * self.member.group.scheduler.kv_blocks)

    @property
    def stops(self) -> bool:
        """Whether the engine does nothing at all under it: a probe needs a block too."""
        return self.fault.kind == "hang" or (self.fault.kind == "kv_loss" and not self.blocks)


class Effects:
    """All that hold now."""

    def __init__(self, gateway: Gateway, watch: Watch) -> None:
        self._gateway, self._watch = gateway, watch
        self._holds: list[Hold] = []

    def begin(self, fault: FleetFault, value: float, members: Sequence[Member], now_ns: int) -> list[Hold]:
        """Let the fault hold on these."""
        begun = [Hold(fault, value, member, member.life) for member in members]
        self._holds += begun
        for hold in begun:
            self._watch.befalls(hold.member, now_ns, kind=fault.kind, hangs=hold.stops)
            self._apply(hold, now_ns)
        return begun

    def end(self, begun: Sequence[Hold], now_ns: int) -> None:
        """It is over; nothing is to be done where the process is gone meanwhile."""
        for hold in begun:
            self._holds.remove(hold)
            if hold.member.life == hold.life:
                self._apply(hold, now_ns)
                still_hangs = any(one.stops for one in self._on(hold))
                self._watch.is_over(hold.member, now_ns, kind=hold.fault.kind, still_hangs=still_hangs)

    def _on(self, hold: Hold) -> list[Hold]:
        return [one for one in self._holds if one.member is hold.member and one.life == hold.life]

    def _apply(self, hold: Hold, now_ns: int) -> None:
        """Make the engine what all that hold on it make of it together."""
        core, holding, kind = hold.member.core, self._on(hold), hold.fault.kind
        same = [one for one in holding if one.fault.kind == kind]
        if kind == "hang":
            core.hang(now_ns) if same else core.unhang(now_ns)
        elif kind == "slow":
            core.slow(prod(one.value for one in same), now_ns)
        elif kind == "kv_loss":
            core.limit_blocks(min(one.blocks for one in same) if same else None, now_ns)
        self._gateway.follow(hold.member, now_ns)
