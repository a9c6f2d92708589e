"""A drill played on the local platform's own code under a virtual clock, in our words and with our errors.

The levers are those of `VirtualPlatform` (serving/rehearsal/model.py); nothing of `serving` has to be imported for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving.engine.faults import NO_FAULTS, Faults
from serving.fleet.model import PlatformSpec
from serving.loadgen.model import RequestRecord
from serving.loadgen.plan import Plan
from serving.loadgen.schedule import build_schedule
from serving.loadgen.workload import describe
from serving.rehearsal.model import (
    Event,
    Inference,
    Latencies,
    NetworkRules,
    Offer,
    OfferCounts,
    Offered,
    OnScrape,
    Pace,
    Played,
    ReplicaView,
    Script,
    Starts,
    VirtualPlatform,
    VirtualSpec,
)
from serving.rehearsal.play import play
from sre.errors import SreError
from sre.platforms.local.errors import serving_errors_as_ours

__all__ = [
    "NO_FAULTS",
    "Event",
    "Faults",
    "Inference",
    "Latencies",
    "NetworkRules",
    "Offer",
    "OfferCounts",
    "Offered",
    "OnScrape",
    "Pace",
    "Played",
    "ReplicaView",
    "RequestRecord",
    "Script",
    "Starts",
    "VirtualPlatform",
    "VirtualSpec",
    "engine_faults",
    "offered_load",
    "rehearse",
]


def rehearse(
    platform: PlatformSpec,
    load: Mapping[str, Any],
    script: Script | None,
    *,
    epoch: float,
    on_scrape: OnScrape,
    pace: Pace = Pace(),  # noqa: B008  (frozen)
    **more: Any,
) -> Played:
    """Play `script` against `platform` under `load`, a plan as `sre.gameday.prepare.load_plan` makes it.

    `more` are further fields of `VirtualSpec` (gateway, starts, latencies, zones). `epoch` is the virtual clock's first
    moment, Unix seconds. Raises SreError; what `script` raises passes through.
    """
    with serving_errors_as_ours():
        plan = _plan(load)
        spec = VirtualSpec(platform=platform, **more)
        paced = replace(pace, load_timeout_s=plan.timeout_s)
        return play(spec, build_schedule(plan), script, seed=plan.seed, epoch=epoch, on_scrape=on_scrape, pace=paced)


def offered_load(load: Mapping[str, Any]) -> Any:
    """What the plan offers, in numbers and lines, as `workload.json` has it before a run."""
    with serving_errors_as_ours():
        plan = _plan(load)
        return describe(plan, build_schedule(plan))


def engine_faults(keys: Mapping[str, Any]) -> Faults:
    """The engine's control file (docs/contracts.md) as `set_faults` takes it. Raises SreError."""
    from serving.engine.faults import parse_faults

    with serving_errors_as_ours():
        return parse_faults(_json(keys))


def _plan(load: Mapping[str, Any]) -> Plan:
    from serving.loadgen.plan import parse_plan

    return parse_plan(_json({**load, "out": str(load.get("out", Path()))}), where="plan of the load")


def _json(data: Mapping[str, Any]) -> str:
    import json

    try:
        return json.dumps(dict(data))
    except (TypeError, ValueError) as error:
        raise SreError(f"rehearsal: {error}: give JSON values") from error
