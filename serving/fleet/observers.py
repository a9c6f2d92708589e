"""Who watches the platform: the scrape targets, and the configuration of Prometheus and of our recorder."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from serving.fleet.model import PlatformState

KEPT_METRICS = ("sre_gateway_", "vllm:", "nv_inference_")


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """One /metrics endpoint with the labels its samples get."""

    job: str
    url: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://").removesuffix("/metrics")


def scrape_targets(state: PlatformState) -> list[ScrapeTarget]:
    """The gateway and every replica."""
    replicas = [ScrapeTarget("triton", r.metrics_url, (("replica", r.name),)) for r in state.replicas]
    return [ScrapeTarget("gateway", f"{state.gateway.url}/metrics"), *replicas]


def recorder_config(targets: list[ScrapeTarget], *, directory: Path, interval_s: float) -> str:
    """The content of `recorder.json`, read by `python -m sre.metrics.recorder` (docs/contracts.md)."""
    entries = [{"job": t.job, "url": t.url, "labels": dict(t.labels)} for t in targets]
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


def prometheus_config(targets: list[ScrapeTarget], *, interval_s: float) -> str:
    """`prometheus.yml` for the same targets with the same labels."""
    interval = f"{round(interval_s * 1000)}ms"
    jobs: dict[str, list[dict[str, object]]] = {}
    for target in targets:
        jobs.setdefault(target.job, []).append({"targets": [target.address], "labels": dict(target.labels)})
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": [{"job_name": job, "static_configs": entries} for job, entries in jobs.items()],
        },
        sort_keys=False,
    )


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
