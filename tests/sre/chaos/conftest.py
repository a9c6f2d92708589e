"""A platform in memory: replicas die and come back by the fake clock."""

from pathlib import Path

import pytest

from sre.errors import PlatformError
from sre.platforms.model import KillProof, Replica


class FakeClock:
    def __init__(self, at=1000.0):
        self.at = at

    def __call__(self):
        return self.at


class FakePlatform:
    """`restart_s` after a kill the replica serves again; None: never. `kill_fails` makes kills unprovable."""

    def __init__(self, state_dir: Path, clock, *, replicas=3, restart_s=2.0, inflight=None):
        self.state_dir = state_dir
        self.gateway_url = "http://127.0.0.1:1"
        self.clock = clock
        self.up = True
        self.kill_fails = False
        self.kills = []
        self.load = inflight or {}
        self.restart_s = restart_s
        self.serving_since = {f"llm-{i}": clock.at - 60 for i in range(replicas)}

    def replicas(self):
        if not self.up:
            raise PlatformError("no platform is up here: start one with `sre up`")
        return tuple(self._replica(name) for name in self.serving_since)

    def inflight(self):
        return self.load

    def kill_replica(self, name):
        if self.kill_fails:
            raise PlatformError(f"replica {name}: process 7 still runs 5 s after SIGKILL")
        self.kills.append(name)
        killed_at = self.clock.at
        self.clock.at += 0.01
        self.serving_since[name] = float("inf") if self.restart_s is None else self.clock.at + self.restart_s
        return KillProof(name, 7, killed_at, self.clock.at, "process 7: no longer in the process table")

    def wait_ready(self, name, *, timeout_s):
        since = self.serving_since[name]
        if since > self.clock.at + timeout_s:
            self.clock.at += timeout_s
            raise PlatformError(f"replica {name} does not serve after {timeout_s:g} s")
        self.clock.at = max(self.clock.at, since)
        return since

    def _replica(self, name):
        ready = self.serving_since[name] <= self.clock.at
        return Replica(name, "ready" if ready else "starting", 7, 1.0, 0, "")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def platform(tmp_path, clock):
    return FakePlatform(tmp_path, clock, inflight={"llm-0": 1, "llm-1": 5, "llm-2": 2})
