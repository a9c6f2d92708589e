"""A request that kills whichever engine serves it. The harm is not the one engine: it is the retry on the next one."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, ClassVar

from sre.chaos.faults.engine import EngineFault
from sre.chaos.faults.engine_keys import put_keys, require_free, take_keys
from sre.chaos.faults.model import Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, require, whole
from sre.chaos.faults.serving import revive
from sre.chaos.faults.targets import until
from sre.errors import PlatformError
from sre.platforms.model import Platform

ARMED_WITHIN_S = 0.5  # engines look each 50 ms
DEAD_WITHIN_S = 2.0
_WORD = "arsenic"


@dataclass(frozen=True, slots=True)
class PoisonRequest(EngineFault):
    """Every engine is told to die of a word; then one request that holds it is sent through the gateway.

    `max_crashed` is how many replicas it may take down: what the blast radius counts, and what the gateway's quarantine
    promises (two). How many it was is in the proof. `timeout_s` is how long its client waits for an answer.
    """

    name: ClassVar[str] = "poison-request"
    summary: ClassVar[str] = "one request that crashes whichever engine serves it"
    protects: ClassVar[str] = "bounded retries, quarantine of a prompt that killed two replicas"

    max_crashed: int = 2
    timeout_s: float = 20.0
    api_key_env: str | None = None

    def __post_init__(self) -> None:
        require(
            self.name,
            whole("max_crashed", self.max_crashed, least=1, most=64),
            number("timeout_s", self.timeout_s, above=0, most=120),
        )

    def plan(self, platform: Platform) -> Plan:
        keys = {"poison": _WORD}
        armed = sorted(replica.name for replica in platform.replicas() if replica.state == "ready")
        if not armed:
            raise PlatformError("no replica is ready: there is nobody to poison, see `sre status`")
        for name in armed:
            require_free(platform, name, keys)
        stubs = {name: dict(platform.process("stub", name)) for name in armed}
        handles = {"keys": keys, "stubs": stubs, "timeout_s": self.timeout_s, "api_key_env": self.api_key_env}
        return Plan(replicas=tuple(armed), at_most=min(self.max_crashed, len(armed)), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        """Arm the engines. The request itself is the proof's: it may take longer than the lock of applying is held."""
        for name in lease.plan.replicas:
            put_keys(platform, name, lease.plan.handles["keys"])

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        stubs = lease.plan.handles["stubs"]
        until(lambda: False, within_s=ARMED_WITHIN_S)
        answer = _send(platform, lease)

        def crashed() -> list[str]:
            return [name for name, stub in stubs.items() if platform.condition(stub) == "gone"]

        if not until(lambda: bool(crashed()), within_s=DEAD_WITHIN_S):
            raise NotProven(f"the poison request crashed no engine; its client got {answer}")
        dead = ", ".join(crashed())
        return f"1 request crashed {len(crashed())} of {len(stubs)} engines ({dead}); its client got {answer}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        for name in lease.plan.replicas:
            take_keys(platform, name, lease.plan.handles["keys"])
        for name in lease.plan.replicas:
            revive(platform, name)


def _send(platform: Platform, lease: Lease) -> str:
    """What the client of the poison got. The fault's id is in the prompt: it is not the one that is remembered."""
    prompt = f"{_WORD} {lease.fault_id}"
    body = json.dumps({"model": "llm", "prompt": prompt, "max_tokens": 8, "stream": True}).encode()
    headers = {"Content-Type": "application/json"}
    variable = lease.plan.handles.get("api_key_env")
    if variable:
        headers["Authorization"] = f"Bearer {os.environ.get(str(variable), '')}"
    request = urllib.request.Request(f"{platform.gateway_url}/v1/completions", data=body, headers=headers)  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=float(lease.plan.handles["timeout_s"])) as response:
            return _said(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return _said(error.code, error.read())
    except OSError as error:
        return f"no answer ({error})"


def _said(status: int, body: bytes) -> str:
    try:
        error: Any = json.loads(body)["error"]
        return f"HTTP {status} {error['code']}"
    except (ValueError, KeyError, TypeError):
        return f"HTTP {status}"
