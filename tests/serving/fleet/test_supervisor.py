"""What the supervisor plans, and what it does when a part of it fails. No server is started."""

import asyncio
import json
import os
import sys

import pytest

from serving.errors import EnvironmentLacks
from serving.fleet import launching, plan, supervisor
from serving.fleet.__main__ import main
from serving.fleet.gateway import GATEWAY_DRAIN_S, Capacity, ControlAddress, gateway_config
from serving.fleet.gateway_keeper import GRACE_S
from serving.fleet.journal import Journal, write_atomically
from serving.fleet.launching import Launcher, start_timeout_s
from serving.fleet.model import PlatformSpec, StateFiles
from serving.fleet.process import Child
from serving.fleet.shm import remove_segments
from serving.fleet.spec import GpuPrice
from serving.fleet.supervisor import Supervisor
from serving.gateway.config import CostConfig, parse_config

CONTROL = ControlAddress(9, "s" * 43)


def planned(pick=plan.free_ports, **fields):
    return plan.plan(PlatformSpec(prometheus="off", **fields), platform_id="0badcafe", started_at=0.0, pick=pick)


def addresses_of(state):
    return [a for r in state.replicas for a in (r.http_url, r.grpc_address, r.metrics_url)]


def test_no_replica_gets_the_gateway_s_port(monkeypatch):
    monkeypatch.setattr(plan, "require_free", lambda _: None)
    state = planned(pick=lambda count: list(range(50_000, 50_000 + count)), port=50_004, replicas=3)
    addresses = addresses_of(state)
    assert not [a for a in addresses if ":50004" in a]
    assert len(set(addresses)) == 9


def test_a_replica_that_joins_gets_no_port_of_one_that_is_down():
    state = planned(pick=lambda count: list(range(50_000, 50_000 + count)), port=0, replicas=2)
    state.replicas.append(plan.new_replica(state, pick=lambda count: list(range(50_000, 50_000 + count))))
    assert len(set(addresses_of(state))) == 9
    assert [r.name for r in state.replicas] == ["llm-0", "llm-1", "llm-2"]


def test_the_lowest_free_name_is_taken():
    state = planned(port=0, replicas=3)
    del state.replicas[1]
    assert plan.new_replica(state).name == "llm-1"


def test_an_autoscaled_platform_has_a_place_for_the_autoscalers_page():
    state = planned(port=0, autoscale="policy.yaml")
    assert state.autoscaler.policy == "policy.yaml"
    assert state.autoscaler.url != state.gateway.url


def test_the_gateway_understands_its_configuration():
    text = gateway_config(
        planned(port=0, tenants="/t.yaml", gateway_workers=2), control=CONTROL, capacity=Capacity(8, 4096)
    )
    config = parse_config(text, path="gateway.json")
    assert (config.control.port, config.control.token) == (9, CONTROL.token)
    assert next((r.name, r.max_seqs, r.kv_tokens) for r in config.replicas) == ("llm-0", 8, 4096)
    assert (config.tenants, config.engine, config.workers) == ("/t.yaml", "emulated", 2)


def test_the_gateway_knows_what_an_hour_of_a_replica_costs():
    price = GpuPrice("ours", "2.10", "EUR", gpus_per_replica=4)
    text = gateway_config(planned(port=0, price=price), control=CONTROL, capacity=Capacity())
    assert parse_config(text, path="gateway.json").cost == CostConfig(replica_hour=8.4, currency="EUR")
    without = gateway_config(planned(port=0), control=CONTROL, capacity=Capacity())
    assert parse_config(without, path="gateway.json").cost is None


def test_the_gateway_is_given_longer_than_it_drains():
    config = parse_config(gateway_config(planned(port=0), control=CONTROL, capacity=Capacity()), path="gateway.json")
    assert config.drain_timeout_s == GATEWAY_DRAIN_S
    assert config.drain_timeout_s + 1.0 < GRACE_S


def test_a_cold_start_is_not_held_against_a_replica():
    quick = start_timeout_s(PlatformSpec())
    assert start_timeout_s(PlatformSpec(cold_start_scale=2.0)) > quick + 20
    assert start_timeout_s(PlatformSpec(engine="vllm")) == 300


