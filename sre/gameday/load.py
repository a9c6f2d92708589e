"""The load generator as a child: started, watched, stopped in order. Under a drill, or alone for `sre load`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks, PlatformError
from sre.gameday.prepare import NO_GATEWAY_YET, write_plan
from sre.gameday.progress import POLL_S, Progress
from sre.incidents.evidence import read_jsonl
from sre.platforms.local import LocalPlatform, check_load, start_load
from sre.platforms.spawn import last_lines

STOP_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class RunningLoad:
    """The generator's process; `log` has its progress lines."""

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> bool:
        """Whether it is over. Raises PlatformError when it ended with a fault."""
        code = self.process.poll()
        if code not in (None, 0):
            raise PlatformError(f"load generator ended with {code}: {last_lines(self.log, count=1)}")
        return code is not None

    def watch(self, *, until: Callable[[], bool], progress: Progress) -> None:
        """Show how it goes until `until` says so."""
        while not until():
            self.ended()
            progress.detail(self.summary())
            time.sleep(POLL_S)

    def sent(self) -> int:
        """How many requests it has sent by its last progress line, at most a second old; 0 while there is none."""
        try:
            return int(json.loads(last_lines(self.log, count=1))["sent"])
        except (ValueError, KeyError, TypeError):
            return 0

    def summary(self) -> str:
        """Its last progress line in words; empty while there is none."""
        try:
            seen: dict[str, Any] = json.loads(last_lines(self.log, count=1))
            return f"{seen['sent']} sent, {seen['ok']} ok, {seen['failed']} failed, {seen['inflight']} in flight"
        except (ValueError, KeyError, TypeError):
            return ""


@contextlib.contextmanager
def load_running(platform: LocalPlatform, plan: Path, *, log: Path) -> Iterator[RunningLoad]:
    """The generator for as long as the block lasts; on the way out it is stopped, its records complete."""
    process = start_load(platform, plan, log=log)
    try:
        yield RunningLoad(process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_GRACE_S)
        if process.poll() is None:
            process.kill()
            process.wait()


def plan_of(asked: dict[str, Any], *, out: Path) -> dict[str, Any]:
    """A load plan of what was asked for; what is None keeps the generator's default. Raises SreError when it is bad."""
    plan = {"url": NO_GATEWAY_YET, "out": str(out.resolve())}
    plan |= {key: value for key, value in asked.items() if value is not None}
    check_load(plan, Path("load"))
    return plan


def offer_load(plan: dict[str, Any], state_dir: Path, *, progress: Progress) -> dict[str, Any]:
    """Run the generator against the platform that is up; returns its workload document and whether all went well.

    Raises PlatformError when no platform is up or the generator fails. Ctrl-C ends the load in order.
    """
    platform = LocalPlatform(state_dir)
    path = write_plan(plan, platform.state_dir / "load-plan.json", url=platform.gateway_url)
    out = Path(plan["out"])
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{out}: no folder can be made there ({error.strerror}): choose another --out"
        ) from error
    progress.step("load")
    with load_running(platform, path, log=platform.state_dir / "logs" / "load.log") as load:
        load.watch(until=load.ended, progress=progress)
    progress.done(load.summary())
    workload = json.loads((out / "workload.json").read_text("utf-8"))
    outcomes: dict[str, int] = workload["run"]["outcomes"]
    return {
        "ok": set(outcomes) == {"ok"},
        "outcomes": outcomes,
        "errors": _errors(out / "requests.jsonl"),
        "requests": str(out / "requests.jsonl"),
        "workload": workload,
    }


def _errors(records: Path, most: int = 3) -> dict[str, int]:
    """The commonest reasons why requests were not served, with their counts."""
    found = Counter(row["error"] for row in read_jsonl(records) if row.get("error"))
    return dict(found.most_common(most))
