"""Finding Triton and saying how to start it. Nothing is started here."""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from serving.batching import SchedulerConfig
from serving.engine import triton
from serving.engine.parameters import EngineParameters, parse_parameters
from serving.engine.triton import TritonInstall, launch, prepare_backends, with_parameters, write_model_repository
from serving.errors import BadInput, EnvironmentLacks, ProfileNotFound

H100 = "h100-llama3-8b-tp1"


def unpacked_wheel(site: Path) -> Path:
    """A folder laid out as the wheel unpacks. Returns its package directory."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in (
        "pytriton/__init__.py",
        "pytriton/tritonserver/bin/tritonserver",
        "pytriton/tritonserver/backends/python/libtriton_python.so",
        "pytriton/tritonserver/backends/python/triton_python_backend_utils.py",
        f"pytriton/tritonserver/python_backend_stubs/{version}/triton_python_backend_stub",
        f"nvidia_pytriton.libs/libpython{version}.so.1.0",
    ):
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(
            "raise SystemExit('imported')" if name.endswith("__init__.py") else "", encoding="utf-8"
        )
    return site / "pytriton"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = unpacked_wheel(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    monkeypatch.setattr(sys, "platform", "linux")
    return directory


def test_it_is_found_by_its_files_without_importing_the_package(package: Path) -> None:
    install = triton.find_triton()
    assert install.server == package / "tritonserver" / "bin" / "tritonserver"
    assert {path.name for path in install.backend_files} == {
        "libtriton_python.so",
        "triton_python_backend_utils.py",
        "triton_python_backend_stub",
    }
    assert install.library_dirs[0] == package.parent / "nvidia_pytriton.libs"
    assert install.python_bin == Path(sys.executable).parent
    assert "pytriton" not in sys.modules


def test_another_system_is_told_where_it_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(EnvironmentLacks, match=r"no server for darwin .* Linux on x86-64") as caught:
        triton.find_triton()
    assert caught.value.exit_code == 3


def test_a_missing_wheel_is_one_line_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentLacks, match=r"wheel is not installed: .*pip install nvidia-pytriton") as caught:
        triton.find_triton()
    assert "\n" not in str(caught.value)


def test_a_wheel_without_a_stub_for_this_python_is_reported(package: Path) -> None:
    stub = next(package.rglob("triton_python_backend_stub"))
    stub.unlink()
    with pytest.raises(EnvironmentLacks, match=r"triton_python_backend_stub is missing: reinstall"):
        triton.find_triton()


def test_a_missing_libpython_is_reported_with_the_package_to_install(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next((package.parent / "nvidia_pytriton.libs").iterdir()).unlink()
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "/nowhere" if name == "LIBDIR" else None)
    monkeypatch.setattr(sys, "base_prefix", "/nowhere/either")
    with pytest.raises(EnvironmentLacks, match=r"is not in /nowhere, .* install the Debian package libpython3"):
        triton.find_triton()


def test_preparing_backends_twice_gives_the_same_links(package: Path, tmp_path: Path) -> None:
    install = triton.find_triton()
    for _ in range(2):
        backends = prepare_backends(install, tmp_path / "backends")
        assert {path.name: path.readlink() for path in (backends / "python").iterdir()} == {
            path.name: path for path in install.backend_files
        }


def test_a_link_to_an_older_install_is_replaced(package: Path, tmp_path: Path) -> None:
    install = triton.find_triton()
    stale = tmp_path / "backends" / "python" / "libtriton_python.so"
    stale.parent.mkdir(parents=True)
    stale.symlink_to("/gone/libtriton_python.so")
    prepare_backends(install, tmp_path / "backends")
    assert stale.readlink() == install.backend_files[0]


def test_the_repository_carries_the_replica_s_parameters(tmp_path: Path) -> None:
    repository = write_model_repository(tmp_path / "r", profile=H100, time_scale=2.5, replica="llm-7")
    config = (repository / "llm" / "config.pbtxt").read_text(encoding="utf-8")
    assert 'parameters { key: "time_scale" value { string_value: "2.5" } }' in config
    assert 'parameters { key: "replica" value { string_value: "llm-7" } }' in config
    assert (repository / "llm" / "1" / "model.py").is_file()


def test_the_repository_carries_cold_start_and_prefix_caching(tmp_path: Path) -> None:
    repository = write_model_repository(
        tmp_path / "r", profile=H100, time_scale=1.0, replica="llm-0", cold_start_scale=0.25, prefix_caching=False
    )
    config = (repository / "llm" / "config.pbtxt").read_text(encoding="utf-8")
    assert 'parameters { key: "cold_start_scale" value { string_value: "0.25" } }' in config
    assert 'parameters { key: "prefix_caching" value { string_value: "false" } }' in config


def test_the_scheduler_s_limits_can_be_others_than_the_profile_s(tmp_path: Path) -> None:
    limits = {"max_num_seqs": 8, "max_num_batched_tokens": None}
    repository = write_model_repository(tmp_path / "r", profile=H100, time_scale=1.0, replica="llm-0", limits=limits)
    config = (repository / "llm" / "config.pbtxt").read_text(encoding="utf-8")
    assert 'parameters { key: "max_num_seqs" value { string_value: "8" } }' in config
    assert 'parameters { key: "max_num_batched_tokens" value { string_value: "" } }' in config
    given = parse_parameters(model_config(**GOOD, max_num_seqs="8", max_num_batched_tokens=""))
    assert given.scheduler(SchedulerConfig(kv_blocks=10)) == SchedulerConfig(kv_blocks=10, max_num_seqs=8)


def test_a_repository_written_anew_has_no_faults_of_the_one_before(tmp_path: Path) -> None:
    options: dict[str, Any] = {"profile": H100, "time_scale": 1.0, "replica": "llm-0"}
    repository = write_model_repository(tmp_path / "r", **options)
    (repository / "llm" / "faults.json").write_text('{"hang": true}', encoding="utf-8")
    write_model_repository(tmp_path / "r", **options)
    assert not (repository / "llm" / "faults.json").exists()


def test_the_shipped_model_folder_is_usable_as_it_is() -> None:
    config = (triton.REPOSITORY_TEMPLATE / "llm" / "config.pbtxt").read_text(encoding="utf-8")
    assert with_parameters(config, {"profile": H100, "engine": "emulated"}) == config


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"profile": "b300"}, ProfileNotFound, "'b300' is unknown"),
        ({"time_scale": 0.0}, BadInput, "time_scale is 0"),
        ({"time_scale": float("nan")}, BadInput, "time_scale is nan"),
        ({"replica": 'x" } }'}, BadInput, "replica name"),
        ({"cold_start_scale": -1.0}, BadInput, "cold_start_scale is -1"),
        ({"engine": "warp"}, BadInput, "engine is 'warp'"),
        ({"limits": {"max_num_seqs": 900_000}}, BadInput, "max_num_seqs 900000 exceeds max_num_batched_tokens"),
    ],
)
def test_bad_values_are_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], error: type[BadInput], words: str
) -> None:
    options: dict[str, Any] = {"profile": H100, "time_scale": 1.0, "replica": "llm-0", **change}
    with pytest.raises(error, match=words):
        write_model_repository(tmp_path / "r", **options)
    assert not (tmp_path / "r").exists()


def start(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> triton.TritonLaunch:
    for name in ("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    install = TritonInstall(
        server=Path("/t/tritonserver"),
        backend_files=(),
        library_dirs=(Path("/t/libs"), Path("/py/lib")),
        python_bin=Path("/venv/bin"),
    )
    return launch(
        install,
        name="llm-0",
        http_port=1,
        grpc_port=2,
        metrics_port=3,
        repository=Path("/r"),
        backends=Path("/b"),
        shm_prefix="sre-x-llm-0",
    )


def test_everything_listens_on_loopback_with_the_given_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = start(monkeypatch, {}).argv
    assert argv[0] == "/t/tritonserver"
    for protocol, port in (("http", 1), ("grpc", 2), ("metrics", 3)):
        assert f"--{protocol}-address=127.0.0.1" in argv
        assert f"--{protocol}-port={port}" in argv
    assert "--backend-config=python,shm-region-prefix-name=sre-x-llm-0" in argv
    assert "--load-model=llm" in argv


def test_the_model_s_python_comes_first_and_foreign_python_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    env = start(monkeypatch, {"PATH": "/bin", "PYTHONPATH": "/evil", "PYTHONHOME": "/evil", "KEEP": "me"}).env
    assert env["PATH"] == "/venv/bin:/bin"
    assert env["LD_LIBRARY_PATH"] == "/t/libs:/py/lib"
    assert env["KEEP"] == "me"
    assert not {"PYTHONPATH", "PYTHONHOME"} & set(env)


def test_an_inherited_library_path_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start(monkeypatch, {"LD_LIBRARY_PATH": "/mine"}).env["LD_LIBRARY_PATH"] == "/t/libs:/py/lib:/mine"


def model_config(**parameters: str) -> str:
    return json.dumps({"parameters": {key: {"string_value": value} for key, value in parameters.items()}})


GOOD = {"engine": "emulated", "profile": H100, "time_scale": "2", "replica": "llm-1"}


def test_the_model_reads_its_parameters_from_triton_s_configuration() -> None:
    assert parse_parameters(model_config(**GOOD)) == EngineParameters("emulated", H100, 2.0, "llm-1")


def test_parameters_that_came_later_have_defaults() -> None:
    given = parse_parameters(model_config(**GOOD, cold_start_scale="0.5", prefix_caching="false"))
    assert (given.cold_start_scale, given.prefix_caching) == (0.5, False)
    plain = parse_parameters(model_config(**GOOD))
    assert (plain.cold_start_scale, plain.prefix_caching) == (0.0, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engine": "vllm"}, "engine is 'vllm': use emulated"),
        ({"time_scale": "fast"}, "time_scale is 'fast': use a number above 0"),
        ({"time_scale": "-1"}, "time_scale is '-1'"),
        ({"replica": ""}, "replica missing"),
        ({"cold_start_scale": "-1"}, "cold_start_scale is '-1': use 0"),
        ({"cold_start_scale": "warm"}, "cold_start_scale is 'warm'"),
        ({"prefix_caching": "yes"}, "prefix_caching is 'yes': use true or false"),
        ({"max_num_seqs": "many"}, "max_num_seqs is 'many': use a whole number from 1"),
    ],
)
def test_a_bad_engine_parameter_is_one_line(change: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse_parameters(model_config(**{**GOOD, **change}))
