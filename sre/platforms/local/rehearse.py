"""A drill played on the local platform's own code under a virtual clock, in our words and with our errors.

The levers are those of `VirtualPlatform` (serving/rehearsal/model.py); nothing of `serving` has to be imported for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving.engine.faults import NO_FAULTS, Faults
from serving.fleet.model import PlatformSpec
from serving.loadgen.model import RequestRecord
from serving.loadgen.plan import Plan, parse_plan
from serving.loadgen.schedule import build_schedule
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
    PageMode,
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
    "PageMode",
    "Played",
    "ReplicaView",
    "RequestRecord",
    "Script",
    "Starts",
    "VirtualPlatform",
    "VirtualSpec",
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

    `more` are further fields of `VirtualSpec` (gateway, starts, latencies, zones, client_headers). `epoch` is the
    virtual clock's first moment, Unix seconds. Raises SreError; what `script` raises passes through.
    """
    with serving_errors_as_ours():
        plan = _plan(load)
        if plan.concurrency is not None:
            raise SreError("rehearsal: a closed loop (concurrency) cannot be rehearsed: give a rate")
        spec = VirtualSpec(platform=platform, **{"client_headers": _key(plan), **more})
        paced = replace(pace, load_timeout_s=plan.timeout_s)
        return play(spec, build_schedule(plan), script, seed=plan.seed, epoch=epoch, on_scrape=on_scrape, pace=paced)


def _key(plan: Plan) -> dict[str, str]:
    """The headers with the load's API key, when it is to have one."""
    if plan.api_key_env is None:
        return {}
    key = os.environ.get(plan.api_key_env)
    if not key:
        raise SreError(f"api_key_env: the environment variable {plan.api_key_env} is not set")
    return {"Authorization": f"Bearer {key}"}


def _plan(load: Mapping[str, Any]) -> Plan:
    return parse_plan(_json({**load, "out": str(load.get("out", Path()))}), where="plan of the load")


def _json(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(data))
    except (TypeError, ValueError) as error:
        raise SreError(f"rehearsal: {error}: give JSON values") from error
