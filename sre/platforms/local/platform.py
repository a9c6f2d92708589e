"""The running local platform: read through its state files, changed through the supervisor's control API.

Only faults go around the supervisor: a signal to a verified process, a file that an engine reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre.errors import PlatformError
from sre.platforms.local.asking import infer_at
from sre.platforms.local.control import direct, order
from sre.platforms.local.engine_faults import read_engine_faults, write_engine_faults
from sre.platforms.local.limits import file_limit_of, limit_files
from sre.platforms.local.signals import condition_of, handle_of, process_behind, send
from sre.platforms.model import Condition, Handle, Inference, MetricSample, Part, Replica, Signal, Unsupported
from sre.platforms.processes import find
from sre.platforms.state import LocalState, NotUp, ReplicaEntry, read_state

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

INFLIGHT_METRIC = "sre_gateway_replica_inflight"
QUEUE_METRIC = "sre_gateway_queue_depth"
_POLL_S = 0.05
_HTTP_TIMEOUT_S = 3.0


class LocalPlatform:
    """Implements `Platform`. Holds no connection and no cache: every answer is read anew."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir.resolve()

    @property
    def driver(self) -> str:
        return "local"

    @property
    def reference(self) -> Mapping[str, Any]:
        return {"platform": self.driver, "state_dir": str(self._state_dir)}

    @property
    def state_dir(self) -> Path:
        return self._state_dir

    @property
    def gateway_url(self) -> str:
        return self.state().gateway_url

    @property
    def platform_id(self) -> str:
        return self.state().platform_id

    def state(self) -> LocalState:
        """What the supervisor says. Raises NotUp when it does not live: its last words are then history."""
        state = read_state(self._state_dir)
        if state.phase == "failed":
            raise NotUp(
                f"{self._state_dir}: the platform failed ({state.error}): clean up with `sre down`, then `sre up`"
            )
        if find(state.supervisor) is None:
            raise NotUp(
                f"{self._state_dir}: no platform is up here (its supervisor is gone): "
                "clean up with `sre down`, then `sre up`"
            )
        return state

    def replicas(self) -> tuple[Replica, ...]:
        return tuple(_replica(entry) for entry in self.state().replicas)

    def desired_replicas(self) -> int:
        state = self.state()
        return len(state.replicas) if state.desired_replicas is None else state.desired_replicas

    def inflight(self) -> dict[str, float]:
        samples = self._gateway_samples(INFLIGHT_METRIC)
        if not samples:
            raise PlatformError(f"gateway at {self.gateway_url} has no {INFLIGHT_METRIC}: it is not ours, or too old")
        return {str(sample.labels["replica"]): float(sample.value) for sample in samples}

    def queue_depth(self) -> float | None:
        """Requests that wait in the gateway for a place; None where it has no queue."""
        samples = self._gateway_samples(QUEUE_METRIC)
        return float(samples[0].value) if samples else None

    def scale(self, replicas: int, *, reason: str = "") -> None:
        most = self.state().max_replicas
        if most is not None and not 1 <= replicas <= most:
            raise PlatformError(f"{replicas} replicas: this platform runs 1 to {most} (`sre up --max-replicas`)")
        order(self._state_dir, "POST", "/scale", {"replicas": replicas, "reason": reason})

    def drain(self, name: str, *, grace_s: float = 30.0, restart: bool = False, force: bool = False) -> None:
        self._entry(name)
        body = {"grace_s": grace_s, "restart": restart, "force": force}
        order(self._state_dir, "POST", f"/replicas/{name}/drain", body)

    def undrain(self, name: str) -> None:
        self._entry(name)
        order(self._state_dir, "POST", f"/replicas/{name}/undrain", {})

    def route(
        self,
        where: str,
        *,
        owner: str,
        until: float,
        grpc_address: str | None = None,
        metrics_url: str | None = None,
    ) -> None:
        body = {"owner": owner, "until": until, "grpc_address": grpc_address, "metrics_url": metrics_url}
        if where != "gateway":
            self._entry(where)
        order(self._state_dir, "PUT", _route_of(where), body)

    def unroute(self, where: str, *, owner: str) -> bool:
        """False also when the replica left or nothing is up any more: its route went with it."""
        try:
            known = {"gateway", *(entry.name for entry in self.state().replicas)}
        except NotUp:
            return False
        if where not in known:
            return False
        return bool(order(self._state_dir, "DELETE", _route_of(where), {"owner": owner})["unrouted"])

    def process(self, part: Part, replica: str | None = None) -> Handle:
        entry = None if replica is None else self._entry(replica)
        return handle_of(process_behind(self.state(), part, entry))

    def signal(self, handle: Handle, signal: Signal) -> bool:
        return send(handle, signal)

    def condition(self, handle: Handle) -> Condition:
        return condition_of(handle)

    def file_limit(self, handle: Handle) -> int | None:
        return file_limit_of(handle)

    def set_file_limit(self, handle: Handle, limit: int | None) -> bool:
        return limit_files(handle, limit)

    def engine_faults(self, replica: str) -> Mapping[str, Any]:
        self._require_emulated()
        return read_engine_faults(self._state_dir, replica)

    def set_engine_faults(self, replica: str, faults: Mapping[str, Any]) -> None:
        write_engine_faults(self._state_dir, replica, faults)

    def infer(
        self,
        replica: str,
        prompt: str,
        *,
        max_tokens: int = 1,
        deadline_at: float | None = None,
        timeout_s: float = 5.0,
    ) -> Inference:
        url = self._entry(replica).http_url
        return infer_at(url, prompt=prompt, max_tokens=max_tokens, deadline_at=deadline_at, timeout_s=timeout_s)

    def metric(self, where: str, name: str) -> tuple[MetricSample, ...]:
        if where == "gateway":
            url = f"{self.gateway_url}/metrics"
        elif where == "autoscaler":
            url = f"{self._autoscaler_url()}/metrics"
        elif where == "prometheus":
            url = f"{self._prometheus_url()}/metrics"
        else:
            url = self._entry(where).metrics_url
        return tuple(MetricSample(dict(s.labels), float(s.value)) for s in _samples(where, url, name))

    def _require_emulated(self) -> None:
        """Also asked when nothing is up any more, about what is left in the files."""
        try:
            engine = read_state(self._state_dir).engine
        except PlatformError:
            return
        if engine == "vllm":
            raise Unsupported("a vLLM engine takes no injected faults: use `sre up` without --engine vllm")

    def _autoscaler_url(self) -> str:
        autoscaler = self.state().autoscaler
        if autoscaler is None:
            raise PlatformError("no autoscaler runs here: start one with `sre up --autoscale POLICY`")
        return autoscaler.url

    def _prometheus_url(self) -> str:
        url = self.state().prometheus_url
        if url is None:
            raise PlatformError("no Prometheus runs here: install it, and start with `sre up --prometheus auto`")
        return url

    def _gateway_samples(self, metric: str) -> list[Sample]:
        return _samples("gateway", f"{self.gateway_url}/metrics", metric)

    def wait_ready(self, name: str, *, timeout_s: float) -> float:
        deadline = time.monotonic() + timeout_s
        while True:
            entry = self._entry(name)
            replica = _replica(entry)
            if replica.state == "ready" and replica.ready_at is not None:
                return replica.ready_at
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"replica {name} does not serve after {timeout_s:g} s (state {replica.state}): "
                    f"see {self._state_dir / 'logs' / name}.log"
                )
            time.sleep(_POLL_S)

    def _entry(self, name: str) -> ReplicaEntry:
        entries = {entry.name: entry for entry in self.state().replicas}
        if name not in entries:
            raise PlatformError(f"replica {name!r} does not exist: use one of {', '.join(sorted(entries))}")
        return entries[name]


