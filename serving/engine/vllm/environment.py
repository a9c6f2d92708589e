"""Where vLLM is installed: in an environment of its own, because it and Triton's Python stub want different numpys."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from serving.errors import EnvironmentLacks

VLLM_PYTHON = "SRE_VLLM_PYTHON"
_PLACE = Path(".venv-vllm", "bin", "python")
_REPOSITORY = Path(__file__).resolve().parents[3]
_MEND = f"run `make setup-vllm`, or set {VLLM_PYTHON} to the Python of an environment that has vllm"
_TRITON_LIBRARIES = "nvidia_pytriton.libs"


def find_vllm_env(workspace: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """The Python of vLLM's environment: `$SRE_VLLM_PYTHON`, or `.venv-vllm` in the workspace or beside this package.

    Raises EnvironmentLacks, one line, when there is none or it has no vLLM.
    """
    if named := environ.get(VLLM_PYTHON):
        return _checked(Path(named), f"{VLLM_PYTHON}={named}")
    places = [root / _PLACE for root in dict.fromkeys((workspace or Path.cwd(), _REPOSITORY))]
    for python in places:
        if python.exists():
            return _checked(python.absolute(), str(python))
    raise EnvironmentLacks(f"vLLM: no environment at {' or '.join(map(str, places))}: {_MEND}")


def _checked(python: Path, where: str) -> Path:
    """`python` itself (not what it links to: that would leave the environment), if vLLM can be found by it."""
    look = "import importlib.util as u, sys; sys.exit(0 if u.find_spec('vllm') else 9)"
    try:
        code = subprocess.run([str(python), "-I", "-c", look], check=False, timeout=30).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentLacks(f"vLLM: {where} does not run ({error}): {_MEND}") from error
    if code != 0:
        raise EnvironmentLacks(f"vLLM: {where} has no package vllm: {_MEND}")
    return python


def child_environment(inherited: Mapping[str, str], *, kv_cache_gib: int, scratch: Path) -> dict[str, str]:
    """What vLLM's processes run with: offline, without Triton's libraries and the stub's Python settings.

    `scratch` takes the sockets and rendezvous files vLLM leaves behind when it is killed; its path must be short.
    """
    env = {key: value for key, value in inherited.items() if not key.startswith(("PYTHON", "TRITON_"))}
    libraries = [entry for entry in env.pop("LD_LIBRARY_PATH", "").split(os.pathsep) if entry]
    if kept := [entry for entry in libraries if _TRITON_LIBRARIES not in entry]:
        env["LD_LIBRARY_PATH"] = os.pathsep.join(kept)
    env |= {
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "VLLM_LOGGING_COLOR": "0",
        "SPT_NOENV": "1",  # vLLM's process titles would overwrite the environment, and with it our mark
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a forked child would hold our socket open
        "VLLM_CPU_KVCACHE_SPACE": str(kv_cache_gib),
        "VLLM_RPC_BASE_PATH": str(scratch),
        "TMPDIR": str(scratch),
    }
    return env
