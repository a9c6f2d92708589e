"""The gateway's configuration, written for it by the supervisor, and how the supervisor speaks to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import aiohttp

from serving.errors import ServingError
from serving.fleet.model import SERVING_ROTATIONS, PlatformState, ReplicaInfo
from serving.fleet.plan import port_of
from serving.fleet.ports import HOST
from serving.fleet.spec import GpuPrice, Routing

GATEWAY_DRAIN_S = 5.0
VLLM_HEALTH = MappingProxyType(  # seconds; a step of the real engine takes what it takes, on a CPU whole seconds
    {"stall_min_s": 3.0, "stall_max_s": 15.0, "probe_interval_s": 2.0, "probe_timeout_s": 10.0}
)
_ANSWER_TIMEOUT_S = 2.0


class GatewaySilent(ServingError):  # noqa: N818  (reads as a sentence)
    """The gateway's control API did not answer, or not as agreed."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one replica can hold at once; None is unknown, and then not limited by the gateway."""

    max_seqs: int | None = None
    kv_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ControlAddress:
    """Where the gateway's control API listens, and the secret it asks for."""

    port: int
    token: str


@dataclass(frozen=True, slots=True)
class Rotation:
    """A replica as the gateway sees it. `down_s` is how long it has been out of rotation, 0 while it serves.

    `grpc_address` is where it is reached; None when the gateway does not say.
    """

    name: str
    state: str
    inflight: int
    down_s: float
    grpc_address: str | None = None

    @property
    def serves(self) -> bool:
        return self.state in SERVING_ROTATIONS


def replica_entries(replicas: Sequence[ReplicaInfo], capacity: Capacity) -> list[dict[str, Any]]:
    """The replicas in the form `gateway.json` and `PUT /control/replicas` share."""
    limits = {"max_seqs": capacity.max_seqs, "kv_tokens": capacity.kv_tokens}
    known = {key: value for key, value in limits.items() if value is not None}
    return [{"name": r.name, "grpc_address": r.reached_at, **known} for r in replicas]


def gateway_config(state: PlatformState, *, control: ControlAddress, capacity: Capacity) -> str:
    """The content of `gateway.json` (validated by `serving.gateway.config`). It holds a secret: write it with 0600."""
    spec = state.spec
    return json.dumps(
        {
            "host": HOST,
            "port": port_of(state.gateway.url),
            "workers": spec.gateway_workers,
            "platform_id": state.platform_id,
            "model": "llm",
            "engine": spec.engine,
            "replicas": replica_entries(state.replicas, capacity),
            "ttft_threshold_s": spec.ttft_threshold_s,
            "tpot_threshold_s": spec.tpot_threshold_s,
            "drain_timeout_s": GATEWAY_DRAIN_S,
            "tenants": spec.tenants,
            "control": {"port": control.port, "token": control.token},
            "routing": _routing(spec.routing),
            **({"health": dict(VLLM_HEALTH)} if spec.engine == "vllm" else {}),
            **({"cost": _cost(spec.price)} if spec.price is not None else {}),
        },
        indent=1,
    )


def _routing(kind: Routing) -> dict[str, Any]:
    return {
        "affinity": kind == "affinity",
        "balancing": "round_robin" if kind == "round_robin" else "least_outstanding",
    }


def _cost(price: GpuPrice) -> dict[str, Any]:
    return {"replica_hour": price.replica_hour, "currency": price.currency}


class GatewayCalls(Protocol):
    """The gateway's control API. Every call raises GatewaySilent."""

    async def replicas(self) -> list[Rotation]: ...
    async def put(self, entries: Sequence[dict[str, Any]]) -> list[Rotation]: ...
    async def drain(self, name: str, *, grace_s: float) -> None: ...
    async def undrain(self, name: str) -> None: ...


class GatewayClient:
    """Calls of the gateway's control API. A connection a call: a restarted gateway must not be met on a dead one."""

    def __init__(self, address: ControlAddress) -> None:
        self._url = f"http://{HOST}:{address.port}/control/replicas"
        self._headers = {"Authorization": f"Bearer {address.token}"}

    async def replicas(self) -> list[Rotation]:
        """Raises GatewaySilent, as every call here does."""
        return await self._call("GET", "")

    async def put(self, entries: Sequence[dict[str, Any]]) -> list[Rotation]:
        return await self._call("PUT", "", {"replicas": list(entries)})

    async def drain(self, name: str, *, grace_s: float) -> None:
        await self._call("POST", f"/{name}/drain", {"grace_s": grace_s})

    async def undrain(self, name: str) -> None:
        await self._call("POST", f"/{name}/undrain", {})

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> list[Rotation]:
        url = self._url + path
        timeout = aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=self._headers) as session,
                session.request(method, url, json=body) as response,
            ):
                if response.status not in {200, 202}:
                    said = (await response.text())[:200]
                    raise GatewaySilent(f"gateway: {method} {url}: HTTP {response.status} {said}: see logs/gateway.log")
                answer = await response.json()
            return [rotation_of(entry) for entry in answer.get("replicas", ())]
        except (aiohttp.ClientError, OSError, ValueError, KeyError, AttributeError) as error:
            why = str(error) or type(error).__name__
            raise GatewaySilent(f"gateway: {method} {url}: {why}: see logs/gateway.log") from error


def rotation_of(entry: Mapping[str, Any]) -> Rotation:
    """One replica of the control API's answer."""
    return Rotation(
        name=str(entry["name"]),
        state=str(entry["state"]),
        inflight=int(entry["inflight"]),
        down_s=float(entry["down_s"]),
        grpc_address=entry.get("grpc_address"),
    )
