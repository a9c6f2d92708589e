"""A platform of pods. Implements `Platform`; what the cluster cannot do is said in one line (Unsupported)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from sre.errors import PlatformError
from sre.platforms.kubernetes import inside
from sre.platforms.kubernetes.api import ClusterApi
from sre.platforms.kubernetes.pods import Pod, ready_since, replica_of, server_container, state_of
from sre.platforms.kubernetes.settings import ClusterSettings
from sre.platforms.model import (
    Condition,
    Handle,
    Inference,
    MetricSample,
    NoProcess,
    Part,
    Replica,
    Signal,
    Unsupported,
)

INFLIGHT_METRIC = "sre_gateway_replica_inflight"
FAULT_LABEL = "sre.dev/fault"
_SIGNALS = {"kill": "SIGKILL", "stop": "SIGSTOP", "continue": "SIGCONT"}
_POLL_S = 0.5


class KubernetesPlatform:
    """`state_dir` holds the ledger on the machine that runs the experiment; the cluster stores nothing of ours."""

    def __init__(
        self,
        settings: ClusterSettings,
        state_dir: Path,
        *,
        api: ClusterApi | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._state_dir = state_dir
        self._api = api or ClusterApi(settings)
        self._now = now

    @property
    def driver(self) -> str:
        return "kubernetes"

    @property
    def reference(self) -> Mapping[str, Any]:
        """What is unset is stated as well: whoever undoes must not fill it in from another environment."""
        return {"platform": self.driver, "state_dir": str(self._state_dir), "kubernetes": asdict(self._settings)}

    @property
    def state_dir(self) -> Path:
        return self._state_dir

    @property
    def gateway_url(self) -> str:
        if self._settings.gateway_url is None:
            raise PlatformError(
                "configuration.kubernetes.gateway_url: missing: forward the gateway's port with `kubectl port-forward` "
                "and name it there"
            )
        return self._settings.gateway_url

    @property
    def api(self) -> ClusterApi:
        """For faults that only a cluster has."""
        return self._api

    @property
    def settings(self) -> ClusterSettings:
        return self._settings

    def replicas(self) -> tuple[Replica, ...]:
        pods = self._api.pods(self._settings.selector)
        if not pods:
            raise PlatformError(
                f"context {self._settings.context}, namespace {self._settings.namespace}: no pod matches "
                f"{self._settings.selector}: see `kubectl get pods --show-labels`"
            )
        return tuple(replica_of(pod, metrics_port=self._settings.metrics_port) for pod in pods)

    def desired_replicas(self) -> int:
        return self._api.desired_replicas()

    def inflight(self) -> Mapping[str, float]:
        samples = self.metric("gateway", INFLIGHT_METRIC)
        if not samples:
            raise PlatformError(f"the gateway's page has no {INFLIGHT_METRIC}: name a replica instead of `busiest`")
        return {sample.labels["replica"]: sample.value for sample in samples}

    def process(self, part: Part, replica: str | None = None) -> Handle:
        if part not in ("server", "stub") or replica is None:
            raise Unsupported(f"platform kubernetes: no process of {part} can be named: delete its pod by its workload")
        pod = self._pod(replica)
        container = server_container(pod, self._settings.container)
        name = inside.SERVER_NAME if part == "server" else inside.STUB_NAME
        found = json.loads(self._run(replica, container, inside.command(inside.FIND, name)))
        if not found:
            raise NoProcess(f"pod {replica}: no process {name} in container {container}: name its container")
        return {"pod": replica, "uid": pod["metadata"]["uid"], "container": container, "part": part, **found[0]}

    def signal(self, handle: Handle, signal: Signal) -> bool:
        """A killed server is a pod deleted without grace: process 1 of a container cannot be killed from inside."""
        if not self._is_there(handle):
            return False
        if signal == "kill" and handle["part"] == "server":
            return self._api.delete_pod(str(handle["pod"]), uid=str(handle["uid"]), grace_s=0)
        if int(handle["pid"]) == 1:
            raise Unsupported(
                f"pod {handle['pod']}: its server is process 1 of its container and cannot be stopped from inside: "
                "run it under an init, or set shareProcessNamespace: true"
            )
        program = inside.command(inside.SIGNAL, str(handle["pid"]), str(handle["started"]), _SIGNALS[signal])
        return bool(json.loads(self._run(str(handle["pod"]), str(handle["container"]), program)) != "gone")

    def condition(self, handle: Handle) -> Condition:
        if not self._is_there(handle):
            return "gone"
        program = inside.command(inside.STATE, str(handle["pid"]), str(handle["started"]))
        condition: Condition = json.loads(self._run(str(handle["pod"]), str(handle["container"]), program))
        return condition

    def engine_faults(self, replica: str) -> Mapping[str, Any]:
        return dict(json.loads(self._in_server(replica, inside.command(inside.READ, self._settings.faults_path))))

    def set_engine_faults(self, replica: str, faults: Mapping[str, Any]) -> None:
        text = json.dumps(dict(faults), allow_nan=False)
        self._in_server(replica, inside.command(inside.WRITE, self._settings.faults_path, text))

    def file_limit(self, handle: Handle) -> int | None:
        raise Unsupported("platform kubernetes: no limit on files is set inside a pod: use its ephemeral-storage limit")

    def set_file_limit(self, handle: Handle, limit: int | None) -> bool:
        raise Unsupported("platform kubernetes: no limit on files is set inside a pod: use its ephemeral-storage limit")

    def infer(
        self,
        replica: str,
        prompt: str,
        *,
        max_tokens: int = 1,
        deadline_at: float | None = None,
        timeout_s: float = 5.0,
    ) -> Inference:
        raise Unsupported("platform kubernetes: a pod is not asked past its Service: port-forward to it by hand")

    def metric(self, where: str, name: str) -> tuple[MetricSample, ...]:
        if where == "autoscaler":
            raise Unsupported("platform kubernetes: the autoscaler is the cluster's own: see `kubectl describe hpa`")
        pod, port = (self._gateway_pod(), self._settings.gateway_metrics_port) if where == "gateway" else (where, None)
        text = self._api.page(pod, port or self._settings.metrics_port, "metrics")
        try:
            families = list(text_string_to_metric_families(text))
        except ValueError as error:
            raise PlatformError(f"pod {pod}: its metrics page cannot be read ({error})") from error
        return tuple(
            MetricSample(dict(sample.labels), float(sample.value))
            for family in families
            for sample in family.samples
            if sample.name == name
        )

    def wait_ready(self, name: str, *, timeout_s: float) -> float:
        """A pod of a Deployment comes back under another name: then as many must be ready as there should be."""
        deadline = time.monotonic() + timeout_s
        while True:
            since = self._ready_since(name)
            if since is not None:
                return since
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"pod {name}, or what replaces it, is not ready after {timeout_s:g} s: see `kubectl get pods`"
                )
            time.sleep(_POLL_S)

    def route(
        self,
        where: str,
        *,
        owner: str,
        until: float,
        grpc_address: str | None = None,
        metrics_url: str | None = None,
    ) -> None:
        raise Unsupported(
            "platform kubernetes: no route leads around a Service: use network-partition, or a mesh's faults"
        )

    def unroute(self, where: str, *, owner: str) -> bool:
        return False

    def scale(self, replicas: int, *, reason: str = "") -> None:
        if replicas < 1:
            raise PlatformError(f"{replicas} replicas: keep at least 1")
        self._api.scale(replicas)

    def drain(self, name: str, *, grace_s: float = 30.0, restart: bool = False, force: bool = False) -> None:
        """An eviction: the pod's preStop hook drains, a PodDisruptionBudget may refuse, the workload replaces it."""
        pod = self._pod(name)
        others = [p for p in self._api.pods(self._settings.selector) if p["metadata"]["name"] != name]
        if not force and not any(state_of(other) == "ready" for other in others):
            raise PlatformError(f"pod {name} is the last one that is ready: scale out first, or force it")
        self._api.evict_pod(name, uid=str(pod["metadata"]["uid"]), grace_s=round(grace_s))

    def undrain(self, name: str) -> None:
        """Nothing to do: the workload replaced the pod when it was evicted."""

    def resolves(self, replica: str) -> bool:
        """Whether the replica's container can resolve the API server's service name."""
        return bool(json.loads(self._in_server(replica, inside.command(inside.RESOLVE, "kubernetes.default.svc"))))

    def dcgm_pod(self, replica: str) -> tuple[str, str]:
        """The DCGM pod (name, container) on the replica's node. Raises PlatformError without one."""
        selector = self._settings.dcgm_selector
        if selector is None:
            raise PlatformError("configuration.kubernetes.dcgm_selector: missing: name dcgm-exporter's labels there")
        node = self._pod(replica)["spec"].get("nodeName")
        found = self._api.pods(selector, namespace=self._dcgm_namespace(), node=node)
        if not found:
            raise PlatformError(f"node {node} of {replica} runs no pod with {selector}: deploy dcgm-exporter there")
        return str(found[0]["metadata"]["name"]), server_container(found[0], None)

    def has_dcgm_pod(self, handles: Handle) -> bool:
        """Whether the DCGM pod of `handles` still is there."""
        if self._settings.dcgm_selector is None:
            return False
        pods = self._api.pods(self._settings.dcgm_selector, namespace=self._dcgm_namespace())
        return any(pod["metadata"]["name"] == handles["dcgm_pod"] and state_of(pod) != "stopped" for pod in pods)

    def run_dcgm(self, handles: Handle, command: list[str]) -> str:
        """Run a command in the DCGM pod of `handles` (`dcgm_pod`, `container`)."""
        return self._api.exec(
            str(handles["dcgm_pod"]),
            str(handles["container"]),
            command,
            namespace=self._dcgm_namespace(),
        )

    def xid_of(self, handles: Handle) -> int | None:
        """The XID code that DCGM reports for GPU `gpu`; None when it reports none."""
        answer = self.run_dcgm(handles, ["dcgmi", "dmon", "-e", "230", "-c", "1", "-i", str(handles["gpu"])])
        words = [line.split() for line in answer.splitlines() if line.startswith("GPU ")]
        return int(words[0][2]) if words and words[0][2].isdigit() else None

    def _dcgm_namespace(self) -> str:
        return self._settings.dcgm_namespace or self._settings.namespace

    def _ready_since(self, name: str) -> float | None:
        pods = self._api.pods(self._settings.selector)
        ready = {
            str(pod["metadata"]["name"]): since
            for pod in pods
            if state_of(pod) == "ready" and (since := ready_since(pod)) is not None
        }
        if any(pod["metadata"]["name"] == name for pod in pods):
            return ready.get(name)
        return max(ready.values()) if len(ready) >= self._api.desired_replicas() else None

    def _is_there(self, handle: Handle) -> bool:
        pod = self._api.pod(str(handle["pod"]))
        if pod is None or pod["metadata"]["uid"] != handle["uid"]:
            return False
        return state_of(pod) != "stopped"  # one that was evicted, or ran to its end, stays listed and runs nothing

    def _pod(self, name: str) -> Pod:
        pod = self._api.pod(name)
        if pod is None:
            known = ", ".join(str(p["metadata"]["name"]) for p in self._api.pods(self._settings.selector))
            raise PlatformError(f"replica {name!r} does not exist: use one of {known or 'none'}")
        return pod

    def _gateway_pod(self) -> str:
        selector = self._settings.gateway_selector
        if selector is None:
            raise PlatformError("configuration.kubernetes.gateway_selector: missing: name the gateway's labels there")
        ready = [pod for pod in self._api.pods(selector) if state_of(pod) == "ready"]
        if not ready:
            raise PlatformError(f"no gateway pod is ready ({selector}): see `kubectl get pods -l {selector}`")
        return str(ready[0]["metadata"]["name"])

    def _in_server(self, replica: str, command: list[str]) -> str:
        return self._run(replica, server_container(self._pod(replica), self._settings.container), command)

    def _run(self, pod: str, container: str, command: list[str]) -> str:
        return self._api.exec(pod, container, command)
