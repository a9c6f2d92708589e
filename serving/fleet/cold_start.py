"""What a replica does between its spawn and its first token, asked from outside and timed phase by phase.

Triton opens its ports only when its models are loaded, so `live` alone would hide the load. The model's own process
(the Python backend's stub) exists from the moment the server is done with itself: its creation splits the two. What the
engine says of its load (gauge `sre_engine_cold_start_seconds`) is taken out of `model_load`, so that all phases add up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from serving.engine.inference import MODEL_NAME, probe
from serving.errors import ServingError
from serving.fleet.model import ReplicaInfo

ENGINE_GAUGE = "sre_engine_cold_start_seconds"
_ASK_TIMEOUT_S = 2.0

Check = Callable[[ReplicaInfo], Awaitable[None]]


class NotYet(ServingError):  # noqa: N818  (reads as a sentence)
    """A replica that is starting did not answer a question it will answer later."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Unix times of one start. `stub_at` is None where the model's process could not be told."""

    spawned_at: float
    stub_at: float | None
    live_at: float
    first_token_at: float


def phases(seen: Timeline, engine: Mapping[str, float]) -> dict[str, float]:
    """Seconds by phase, in order; they add up to the whole start (to a few ms: processes are dated to 10 ms)."""
    stub_at = min(max(seen.stub_at or seen.spawned_at, seen.spawned_at), seen.live_at)
    load_s = max(0.0, seen.live_at - stub_at - sum(engine.values()))
    times = {
        **({} if seen.stub_at is None else {"server_start": stub_at - seen.spawned_at}),
        "model_load": load_s,
        **{f"engine_{phase}": seconds for phase, seconds in engine.items()},
        "first_inference": seen.first_token_at - seen.live_at,
    }
    return {phase: round(seconds, 3) for phase, seconds in times.items()}


@dataclass(frozen=True, slots=True)
class StartChecks:
    """How a replica is asked. `live` and `answers` raise ServingError, OSError or TimeoutError while it is not so far;
    `engine_phases` is empty where the engine tells nothing, `stub_created` None.
    """

    live: Check
    answers: Check
    engine_phases: Callable[[ReplicaInfo], Awaitable[Mapping[str, float]]]
    stub_created: Callable[[int], float | None]


def triton_checks(*, inference_timeout_s: float) -> StartChecks:
    """The checks of a Triton replica; `inference_timeout_s` bounds each try at a first token."""

    async def answers(replica: ReplicaInfo) -> None:
        await probe(replica.grpc_address, inference_timeout_s)

    return StartChecks(model_ready, answers, engine_phases, stub_created)


async def model_ready(replica: ReplicaInfo) -> None:
    await _ask(f"{replica.http_url}/v2/models/{MODEL_NAME}/ready")


async def engine_phases(replica: ReplicaInfo) -> dict[str, float]:
    try:
        page = await _ask(replica.metrics_url)
        families = list(text_string_to_metric_families(page))
    except (ServingError, ValueError):
        return {}
    samples = [sample for family in families for sample in family.samples if sample.name == ENGINE_GAUGE]
    return {str(s.labels["phase"]): float(s.value) for s in samples if "phase" in s.labels and s.value > 0}


def stub_created(server_pid: int) -> float | None:
    """When the server's first child was created: the stub that loads the model."""
    try:
        return min((child.create_time() for child in psutil.Process(server_pid).children()), default=None)
    except psutil.Error:
        return None


async def _ask(url: str) -> str:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_TIMEOUT_S)) as session,
            session.get(url) as response,
        ):
            if response.status != 200:
                raise NotYet(f"{url}: HTTP {response.status}: wait, or look at the replica's log")
            return await response.text()
    except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
        raise NotYet(f"{url}: {str(error) or type(error).__name__}: wait, or look at the replica's log") from error
