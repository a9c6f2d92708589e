"""Stands in for `python -m serving.fleet`: same files, same marks, same signals; its replicas are sleepers.

FAKE_MODE: `ready`, `fails` (says why in the state file), `dies` (says why on stderr), `hangs` (never ready),
`deaf` (ready, ignores SIGTERM).
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil


def main():
    spec_path = Path(sys.argv[sys.argv.index("--spec") + 1])
    root = spec_path.parent
    mode = os.environ.get("FAKE_MODE", "ready")
    if mode == "dies":
        sys.stderr.write("noise\nserving.fleet: profile 'x' does not exist: use another\n")
        sys.exit(2)
    spec = json.loads(spec_path.read_text())
    replicas = [sleeper(f"llm-{i}") for i in range(spec["replicas"])]
    me = psutil.Process()
    state = {
        "platform_id": os.environ["SRE_PLATFORM_ID"],
        "phase": "starting",
        "error": None,
        "started_at": time.time(),
        "supervisor": {"pid": me.pid, "created": me.create_time()},
        "gateway": {"pid": None, "created": None, "url": f"http://127.0.0.1:{spec['port']}"},
        "prometheus": None,
        "recorder": None,
        "replicas": replicas,
    }

    def save():
        temporary = root / ".state.json.tmp"
        temporary.write_text(json.dumps(state))
        temporary.replace(root / "state.json")

    def stop(*_):
        for replica in replicas:
            os.kill(replica["pid"], signal.SIGKILL)
        state["phase"] = "stopped"
        save()
        sys.exit(0)

    signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else stop)
    if mode == "fails":
        state["phase"], state["error"] = "failed", "llm-0 is too big for this machine"
        save()
        for replica in replicas:
            os.kill(replica["pid"], signal.SIGKILL)
        sys.exit(3)
    save()
    if mode != "hangs":
        with (root / "events.jsonl").open("a") as events:
            for replica in replicas:
                line = {"at": time.time(), "event": "replica_ready", "replica": replica["name"], "pid": replica["pid"]}
                events.write(json.dumps(line) + "\n")
        state["phase"] = "ready"
        save()
    while True:
        time.sleep(60)


def sleeper(name):
    child = subprocess.Popen(["/bin/sleep", "600"], start_new_session=True)
    created = psutil.Process(child.pid).create_time()
    return {
        "name": name,
        "pid": child.pid,
        "created": created,
        "state": "ready",
        "metrics_url": "http://127.0.0.1:1/metrics",
        "restarts": 0,
        "ready_at": time.time(),
    }


if __name__ == "__main__":
    main()
