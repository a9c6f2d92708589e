"""The platform's life, apart from the drills played on it: one drill, or as many as ask for the same platform."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sre.gameday.progress import Progress
from sre.platforms.interrupts import interrupts_held
from sre.platforms.local import LocalPlatform, PlatformSpec, down, up


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """A platform that serves; the instants are Unix seconds. `prometheus_url` is None where none was started."""

    platform: LocalPlatform
    spec: PlatformSpec
    up_began_at: float
    ready_at: float
    prometheus_url: str | None


@contextlib.contextmanager
def platform_running(
    spec: PlatformSpec, state_dir: Path, *, progress: Progress, now: Callable[[], float] = time.time
) -> Iterator[RunningPlatform]:
    """The platform of `spec` for as long as the block lasts. It ends with this process whatever happens to it; on the
    way out it is stopped in order, and a second Ctrl-C does not cut that short.

    Raises SreError when it does not come up; nothing is left running then.
    """
    up_began_at = now()
    progress.step(f"platform: {spec.replicas} Triton replicas, gateway")
    platform = up(spec, state_dir, on_progress=progress.detail, detached=False)
    ready_at = now()
    progress.done(f"{platform.gateway_url}")
    try:
        yield RunningPlatform(platform, spec, up_began_at, ready_at, platform.state().prometheus_url)
    except BaseException as error:
        progress.fail("interrupted" if isinstance(error, KeyboardInterrupt) else "")
        raise
    finally:
        progress.step("platform down")
        with interrupts_held():
            report = down(state_dir)
        progress.done("nothing left running" if not report.orphans else f"killed {', '.join(report.orphans)}")