def _route_of(where: str) -> str:
    return "/gateway/route" if where == "gateway" else f"/replicas/{where}/route"


def _samples(who: str, url: str, metric: str) -> list[Sample]:
    from prometheus_client.parser import text_string_to_metric_families  # slow to load; few calls read a page

    try:
        with direct().open(url, timeout=_HTTP_TIMEOUT_S) as response:
            text = response.read().decode("utf-8")
        families = list(text_string_to_metric_families(text))
    except (OSError, ValueError) as error:
        raise PlatformError(f"{who} does not answer at {url} ({error}): see `sre status`") from error
    return [sample for family in families for sample in family.samples if sample.name == metric]


def _replica(entry: ReplicaEntry) -> Replica:
    """The entry, corrected by what the process table says: the supervisor may not have noticed a death yet."""
    alive = find(entry.process) is not None
    claims_life = entry.state in ("starting", "ready", "draining")
    return Replica(
        name=entry.name,
        state=entry.state if alive or not claims_life else "stopped",
        pid=entry.process.pid if alive and entry.process is not None else None,
        created=entry.process.created if alive and entry.process is not None else None,
        restarts=entry.restarts,
        metrics_url=entry.metrics_url,
        ready_at=entry.ready_at if alive else None,
        serving=entry.serving if alive else False,
        rotation=entry.rotation,
        grpc_address=entry.grpc_address,
        routed_by=entry.routed_by,
    )
