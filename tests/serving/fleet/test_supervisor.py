"""What the supervisor plans, and what it does when a part of it fails. No server is started."""

import asyncio
import json
import os
import sys

import pytest

from serving.errors import EnvironmentLacks
from serving.fleet import supervisor
from serving.fleet.__main__ import main
from serving.fleet.gateway import GATEWAY_DRAIN_S, gateway_config
from serving.fleet.journal import Journal
from serving.fleet.model import PlatformSpec, StateFiles
from serving.fleet.process import Child
from serving.fleet.shm import remove_segments
from serving.fleet.supervisor import GATEWAY_GRACE_S, Supervisor, plan
from serving.gateway.config import parse_config


def planned(**fields):
    return plan(PlatformSpec(prometheus="off", **fields), platform_id="0badcafe", started_at=0.0)


def test_no_replica_gets_the_gateway_s_port(monkeypatch):
    monkeypatch.setattr(supervisor, "free_ports", lambda count: list(range(50_000, 50_000 + count)))
    monkeypatch.setattr(supervisor, "require_free", lambda _: None)
    state = planned(port=50_011, replicas=3)
    addresses = [a for r in state.replicas for a in (r.http_url, r.grpc_address, r.metrics_url)]
    assert not [a for a in addresses if ":50011" in a]


def test_the_gateway_is_given_longer_than_it_drains():
    config = parse_config(gateway_config(planned(port=0)), path="gateway.json")
    assert config.drain_timeout_s == GATEWAY_DRAIN_S
    assert config.drain_timeout_s + 1.0 < GATEWAY_GRACE_S


def test_a_crashed_replica_s_shared_memory_is_no_other_s(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.fleet.shm.SHM", tmp_path)
    monkeypatch.setattr(supervisor.triton, "find_triton", lambda: None)
    monkeypatch.setattr(supervisor.triton, "prepare_backends", lambda *_: tmp_path)
    monkeypatch.setattr(supervisor.triton, "launch", lambda *_, **options: None)
    files, state = StateFiles(tmp_path / "state"), planned(port=0, replicas=11)
    keepers = Supervisor(files, state.spec)._make_keepers(Journal(files, state, now=lambda: 0.0))
    for keeper in keepers:
        (tmp_path / f"{keeper.shm_prefix}region").touch()
    assert remove_segments(keepers[1].shm_prefix) == ["sre-0badcafe-llm-1-region"]


async def test_a_replica_that_can_no_longer_be_supervised_ends_the_platform_with_an_error(tmp_path, monkeypatch):
    """Else it would be missing for good, unseen, after its next crash."""

    async def start(self, journal, stop):
        argv = (sys.executable, "-c", "import time; time.sleep(600)")
        self._children.append((await Child.spawn("gateway", argv, env=os.environ, log=tmp_path / "g.log"), 0.5))
        self._tasks.append(asyncio.create_task(broken(), name="llm-1"))

    async def broken():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Supervisor, "_start", start)
    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    files = StateFiles(tmp_path)
    async with asyncio.timeout(10):
        with pytest.raises(EnvironmentLacks, match=r"llm-1 could not be supervised: .*No space left"):
            await Supervisor(files, PlatformSpec(port=0, prometheus="off")).run(asyncio.Event())
    assert json.loads(files.state.read_text())["phase"] == "failed"


async def test_a_disk_that_fills_up_does_not_keep_the_children_alive(tmp_path, monkeypatch):
    children = []

    async def start(self, journal, stop):
        argv = (sys.executable, "-c", "import time; time.sleep(600)")
        children.append(await Child.spawn("gateway", argv, env=os.environ, log=tmp_path / "g.log"))
        self._children.append((children[0], 5.0))
        monkeypatch.setattr(Journal, "event", disk_full)

    def disk_full(self, name, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Supervisor, "_start", start)
    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    with pytest.raises(OSError, match="No space left"):
        await Supervisor(StateFiles(tmp_path), PlatformSpec(port=0, prometheus="off")).run(asyncio.Event())
    assert children[0].returncode is not None


def test_a_broken_spec_file_is_one_line_and_exit_2(tmp_path, capsys):
    (tmp_path / "spec.json").write_bytes(b"\xff\xfe")
    assert main(["--spec", str(tmp_path / "spec.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_exhausted_machine_is_one_line_and_exit_3(tmp_path, capsys, monkeypatch):
    async def run(self, stop):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Supervisor, "run", run)
    (tmp_path / "spec.json").write_text("{}")
    assert main(["--spec", str(tmp_path / "spec.json")]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
