"""A platform without Triton for the cases of test_what_may_happen_to_a_run.py, and the `chaos run` that breaks it.

Its processes are `sleep`, its state.json is ours; driver, ledger, locks, signals, watchdog and control are the real
ones. The fault `toy` (toy_fault.py) stops a replica's process and makes its engine slow, and can be told to take time.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil

from sre.chaos.faults.background import background_processes
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.lock import holder
from sre.chaos.runs.run import chaos_command

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
SRE = Path(sys.executable).parent / "sre"
SLEEP, MOUNT, UMOUNT, PRLIMIT = (shutil.which(tool) for tool in ("sleep", "mount", "umount", "prlimit"))
PATIENCE_S = 60.0
"""For what a busy machine may take to start a process; says nothing of how fast a fault must be gone."""


def activity(func, kind="action", module="toy_activities", **arguments):
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": kind, "name": func, "provider": provider}


def probe(func, tolerance=True, **arguments):
    return {**activity(func, "probe", **arguments), "tolerance": tolerance}


def break_it(lease_s=60, **params):
    return activity("break_it", lease_s=lease_s, params=params)


BREAK = break_it()
WELL = probe("well")
HEAL = activity("heal_faults", module="sre.chaos.actions", timeout_s=20)
WAIT = activity("wait", seconds=120)


def experiment(*, method=(BREAK, WAIT), rollbacks=(HEAL,), holds=(WELL,), deadline_s=300):
    section = {
        "name": "llm-gameday",
        "blast_radius": {"max_replicas": 1, "min_healthy": 1},
        "deadline_s": deadline_s,
        "guard": {"metrics_may_vanish": True},
        "expected": {"recovered_within_s": 1, "alert": "none"},
        "id": "EXP-999",
        "family": "replica",
        "failure_mode": "toy",
        "workload": {"rate_rps": 1, "duration_s": 10, "warmup_s": 1, "seed": 1},
        "clock_factor": 60,
    }
    return {
        "title": "toy",
        "description": "toy",
        "controls": [{"name": "safety", "provider": {"type": "python", "module": "sre.chaos.control"}}],
        "steady-state-hypothesis": {"title": "well", "probes": list(holds)},
        "method": list(method),
        "rollbacks": list(rollbacks),
        "runtime": {"rollbacks": {"strategy": "always"}},
        "extensions": [section],
    }


class Scene:
    """One platform of two replicas in `folder`, and what happens on it. `stop` ends all that it started."""

    def __init__(self, folder):
        self.folder = folder
        self.state_dir = folder / "state"
        self.has_disk = self._give_disk()
        self.started = []
        self.run = None
        self.blow_at = None
        self.gone_after_s = None
        self.write_limit = None
        for name in ("llm-0", "llm-1"):
            (self.state_dir / "models" / name / "llm").mkdir(parents=True)
        (self.state_dir / "samples").mkdir()
        (self.state_dir / "samples" / "1000.jsonl").write_text("{}\n")
        later = time.time() + 3600  # a recorder that has just written, for as long as the case takes
        os.utime(self.state_dir / "samples" / "1000.jsonl", (later, later))
        self.processes = {name: self._sleeper() for name in ("supervisor", "llm-0", "llm-1")}
        (self.state_dir / "state.json").write_text(json.dumps(self._state()))

    @property
    def environment(self):
        path = os.pathsep.join([str(HERE / "on_path"), str(ROOT)])
        return {**os.environ, "PYTHONPATH": path, "SRE_STATE_DIR": str(self.state_dir)}

    # what is done

    def start(self, content=None, *, strategy="always", options=(), by_sre=False, wait_for="proven"):
        """`chaos run`, by itself or as the child of `sre chaos run`; returns when the fault is that far."""
        file = self.folder / f"{len(self.started)}.json"
        file.write_text(json.dumps(content or experiment()))
        argv = list(chaos_command(file, journal=file.with_suffix(".journal")))
        argv[argv.index("always")] = strategy
        argv[-1:-1] = options
        if by_sre:
            argv = [str(SRE), "chaos", "run", str(file), "--journal", str(file.with_suffix(".journal"))]
        with file.with_suffix(".log").open("wb") as log:
            self.run = subprocess.Popen(
                argv, cwd=self.folder, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.started.append(self.run)
        if wait_for:
            self.until(lambda: self.reached(wait_for), f"`{wait_for}`")
        return self

    def reached(self, point):
        """`proven` is the ledger's word, everything else a point that the fault itself told of."""
        if point == "proven":
            return any(fault.proven for fault in self.faults())
        return (self.state_dir / f"toy-{point}").exists()

    def blow(self, number, *, process=None):
        """A signal, to the run unless said otherwise; from here the seconds count."""
        (process or self.run).send_signal(number)
        self.blow_at = time.time()

    def sre(self, *arguments):
        """With `write_limit` no file of this call may become longer than so many bytes."""
        limit = [] if self.write_limit is None else [PRLIMIT, f"--fsize={self.write_limit}"]
        argv = [*limit, SRE, *arguments]
        return subprocess.run(argv, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60)

    # what is seen

    def until(self, seen, what, *, within_s=PATIENCE_S):
        deadline = time.monotonic() + within_s
        while not seen():
            assert time.monotonic() < deadline, f"{what} did not come\n{self.logs()}"
            time.sleep(0.05)

    def remains(self):
        """What of a fault can be seen from outside: stopped processes, sick engines, helpers. Not by the ledger."""
        stopped = [
            name
            for name, process in self.processes.items()
            if process.poll() is None and psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
        ]
        sick = [str(path) for path in self.state_dir.glob("models/*/llm/faults.json")]
        helpers = [process for fault in self.faults() for process in background_processes(fault.fault_id)]
        return [*stopped, *sick, *helpers]

    def expect_gone(self, *, within_s=5.0, since=None):
        """No fault remains so many seconds after the blow."""
        began = self.blow_at if since is None else since
        while self.remains():
            assert time.time() < began + within_s, f"{self.remains()} {within_s:g} s later\n{self.logs()}"
            time.sleep(0.05)
        self.gone_after_s = max(0.0, time.time() - began)

    def faults(self):
        return fault_windows(Ledger(self.state_dir).salvage().records)

    def undone_by(self):
        """Who undid the one fault, by the ledger; None while it does not say."""
        faults = self.faults()
        return faults[0].undone_by if len(faults) == 1 else [fault.undone_by for fault in faults]

    def watchdog(self):
        try:
            with (self.state_dir / "watchdog.lock").open() as file:
                return holder(file.fileno())
        except OSError:
            return None

    def ledger_text(self):
        path = Ledger(self.state_dir).path
        return path.read_text("utf-8") if path.exists() else ""

    def logs(self):
        found = [*sorted(self.folder.glob("*.log")), *sorted(self.state_dir.glob("logs/*.log"))]
        texts = [f"--- {path.name}\n{path.read_text('utf-8', 'replace')[-3000:]}" for path in found]
        return "\n".join([*texts, self.ledger_text()])

    def stop(self):
        for process in (self.watchdog(), *self.started, *self.processes.values()):
            if process is not None:
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                    process.kill()
        for process in (*self.started, *self.processes.values()):
            process.wait(20)
        if self.has_disk:
            subprocess.run([UMOUNT, "-l", self.state_dir], check=True)

    def _give_disk(self):
        """A state directory on a disk of its own, so small that it can be filled; False where only root may do so."""
        self.state_dir.mkdir()
        if os.geteuid() != 0 or MOUNT is None:
            return False
        mount = [MOUNT, "-t", "tmpfs", "-o", "size=512k", "tmpfs", self.state_dir]
        return subprocess.run(mount, capture_output=True).returncode == 0

    def _sleeper(self):
        return subprocess.Popen([SLEEP, "600"], start_new_session=True)

    def _state(self):
        def ref(name):
            pid = self.processes[name].pid
            return {"pid": pid, "created": psutil.Process(pid).create_time()}

        replicas = [
            {"name": n, **ref(n), "state": "ready", "metrics_url": "http://127.0.0.1:1/metrics", "restarts": 0,
             "ready_at": 1.0, "rotation": "up", "serving": True}
            for n in ("llm-0", "llm-1")
        ]  # fmt: skip
        return {
            "schema": 1,
            "platform_id": uuid.uuid4().hex[:8],
            "phase": "ready",
            "error": None,
            "started_at": time.time(),
            "supervisor": ref("supervisor"),
            "gateway": {"pid": None, "created": None, "url": "http://127.0.0.1:1", "state": "ready", "restarts": 0},
            "prometheus": None,
            "recorder": None,
            "replicas": replicas,
            "spec": {},
        }
