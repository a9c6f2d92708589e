"""Names and ports: the state of a platform that has not started yet, and of each replica that joins it later."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable

from serving.fleet import observers
from serving.fleet.model import AutoscalerInfo, EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, ReplicaInfo
from serving.fleet.ports import HOST, free_ports, require_free
from serving.fleet.process import creation_time

REPLICA_NAME = "llm-{}"

PortPicker = Callable[[int], list[int]]


def plan(spec: PlatformSpec, *, platform_id: str, started_at: float, pick: PortPicker = free_ports) -> PlatformState:
    """Lay out a platform. Raises EnvironmentLacks when the port asked for is taken."""
    if spec.port:
        require_free(spec.port)
    state = PlatformState(
        platform_id=platform_id,
        started_at=started_at,
        supervisor=ProcessInfo("supervisor", "ready", os.getpid(), creation_time(os.getpid())),
        gateway=EndpointInfo("gateway"),
        spec=spec,
        desired_replicas=spec.replicas,
    )
    state.gateway.url = f"http://{HOST}:{spec.port or pick(1)[0]}"
    for _ in range(spec.replicas):
        state.replicas.append(new_replica(state, pick=pick))
    if spec.prometheus == "auto" and observers.find_prometheus():
        state.prometheus = EndpointInfo("prometheus", url=_free_url(state, pick))
    if spec.autoscale is not None:
        state.autoscaler = AutoscalerInfo("autoscaler", url=_free_url(state, pick), policy=spec.autoscale)
    return state


def new_replica(state: PlatformState, *, pick: PortPicker = free_ports) -> ReplicaInfo:
    """A replica with the lowest free name and three ports that nobody of the platform has."""
    names = {replica.name for replica in state.replicas}
    name = next(name for index in itertools.count() if (name := REPLICA_NAME.format(index)) not in names)
    http, grpc, metrics = unused_ports(state, 3, pick=pick)
    return ReplicaInfo(
        name,
        http_url=f"http://{HOST}:{http}",
        grpc_address=f"{HOST}:{grpc}",
        metrics_url=f"http://{HOST}:{metrics}/metrics",
    )


def unused_ports(state: PlatformState, count: int, *, pick: PortPicker = free_ports) -> list[int]:
    """Free ports that are not promised to a process of ours which happens to be down."""
    taken = _promised(state)
    return [port for port in pick(count + len(taken)) if port not in taken][:count]


def _free_url(state: PlatformState, pick: PortPicker) -> str:
    return f"http://{HOST}:{unused_ports(state, 1, pick=pick)[0]}"


def port_of(url: str) -> int:
    """The port in `http://host:port`, `host:port` or `http://host:port/metrics`."""
    return int(url.removesuffix("/metrics").rsplit(":", 1)[1])


def _promised(state: PlatformState) -> set[int]:
    endpoints = [state.gateway, state.prometheus, state.autoscaler]
    urls = [e.url for e in endpoints if e is not None and e.url]
    urls += [url for r in state.replicas for url in (r.http_url, r.grpc_address, r.metrics_url)]
    routes = [info.route for info in state.routable() if info.route is not None]
    urls += [url for route in routes for url in (route.grpc_address, route.metrics_url) if url]
    return {port_of(url) for url in urls}