def test_a_secret_is_never_readable_by_others(tmp_path):
    path = tmp_path / "secret.json"
    write_atomically(path, "{}", mode=0o600)
    write_atomically(path, "{1}", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == "{1}"


def launcher(tmp_path, monkeypatch, **fields):
    monkeypatch.setattr(launching.triton, "find_triton", lambda: None)
    monkeypatch.setattr(launching.triton, "prepare_backends", lambda *_: tmp_path)
    monkeypatch.setattr(launching.triton, "launch", lambda *_, **options: None)
    files, state = StateFiles(tmp_path / "state"), planned(port=0, **fields)
    journal = Journal(files, state, now=lambda: 0.0)
    return state, Launcher.find(files, state.spec, journal, marks={}, now=lambda: 0.0)


def test_a_crashed_replica_s_shared_memory_is_no_other_s(tmp_path, monkeypatch):
    monkeypatch.setattr("serving.fleet.shm.SHM", tmp_path)
    state, made = launcher(tmp_path, monkeypatch, replicas=11)
    keepers = [made.keeper(info) for info in state.replicas]
    for keeper in keepers:
        (tmp_path / f"{keeper.program.shm_prefix}region").touch()
    assert remove_segments(keepers[1].program.shm_prefix) == ["sre-0badcafe-llm-1-region"]


def test_the_gateway_is_told_what_the_profile_holds(tmp_path, monkeypatch):
    _, made = launcher(tmp_path, monkeypatch)
    capacity = made.capacity()
    assert capacity.max_seqs >= 1
    assert capacity.kv_tokens >= 1000


def test_a_cold_start_asked_for_reaches_the_replica(tmp_path, monkeypatch):
    state, made = launcher(tmp_path, monkeypatch, cold_start_scale=0.25)
    made.keeper(state.replicas[0])
    assert '"0.25"' in (tmp_path / "state" / "models" / "llm-0" / "llm" / "config.pbtxt").read_text()


class Sleeper:
    """A part that is one real process, ended by the supervisor's stack."""

    def __init__(self, tmp_path):
        self._log = tmp_path / "g.log"

    async def start(self, stack):
        argv = (sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)")
        self.child = await Child.spawn("gateway", argv, env=os.environ, log=self._log)
        stack.push_async_callback(self.child.stop, grace_s=0.5)


def no_parts(*_args, **_kwargs):
    return None


@pytest.fixture
def part(tmp_path, monkeypatch):
    """The only part of a platform that is `ready` as soon as it is started."""
    sleeper = Sleeper(tmp_path)

    async def start(self, parts, journal, stack):
        await sleeper.start(stack)

    async def ready(self, parts, journal, stop):
        return None

    monkeypatch.setattr(supervisor, "adopt_orphans", lambda: None)
    monkeypatch.setattr(Supervisor, "_start", start)
    monkeypatch.setattr(Supervisor, "_until_ready", ready)
    return sleeper


async def test_a_replica_that_can_no_longer_be_supervised_ends_the_platform_with_an_error(tmp_path, part):
    """Else it would be missing for good, unseen, after its next crash."""

    async def broken():
        raise OSError(28, "No space left on device")

    files = StateFiles(tmp_path)
    made = Supervisor(files, PlatformSpec(port=0, prometheus="off"), wire=no_parts)
    made._critical.start(broken(), name="llm-1")
    async with asyncio.timeout(10):
        with pytest.raises(EnvironmentLacks, match=r"llm-1 could not be supervised: .*No space left"):
            await made.run(asyncio.Event())
    state = json.loads(files.state.read_text())
    assert state["phase"] == "failed"
    assert "llm-1" in state["error"]
    assert part.child.returncode is not None


async def test_a_disk_that_fills_up_does_not_keep_the_children_alive(tmp_path, part, monkeypatch):
    def disk_full(self, name, **_):
        raise OSError(28, "No space left on device")

    async def ready(self, parts, journal, stop):
        monkeypatch.setattr(Journal, "event", disk_full)

    monkeypatch.setattr(Supervisor, "_until_ready", ready)
    with pytest.raises(OSError, match="No space left"):
        await Supervisor(StateFiles(tmp_path), PlatformSpec(port=0, prometheus="off"), wire=no_parts).run(
            asyncio.Event()
        )
    assert part.child.returncode is not None


async def test_an_orderly_stop_says_so_in_order(tmp_path, part):
    files, stop = StateFiles(tmp_path), asyncio.Event()
    stop.set()
    await Supervisor(files, PlatformSpec(port=0, prometheus="off"), wire=no_parts).run(stop)
    names = [json.loads(line)["event"] for line in files.events.read_text().splitlines()]
    assert names == ["platform_starting", "platform_stopping", "platform_stopped"]
    assert json.loads(files.state.read_text())["phase"] == "stopped"
    assert part.child.returncode is not None


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
