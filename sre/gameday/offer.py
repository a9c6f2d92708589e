"""Load without a drill: what `sre load` does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks
from sre.gameday.drive import POLL_S, Progress, load_running, load_summary
from sre.gameday.prepare import write_plan
from sre.platforms.local import LocalPlatform, check_load


def plan_of(asked: dict[str, Any], *, out: Path) -> dict[str, Any]:
    """A load plan of what was asked for; what is None keeps the generator's default. Raises SreError when it is bad."""
    plan = {"url": "http://127.0.0.1:1", "out": str(out.resolve())}
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
        while load.process.poll() is None:
            progress.detail(load_summary(load.log))
            time.sleep(POLL_S)
        load.require_alive()
    progress.done(load_summary(load.log))
    workload = json.loads((out / "workload.json").read_text("utf-8"))
    outcomes: dict[str, int] = workload["run"]["outcomes"]
    return {
        "ok": set(outcomes) == {"ok"},
        "outcomes": outcomes,
        "requests": str(out / "requests.jsonl"),
        "workload": workload,
    }
