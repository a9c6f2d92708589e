"""Which cluster, which pods: read from an experiment's `configuration` or the environment, with no silent default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sre.errors import BadDocument

_LABEL = r"([A-Za-z0-9][A-Za-z0-9._/-]*)(=|==)([A-Za-z0-9][A-Za-z0-9._-]*)"
_SELECTOR = re.compile(rf"{_LABEL}(,{_LABEL})*")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_WORKLOAD = re.compile(r"(deployment|statefulset)/([a-z0-9]([a-z0-9.-]*[a-z0-9])?)")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
ENVIRONMENT = "SRE_KUBE_"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Where the replicas are. `workload` is `deployment/NAME` or `statefulset/NAME`: what is scaled and how many pods
    there should be. `gateway_selector` finds the gateway's pods, `gateway_url` (loopback, forwarded) takes traffic.
    """

    context: str
    namespace: str
    selector: str
    workload: str
    gateway_selector: str | None = None
    gateway_url: str | None = None
    container: str | None = None
    metrics_port: int = 8002
    gateway_metrics_port: int = 8400
    faults_path: str = "/models/llm/faults.json"
    dcgm_selector: str | None = None
    dcgm_namespace: str | None = None
    timeout_s: float = 10.0

    @property
    def workload_kind(self) -> str:
        return self.workload.partition("/")[0]

    @property
    def workload_name(self) -> str:
        return self.workload.partition("/")[2]


def cluster_settings(
    configuration: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None
) -> ClusterSettings:
    """From `kubernetes` of the configuration, else from SRE_KUBE_CONTEXT, SRE_KUBE_NAMESPACE, SRE_KUBE_SELECTOR ...

    Raises BadDocument with everything that is missing, unknown or too wide.
    """
    env = os.environ if environment is None else environment
    given = (configuration or {}).get("kubernetes") or {}
    if not isinstance(given, Mapping):
        raise BadDocument([f"configuration.kubernetes: is {given!r}: write a mapping: context, namespace, selector"])
    names = tuple(ClusterSettings.__dataclass_fields__)
    values = {name: given.get(name, env.get(ENVIRONMENT + name.upper())) for name in names}
    faults = [
        f"configuration.kubernetes.{key}: unknown key: use {', '.join(names)}" for key in given if key not in names
    ]
    faults += [
        f"configuration.kubernetes.{name}: missing: name it there or in {ENVIRONMENT}{name.upper()}"
        for name in ("context", "namespace", "selector", "workload")
        if not values[name]
    ]
    faults += [fault for name, value in values.items() if value and (fault := _fault(name, str(value)))]
    if faults:
        raise BadDocument(faults)
    kept: dict[str, Any] = {name: value for name, value in values.items() if value}
    for name, kind in (("metrics_port", int), ("gateway_metrics_port", int), ("timeout_s", float)):
        if name in kept:
            kept[name] = kind(kept[name])
    return ClusterSettings(**kept)


def _fault(name: str, value: str) -> str | None:
    where = f"configuration.kubernetes.{name}: is {value!r}"
    if name.endswith("selector") and not _SELECTOR.fullmatch(value):
        return f"{where}: name labels and values, e.g. app=llm: a selector that matches everything is refused"
    if name.endswith("namespace") and not _NAMESPACE.fullmatch(value):
        return f"{where}: write one namespace"
    if name == "workload" and not _WORKLOAD.fullmatch(value):
        return f"{where}: write deployment/NAME or statefulset/NAME"
    if name == "gateway_url" and urlsplit(value).hostname not in _LOOPBACK:
        return f"{where}: write a loopback address: forward the gateway's port with `kubectl port-forward`"
    if name == "faults_path" and (not value.startswith("/") or ".." in value.split("/")):
        return f"{where}: write the absolute path of faults.json in the container"
    if name in ("metrics_port", "gateway_metrics_port") and not (value.isdigit() and 0 < int(value) < 65536):
        return f"{where}: write a port"
    if name == "timeout_s" and not _positive(value):
        return f"{where}: write seconds, above 0"
    return None


def _positive(value: str) -> bool:
    try:
        return 0 < float(value) < float("inf")
    except ValueError:
        return False
