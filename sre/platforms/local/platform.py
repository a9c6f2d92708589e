"""The running local platform: read through its state files, changed through signals to verified processes."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from sre.errors import PlatformError
from sre.platforms.model import KillProof, Replica
from sre.platforms.processes import find, wait_gone
from sre.platforms.state import LocalState, NotUp, ReplicaEntry, read_state

INFLIGHT_METRIC = "sre_gateway_replica_inflight"
GONE_TIMEOUT_S = 5.0
_POLL_S = 0.05
_HTTP_TIMEOUT_S = 3.0


class LocalPlatform:
    """Implements `Platform`. Holds no connection and no cache: every answer is read anew."""

    def __init__(self, state_dir: Path, *, now: Callable[[], float] = time.time) -> None:
        self._state_dir = state_dir.resolve()
        self._now = now

    @property
    def state_dir(self) -> Path:
        return self._state_dir

    @property
    def gateway_url(self) -> str:
        return self.state().gateway_url

    @property
    def platform_id(self) -> str:
        return self.state().platform_id

    def state(self) -> LocalState:
        """What the supervisor says. Raises NotUp when it does not live: its last words are then history."""
        state = read_state(self._state_dir)
        if state.phase == "failed":
            raise NotUp(
                f"{self._state_dir}: the platform failed ({state.error}): clean up with `sre down`, then `sre up`"
            )
        if find(state.supervisor) is None:
            raise NotUp(
                f"{self._state_dir}: no platform is up here (its supervisor is gone): "
                "clean up with `sre down`, then `sre up`"
            )
        return state

    def replicas(self) -> tuple[Replica, ...]:
        return tuple(_replica(entry) for entry in self.state().replicas)

    def inflight(self) -> dict[str, float]:
        url = f"{self.gateway_url}/metrics"
        try:
            with _direct().open(url, timeout=_HTTP_TIMEOUT_S) as response:
                text = response.read().decode("utf-8")
            families = list(text_string_to_metric_families(text))
        except (OSError, ValueError) as error:
            raise PlatformError(f"gateway does not answer at {url} ({error}): see `sre status`") from error
        samples = [sample for family in families for sample in family.samples if sample.name == INFLIGHT_METRIC]
        if not samples:
            raise PlatformError(f"gateway at {url} has no {INFLIGHT_METRIC}: it is not ours, or too old")
        return {sample.labels["replica"]: float(sample.value) for sample in samples}

    def kill_replica(self, name: str) -> KillProof:
        entry = self._entry(name)
        process = find(entry.process)
        if entry.process is None or process is None:
            raise PlatformError(f"replica {name} has no running process (state {entry.state}): nothing to kill")
        killed_at = self._now()
        try:
            process.kill()
        except psutil.Error as error:
            raise PlatformError(f"replica {name}: process {entry.process.pid} cannot be killed ({error})") from error
        how = wait_gone(process, timeout_s=GONE_TIMEOUT_S)
        if how is None:
            raise PlatformError(
                f"replica {name}: process {entry.process.pid} still runs {GONE_TIMEOUT_S:g} s after SIGKILL: "
                "it hangs in the kernel, see its state in `ps`"
            )
        return KillProof(name, entry.process.pid, killed_at, self._now(), f"process {entry.process.pid}: {how}")

    def wait_ready(self, name: str, *, timeout_s: float) -> float:
        deadline = time.monotonic() + timeout_s
        while True:
            entry = self._entry(name)
            replica = _replica(entry)
            if replica.state == "ready" and replica.ready_at is not None:
                return replica.ready_at
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"replica {name} does not serve after {timeout_s:g} s (state {replica.state}): "
                    f"see {self._state_dir / 'logs' / name}.log"
                )
            time.sleep(_POLL_S)

    def _entry(self, name: str) -> ReplicaEntry:
        entries = {entry.name: entry for entry in self.state().replicas}
        if name not in entries:
            raise PlatformError(f"replica {name!r} does not exist: use one of {', '.join(sorted(entries))}")
        return entries[name]


def _direct() -> urllib.request.OpenerDirector:
    """Loopback is never reached through a proxy, whatever the environment says."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _replica(entry: ReplicaEntry) -> Replica:
    """The entry, corrected by what the process table says: the supervisor may not have noticed a death yet."""
    alive = find(entry.process) is not None
    claims_life = entry.state in ("starting", "ready")
    return Replica(
        name=entry.name,
        state=entry.state if alive or not claims_life else "stopped",
        pid=entry.process.pid if alive and entry.process is not None else None,
        created=entry.process.created if alive and entry.process is not None else None,
        restarts=entry.restarts,
        metrics_url=entry.metrics_url,
        ready_at=entry.ready_at if alive else None,
    )
