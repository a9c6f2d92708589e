"""Puts the parts of one platform together; nothing is started here."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.fleet import observers
from serving.fleet.critical import Critical
from serving.fleet.gateway import Capacity, ControlAddress, GatewayClient, gateway_config
from serving.fleet.gateway_keeper import GatewayKeeper
from serving.fleet.journal import Journal, write_atomically
from serving.fleet.launching import Launcher, start_timeout_s
from serving.fleet.membership import Membership
from serving.fleet.model import PlatformSpec, StateFiles
from serving.fleet.observing import Observing
from serving.fleet.plan import unused_ports
from serving.fleet.process import PLATFORM_ID, STATE_DIR, Child, Process, last_lines
from serving.fleet.rotation import RotationWatch
from serving.fleet.routes import Routes


@dataclass(frozen=True, slots=True)
class Parts:
    """What a supervisor starts and stops."""

    members: Membership
    gateway: GatewayKeeper
    observing: Observing
    watch: RotationWatch
    routes: Routes
    write_targets: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Processes:
    """Starts children of one platform: marked, each with a log named after it."""

    files: StateFiles
    platform_id: str

    @property
    def marks(self) -> dict[str, str]:
        return {PLATFORM_ID: self.platform_id, STATE_DIR: str(self.files.root)}

    def log_of(self, name: str) -> str:
        return last_lines(self.files.logs / f"{name}.log")

    async def spawn(self, name: str, argv: Sequence[str]) -> Process:
        return await Child.spawn(name, argv, env={**os.environ, **self.marks}, log=self.files.logs / f"{name}.log")


def wire(
    files: StateFiles, spec: PlatformSpec, journal: Journal, *, critical: Critical, now: Callable[[], float]
) -> Parts:
    """Raises EnvironmentLacks when this machine cannot run what is asked for."""
    state = journal.state
    processes = Processes(files, state.platform_id)
    launcher = Launcher.find(files, spec, journal, marks=processes.marks, now=now)
    control = ControlAddress(unused_ports(state, 1)[0], secrets.token_urlsafe(32))
    client, holds = GatewayClient(control), launcher.capacity()

    def write_targets() -> None:
        targets = observers.scrape_targets(state, members.scraped())
        observers.write_targets(files, targets, interval_s=spec.scrape_interval_s)

    members = Membership(
        journal,
        keeper_of=launcher.keeper,
        gateway=client,
        capacity=holds,
        critical=critical,
        on_targets=write_targets,
    )
    return Parts(
        members=members,
        gateway=_gateway(files, journal, processes, control=control, holds=holds, now=now),
        observing=Observing(files, journal, processes.spawn, now),
        watch=RotationWatch(
            journal, client, members, spec.unhealthy_restart_s, now, start_limit_s=start_timeout_s(spec)
        ),
        routes=Routes(journal, tell_gateway=members.tell_gateway, on_targets=write_targets, now=now),
        write_targets=write_targets,
    )


def _gateway(
    files: StateFiles,
    journal: Journal,
    processes: Processes,
    *,
    control: ControlAddress,
    holds: Capacity,
    now: Callable[[], float],
) -> GatewayKeeper:
    async def spawn() -> Process:
        """With the replicas of this moment: a restarted gateway knows only what its file says."""
        text = gateway_config(journal.state, control=control, capacity=holds)
        write_atomically(files.gateway, text, mode=0o600)
        return await processes.spawn(
            "gateway", (sys.executable, "-m", "serving.gateway", "--config", str(files.gateway))
        )

    return GatewayKeeper(
        info=journal.state.gateway,
        journal=journal,
        spawn=spawn,
        last_words=lambda: processes.log_of("gateway"),
        now=now,
    )
