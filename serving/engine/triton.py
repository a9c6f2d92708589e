"""Finds the Triton server in the `nvidia-pytriton` wheel and says how to start one replica of it.

The wheel is used as a box of files: `import pytriton` is slow and starts things, so only its location is asked for.
Nothing is spawned here; the caller owns the process. The Python stub takes its environment from the first `bin` on
PATH and ignores PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from serving.engine.faults import FAULTS_FILE
from serving.engine.inference import MODEL_NAME
from serving.engine.parameters import ENGINES
from serving.errors import BadInput, EnvironmentLacks
from serving.profiles import load

HOST = "127.0.0.1"
EXIT_TIMEOUT_S = 4  # what a replica may take over SIGTERM; after it, it exits with status 1 and cleans up all the same
STUB_TIMEOUT_S = (
    3600  # for a model to load; a cold start at scale 1 takes minutes, and the supervisor has its own limit
)
REPOSITORY_TEMPLATE = Path(__file__).resolve().parent.parent / "model_repository"
NO_LIMITS: Mapping[str, int | None] = MappingProxyType({})
_WHEEL = "nvidia-pytriton"
_STUB = "triton_python_backend_stub"
_MEND_WHEEL = f"it exists for Linux on x86-64: `pip install {_WHEEL}==0.7.0` there"


@dataclass(frozen=True, slots=True)
class TritonInstall:
    """Where the pieces of a Triton server lie on this machine.

    `library_dirs` are needed on LD_LIBRARY_PATH (the wheel's own libraries, libpython); `python_bin` is the `bin`
    directory of the environment in which the model's Python code runs.
    """

    server: Path
    backend_files: tuple[Path, ...]
    library_dirs: tuple[Path, ...]
    python_bin: Path


@dataclass(frozen=True, slots=True)
class TritonLaunch:
    """One replica's command line and its complete environment (the caller's own one with ours on top)."""

    argv: tuple[str, ...]
    env: dict[str, str]


def find_triton() -> TritonInstall:
    """Locate server, Python backend, the stub for the running Python version and libpython.

    Raises EnvironmentLacks, one line, when the system, the wheel or libpython is not there.
    """
    if sys.platform != "linux":
        raise EnvironmentLacks(f"Triton: no server for {sys.platform} in the {_WHEEL} wheel: {_MEND_WHEEL}")
    package = _package_directory()
    root = package / "tritonserver"
    stub = root / "python_backend_stubs" / f"{sys.version_info.major}.{sys.version_info.minor}" / _STUB
    backend = root / "backends" / "python"
    needed = (
        root / "bin" / "tritonserver",
        backend / "libtriton_python.so",
        backend / "triton_python_backend_utils.py",
        stub,
    )
    for path in needed:
        if not path.is_file():
            raise EnvironmentLacks(
                f"Triton: {path} is missing: reinstall {_WHEEL} for Python 3.11 or 3.12; {_MEND_WHEEL}"
            )
    wheel_libraries = package.parent / "nvidia_pytriton.libs"
    return TritonInstall(
        server=needed[0],
        backend_files=needed[1:],
        library_dirs=(wheel_libraries, _libpython_directory(wheel_libraries)),
        python_bin=Path(sys.executable).parent,
    )


def _package_directory() -> Path:
    """Directory of the `pytriton` package, found without importing it."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        raise EnvironmentLacks(f"Triton: the {_WHEEL} wheel is not installed: {_MEND_WHEEL}")
    return Path(spec.submodule_search_locations[0])


def _libpython_directory(wheel_libraries: Path) -> Path:
    """Directory of the shared libpython the stub is linked against (static builds have none)."""
    soname = f"libpython{sys.version_info.major}.{sys.version_info.minor}.so.1.0"
    configured = [sysconfig.get_config_var("LIBDIR"), f"{sys.base_prefix}/lib"]
    multiarch = sysconfig.get_config_var("MULTIARCH")
    candidates = [Path(c) for c in configured if c]
    candidates += [Path(f"/usr/lib/{multiarch}")] if multiarch else []
    for directory in [*candidates, wheel_libraries]:
        if (directory / soname).exists():
            return directory
    looked = ", ".join(str(c) for c in candidates)
    package = soname.removesuffix(".so.1.0")
    raise EnvironmentLacks(
        f"Triton: {soname} is not in {looked}: install the Debian package {package}, "
        "or use a Python built with --enable-shared"
    )


def prepare_backends(install: TritonInstall, directory: Path) -> Path:
    """Make `directory` a Triton backend directory (symlinks to the wheel's files) and return it. Idempotent."""
    target = directory / "python"
    target.mkdir(parents=True, exist_ok=True)
    for source in install.backend_files:
        _link(source, target / source.name)
    return directory.resolve()


def _link(source: Path, link: Path) -> None:
    """Point `link` at `source`, replacing a stale one atomically, so that a running server never sees it missing."""
    if link.is_symlink() and link.readlink() == source:
        return
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    temporary.symlink_to(source)
    temporary.replace(link)


