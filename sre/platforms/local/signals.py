"""Signals to the platform's processes: only to the very process that was meant, however often its pid is reused."""

from __future__ import annotations

import signal as signals
from types import MappingProxyType

import psutil

from sre.errors import PlatformError
from sre.platforms.model import Condition, Handle, NoProcess, Part, Signal
from sre.platforms.processes import ProcessRef, birth_of, find, find_born
from sre.platforms.state import LocalState, ReplicaEntry

STUB_NAME = "triton_python_backend_stub"
_NUMBERS = MappingProxyType({"kill": signals.SIGKILL, "stop": signals.SIGSTOP, "continue": signals.SIGCONT})
_SHOWN = 15  # the kernel cuts a process's name after so many characters


def process_behind(state: LocalState, part: Part, replica: ReplicaEntry | None) -> psutil.Process:
    """The live process of a part. Raises NoProcess when there is none."""
    if part in ("server", "stub"):
        if replica is None:
            raise PlatformError(f"{part}: of which replica? name one")
        server = _alive(f"replica {replica.name}", replica.process)
        return server if part == "server" else _stub(server, replica.name)
    alone = {"gateway": state.gateway, "recorder": state.recorder, "prometheus": state.prometheus}
    if part == "autoscaler":
        return _alive(part, None if state.autoscaler is None else state.autoscaler.process)
    return _alive(part, alone[part])


def handle_of(process: psutil.Process) -> Handle:
    """`born` holds when the clock is set: a stopped process must not pass for gone, and stay stopped."""
    born = birth_of(process.pid)
    return {"pid": process.pid, "created": process.create_time(), **({} if born is None else {"born": born})}


def process_of(handle: Handle) -> psutil.Process | None:
    """The very process of the handle; None when it is gone."""
    if "born" in handle:
        return find_born(int(handle["pid"]), str(handle["born"]))
    return find(ProcessRef(int(handle["pid"]), float(handle["created"])))


def send(handle: Handle, signal: Signal) -> bool:
    """False when the process is gone. Raises PlatformError when it may not be signalled."""
    process = process_of(handle)
    if process is None:
        return False
    try:
        process.send_signal(_NUMBERS[signal])
    except psutil.NoSuchProcess:
        return False
    except psutil.Error as error:
        raise PlatformError(f"process {handle['pid']}: no {signal} can be sent ({error}): run as its owner") from error
    return True


def condition_of(handle: Handle) -> Condition:
    process = process_of(handle)
    try:
        if process is None:
            return "gone"
        return "stopped" if process.status() == psutil.STATUS_STOPPED else "running"
    except psutil.NoSuchProcess:
        return "gone"


def _alive(who: str, ref: ProcessRef | None) -> psutil.Process:
    process = find(ref)
    if process is None:
        raise NoProcess(f"{who} has no running process: see `sre status`")
    return process


def _stub(server: psutil.Process, name: str) -> psutil.Process:
    try:
        stubs = [child for child in server.children() if child.name()[:_SHOWN] == STUB_NAME[:_SHOWN]]
    except psutil.NoSuchProcess as error:
        raise NoProcess(f"replica {name} has no running process: see `sre status`") from error
    except psutil.Error as error:
        raise PlatformError(f"replica {name}: its children cannot be seen ({error})") from error
    if not stubs:
        raise NoProcess(f"replica {name} has no model process: its model is not loaded")
    return stubs[0]
