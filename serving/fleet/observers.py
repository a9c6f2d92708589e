"""Who watches the platform: the scrape targets, and the files that tell them to Prometheus and to our recorder.

Both read their targets anew while they run: Prometheus by file service discovery, the recorder when its file changes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from serving.fleet.journal import write_atomically
from serving.fleet.model import PlatformState, ReplicaInfo, Route, StateFiles

KEPT_METRICS = ("sre_gateway_", "sre_engine_", "sre_autoscaler_", "llm_", "vllm:", "nv_inference_", "DCGM_FI_DEV_")
TARGETS_FILE = "targets.json"
REFRESH_S = 2  # beside the file's change notification, for file systems without one


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One /metrics endpoint with the labels its samples get."""

    job: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()
    via: str | None = None
    """Where the page is fetched instead of `url`; its series stay those of `url`."""

    @property
    def address(self) -> str:
        return _address(self.via or self.url)


def scrape_targets(state: PlatformState, replicas: Sequence[ReplicaInfo]) -> list[ScrapeTarget]:
    """The gateway, the autoscaler where there is one, and `replicas`: those whose pages are meant to answer."""
    services = [ScrapeTarget("gateway", f"{state.gateway.url}/metrics", via=_via(state.gateway.route))]
    if state.autoscaler is not None:
        services.append(ScrapeTarget("autoscaler", f"{state.autoscaler.url}/metrics"))
    engines = (ScrapeTarget("triton", r.metrics_url, (("replica", r.name),), _via(r.route)) for r in replicas)
    return [*services, *engines]


def write_targets(files: StateFiles, targets: Sequence[ScrapeTarget], *, interval_s: float) -> None:
    """Tell both observers whom to scrape from now on."""
    write_atomically(files.recorder, recorder_config(targets, directory=files.samples, interval_s=interval_s))
    files.prometheus.mkdir(exist_ok=True)
    write_atomically(files.prometheus / TARGETS_FILE, prometheus_targets(targets))


def recorder_config(targets: Sequence[ScrapeTarget], *, directory: Path, interval_s: float) -> str:
    """The content of `recorder.json`, read by `python -m sre.metrics.recorder` (docs/contracts.md)."""
    entries = [
        {"job": t.job, "url": t.url, "labels": dict(t.labels), **({} if t.via is None else {"via": t.via})}
        for t in targets
    ]
    return json.dumps(
        {
            "interval_s": interval_s,
            "directory": str(directory),
            "retention_s": 7200,
            "targets": entries,
            "keep": list(KEPT_METRICS),
        },
        indent=1,
    )


def prometheus_targets(targets: Sequence[ScrapeTarget]) -> str:
    """The targets for `file_sd_configs`; the label `job` names them as the recorder does, `instance` is their own
    address also where they are reached by another.
    """
    return json.dumps(
        [
            {"targets": [t.address], "labels": {"job": t.job, "instance": _address(t.url), **dict(t.labels)}}
            for t in targets
        ],
        indent=1,
    )


def prometheus_config(*, interval_s: float) -> str:
    """`prometheus.yml`: one job for all; who is in it, and under which job name, is in the targets file."""
    interval = f"{round(interval_s * 1000)}ms"
    found = {"files": [TARGETS_FILE], "refresh_interval": f"{REFRESH_S}s"}
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": [{"job_name": "platform", "file_sd_configs": [found]}],
        },
        sort_keys=False,
    )


def _address(url: str) -> str:
    return url.removeprefix("http://").removesuffix("/metrics")


def _via(route: Route | None) -> str | None:
    return None if route is None else route.metrics_url


def find_prometheus() -> str | None:
    """Path of the `prometheus` binary, or None."""
    return shutil.which("prometheus")


def prometheus_argv(binary: str, *, directory: Path, port: int) -> tuple[str, ...]:
    return (
        binary,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        "--storage.tsdb.retention.time=24h",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
