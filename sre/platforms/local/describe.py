"""What the local platform is made of: asked for before it starts, told of in reports."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from serving.fleet.model import PlatformSpec, Sidecar
from serving.fleet.ports import require_free
from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.platform import LocalPlatform
from sre.platforms.processes import marked

NOT_THE_PLATFORM = ("serving.loadgen", "chaostoolkit")
TRITON_OF_WHEEL = {"0.7.0": "2.51.0"}


def platform_spec(state_dir: Path, **asked: Any) -> PlatformSpec:
    """A specification with our sample recorder beside the platform. Raises SreError naming every impossible value."""
    recorder = (sys.executable, "-m", "sre.metrics.recorder", "--config", str(state_dir.resolve() / "recorder.json"))
    with serving_errors_as_ours():
        spec = PlatformSpec(sidecars=(Sidecar("recorder", recorder),), **asked)
        gpu_of(spec.profile)
    return spec


def gpu_of(profile: str) -> tuple[str, int]:
    """(GPU name, GPUs a replica) of a profile. Raises SreError, listing the known ones, for an unknown name."""
    from serving.profiles import load

    with serving_errors_as_ours():
        found = load(profile)
    return found.gpu, found.gpus_per_replica


def profile_source(profile: str) -> str:
    """Where a profile's step times come from and how far to trust them, in its own words."""
    from serving.profiles import load

    with serving_errors_as_ours():
        return " ".join(load(profile).source.split())


def check_load(plan: dict[str, Any], path: Path) -> None:
    """Read a load plan, and the trace it names, as the generator will. Raises SreError with the place of a fault."""
    from serving.loadgen.plan import parse_plan
    from serving.loadgen.schedule import build_schedule

    with serving_errors_as_ours():
        checked = parse_plan(json.dumps(plan), where=str(path))
        build_schedule(checked)


def server_description() -> str:
    """The Triton server this machine would run. Raises EnvironmentLacks when there is none."""
    from serving.engine.triton import find_triton

    with serving_errors_as_ours():
        find_triton()
    try:
        wheel = version("nvidia-pytriton")
    except PackageNotFoundError:
        return "tritonserver"
    return f"tritonserver {TRITON_OF_WHEEL.get(wheel, '(unknown version)')} (nvidia-pytriton {wheel})"


def require_port(port: int) -> None:
    """Raises EnvironmentLacks, naming who holds the port when that can be seen. 0 means any port and is always free."""
    with serving_errors_as_ours():
        require_free(port)


def footprint_mb(platform: LocalPlatform) -> float | None:
    """Proportional memory (PSS) of the platform's processes, MB; not of load generator and chaos. None if unknown."""
    total = 0
    for found in marked(platform.state_dir, platform.platform_id):
        try:
            argv = found.process.cmdline()
            if not any(module in argv for module in NOT_THE_PLATFORM):
                total += found.process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
        except (psutil.AccessDenied, AttributeError):
            return None
    return total / 2**20 if total else None
