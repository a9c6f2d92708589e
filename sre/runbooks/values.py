"""What the running platform says of a page's variables, so that nobody has to copy addresses at night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sre.errors import SreError
from sre.platforms.local import LocalPlatform
from sre.platforms.model import Replica


def platform_values(state_dir: Path) -> Mapping[str, str]:
    """GATEWAY, PORT, PROMETHEUS, and REPLICA where exactly one gets no work; empty where no platform is up."""
    platform = LocalPlatform(state_dir)
    try:
        state = platform.state()
        replicas = platform.replicas()
    except SreError:
        return {}
    port = urlsplit(state.gateway_url).port
    found = {
        "GATEWAY": state.gateway_url,
        "PORT": "" if port is None else str(port),
        "PROMETHEUS": state.prometheus_url or "",
        "REPLICA": _the_one_out(replicas),
    }
    return {name: value for name, value in found.items() if value}


def _the_one_out(replicas: Sequence[Replica]) -> str:
    out = [one.name for one in replicas if one.serving is False or one.state in ("backoff", "starting")]
    return out[0] if len(out) == 1 else ""