def write_model_repository(
    directory: Path,
    *,
    profile: str,
    time_scale: float,
    replica: str,
    engine: str = "emulated",
    cold_start_scale: float = 0.0,
    prefix_caching: bool = True,
    limits: Mapping[str, int | None] = NO_LIMITS,
) -> Path:
    """Write the replica's model repository (model `llm`) below `directory`, without faults, and return it. `limits` of
    the scheduler overrule the profile's, by name (`serving.engine.parameters.LIMITS`).

    Raises ProfileNotFound for an unknown profile, BadInput for one that does not fit its GPUs, and for a scale, limits,
    an engine or a replica name that Triton could not use.
    """
    given: dict[str, Any] = {name: value for name, value in limits.items() if value is not None}
    replace(load(profile).scheduler, **given)  # else Triton is the first to find that they contradict each other
    if not 0 < time_scale < float("inf"):
        raise BadInput(f"time_scale is {time_scale:g}: use a number above 0 (1 is real time)")
    if not 0 <= cold_start_scale < float("inf"):
        raise BadInput(f"cold_start_scale is {cold_start_scale:g}: use 0 (no cold start) or more (1 is real time)")
    if engine not in ENGINES:
        raise BadInput(f"engine is {engine!r}: use {' or '.join(ENGINES)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", replica):
        raise BadInput(f"replica name is {replica!r}: use letters, digits, '.', '-' and '_'")
    source, target = REPOSITORY_TEMPLATE / MODEL_NAME, directory / MODEL_NAME
    (target / "1").mkdir(parents=True, exist_ok=True)
    code = (source / "1" / "model.py").read_text(encoding="utf-8")
    (target / "1" / "model.py").write_text(code, encoding="utf-8")
    config = (source / "config.pbtxt").read_text(encoding="utf-8")
    (target / FAULTS_FILE).unlink(missing_ok=True)
    values = {
        "engine": engine,
        "profile": profile,
        "time_scale": repr(time_scale),
        "replica": replica,
        "cold_start_scale": repr(cold_start_scale),
        "prefix_caching": str(prefix_caching).lower(),
        **{name: str(value) for name, value in given.items()},
    }
    (target / "config.pbtxt").write_text(with_parameters(config, values), encoding="utf-8")
    return directory.resolve()


def with_parameters(config: str, values: Mapping[str, str]) -> str:
    """`config` (protobuf text) with the string values of the named parameters replaced. Each must be there once."""
    for key, value in values.items():
        pattern = rf'(parameters \{{ key: "{re.escape(key)}" value \{{ string_value: ")[^"]*(")'
        config, count = re.subn(pattern, rf"\g<1>{value}\g<2>", config)
        if count != 1:
            raise BadInput(f"config.pbtxt: parameter {key!r} is there {count} times: write it once, on one line")
    return config


def launch(
    install: TritonInstall,
    *,
    name: str,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    repository: Path,
    backends: Path,
    shm_prefix: str,
    log_verbose: int = 0,
) -> TritonLaunch:
    """Command line and environment of replica `name`, everything on loopback.

    `shm_prefix` starts its shared-memory names.
    """
    argv = (
        str(install.server),
        f"--id={name}",
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=explicit",
        f"--load-model={MODEL_NAME}",
        *(f"--{protocol}-address={HOST}" for protocol in ("http", "grpc", "metrics")),
        f"--http-port={http_port}",
        f"--grpc-port={grpc_port}",
        f"--metrics-port={metrics_port}",
        "--http-thread-count=2",
        "--model-load-thread-count=1",
        "--grpc-infer-allocation-pool-size=64",
        "--grpc-http2-min-recv-ping-interval-without-data=5000",
        "--grpc-http2-max-ping-strikes=0",  # a starved client pings in bunches; a GOAWAY would cut every stream
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        f"--log-verbose={log_verbose}",
        f"--backend-config=python,shm-region-prefix-name={shm_prefix}",
        "--backend-config=python,shm-default-byte-size=4194304",
        "--backend-config=python,shm-growth-byte-size=1048576",
        f"--backend-config=python,stub-timeout-seconds={STUB_TIMEOUT_S}",
    )
    return TritonLaunch(argv=argv, env=_environment(install, os.environ))


def _environment(install: TritonInstall, inherited: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment with the model's Python first on PATH and Triton's libraries findable."""
    libraries = [str(directory) for directory in install.library_dirs]
    env = {key: value for key, value in inherited.items() if key not in {"PYTHONHOME", "PYTHONPATH"}}
    env["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, *filter(None, [inherited.get("LD_LIBRARY_PATH")])])
    env["PATH"] = os.pathsep.join([str(install.python_bin), *filter(None, [inherited.get("PATH")])])
    env["LC_ALL"] = "C.UTF-8"
    return env
