"""The local driver: a platform made of processes on this machine, run by `serving.fleet`'s supervisor.

It knows the platform by its state directory alone, so `sre up`, a chaos child process and `sre down` in another
terminal all see the same one.

What is named here is loaded when it is asked for: a watchdog, or `sre status`, needs none of what starts a platform.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serving.fleet.model import PlatformSpec
    from sre.platforms.local.capacity import capacity_report, profile_names
    from sre.platforms.local.describe import (
        check_load,
        footprint_mb,
        gpu_of,
        gpu_price,
        platform_spec,
        profile_source,
        require_port,
        server_description,
    )
    from sre.platforms.local.keys import new_tenant_key
    from sre.platforms.local.load import start_load
    from sre.platforms.local.platform import LocalPlatform
    from sre.platforms.local.resize import Drained, drain, scale, undrain
    from sre.platforms.local.start import up
    from sre.platforms.local.stop import down

__all__ = [
    "Drained",
    "LocalPlatform",
    "PlatformSpec",
    "capacity_report",
    "check_load",
    "down",
    "drain",
    "footprint_mb",
    "gpu_of",
    "gpu_price",
    "new_tenant_key",
    "platform_spec",
    "profile_names",
    "profile_source",
    "require_port",
    "scale",
    "server_description",
    "start_load",
    "undrain",
    "up",
]

_HOMES = MappingProxyType(
    {
        "Drained": "resize",
        "LocalPlatform": "platform",
        "capacity_report": "capacity",
        "check_load": "describe",
        "down": "stop",
        "drain": "resize",
        "footprint_mb": "describe",
        "gpu_of": "describe",
        "gpu_price": "describe",
        "new_tenant_key": "keys",
        "platform_spec": "describe",
        "profile_names": "capacity",
        "profile_source": "describe",
        "require_port": "describe",
        "scale": "resize",
        "server_description": "describe",
        "start_load": "load",
        "undrain": "resize",
        "up": "start",
    }
)


def __getattr__(name: str) -> Any:
    if name == "PlatformSpec":
        return import_module("serving.fleet.model").PlatformSpec
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
