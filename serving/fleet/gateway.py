"""The gateway's configuration, written for it by the supervisor."""

from __future__ import annotations

import json

from serving.fleet.model import PlatformState
from serving.fleet.ports import HOST

GATEWAY_DRAIN_S = 5.0


def gateway_config(state: PlatformState) -> str:
    """The content of `gateway.json` (validated by `serving.gateway.config`)."""
    spec = state.spec
    return json.dumps(
        {
            "host": HOST,
            "port": int(state.gateway.url.rsplit(":", 1)[1]),
            "platform_id": state.platform_id,
            "model": "llm",
            "replicas": [{"name": r.name, "grpc_address": r.grpc_address} for r in state.replicas],
            "ttft_threshold_s": spec.ttft_threshold_s,
            "tpot_threshold_s": spec.tpot_threshold_s,
            "drain_timeout_s": GATEWAY_DRAIN_S,
        },
        indent=1,
    )
