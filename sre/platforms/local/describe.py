"""What the local platform is made of: asked for before it starts, told of in reports."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import psutil

from serving.errors import BadInput
from serving.fleet.model import PlatformSpec, Sidecar
from serving.fleet.ports import require_free
from serving.fleet.spec import GpuPrice
from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.platform import LocalPlatform
from sre.platforms.processes import marked

if TYPE_CHECKING:
    from serving.engine.vllm import VllmConfig

GPU_DEVICE = Path("/dev/nvidia0")
CPU_THRESHOLDS = MappingProxyType({"ttft_threshold_s": 5.0, "tpot_threshold_s": 0.2})  # no GPU's goodput
VLLM_PREPARE_S = 120.0  # making the tiny model imports torch
NOT_THE_PLATFORM = ("serving.loadgen", "chaostoolkit")
TRITON_OF_WHEEL = {"0.7.0": "2.51.0"}


def platform_spec(
    state_dir: Path,
    *,
    autoscale: Path | None = None,
    tenants: Path | None = None,
    vllm: Mapping[str, Any] | None = None,
    **asked: Any,
) -> PlatformSpec:
    """A specification with our sample recorder beside the platform, and its files read as they will be.

    `vllm` are settings of that engine; those that are None were not given. Raises SreError naming every impossible
    value.
    """
    recorder = (sys.executable, "-m", "sre.metrics.recorder", "--config", str(state_dir.resolve() / "recorder.json"))
    with serving_errors_as_ours():
        settings = _vllm_config(str(asked.get("engine", "emulated")), vllm or {})
        if settings is not None and settings.device == "cpu":
            asked = {**CPU_THRESHOLDS, **asked}
        spec = PlatformSpec(
            sidecars=(Sidecar("recorder", recorder),),
            autoscale=None if autoscale is None else str(autoscale.resolve()),
            tenants=None if tenants is None else str(tenants.resolve()),
            vllm=settings,
            **asked,
        )
        gpu_of(spec.profile)
        _check_files(spec)
    return spec


def gpu_price(name: str, per_gpu_hour: Decimal, currency: str, *, gpus_per_replica: int) -> GpuPrice:
    """A price in the form the platform's specification holds (`price=` of `platform_spec`)."""
    return GpuPrice(name, str(per_gpu_hour), currency, gpus_per_replica)


def _check_files(spec: PlatformSpec) -> None:
    from serving.autoscale import load_policy
    from serving.autoscale.loop import require_answerable
    from serving.fleet.observers import find_prometheus
    from serving.gateway.tenants import load_tenants

    if spec.autoscale is not None:
        has_prometheus = spec.prometheus == "auto" and find_prometheus() is not None
        require_answerable(load_policy(Path(spec.autoscale)), "planned" if has_prometheus else None)
    if spec.tenants is not None:
        load_tenants(Path(spec.tenants))


def _vllm_config(engine: str, asked: Mapping[str, Any]) -> VllmConfig | None:
    """None for the tiny model with its defaults. The GPU is taken where there is one and no device is named."""
    from serving.engine.vllm import VllmConfig

    given = {key: value for key, value in asked.items() if value is not None}
    if engine != "vllm":
        if given:
            options = ", ".join(f"--{key.replace('_', '-')}" for key in given)
            raise BadInput(f"{options}: only with --engine vllm")
        return None
    if "model" in given:
        given["model"] = str(Path(given["model"]).resolve())
    given.setdefault("device", "cuda" if GPU_DEVICE.exists() else "cpu")
    return VllmConfig(**given)


def start_limit_s(spec: PlatformSpec) -> float:
    """How long the supervisor may take until the platform serves, and a margin: it knows better why it is late."""
    from serving.fleet.launching import start_timeout_s
    from serving.fleet.supervisor import START_MARGIN_S

    with serving_errors_as_ours():
        return start_timeout_s(spec) + START_MARGIN_S + (VLLM_PREPARE_S if spec.engine == "vllm" else 0.0) + 10.0


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
