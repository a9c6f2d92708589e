"""Finds the platform an experiment speaks of, from its configuration or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sre.errors import PlatformError
from sre.platforms.model import Platform

DRIVERS = ("local", "kubernetes")


def state_directory(configuration: Mapping[str, Any] | None = None) -> Path:
    """`state_dir` of the configuration, else $SRE_STATE_DIR, else `.sre` in the current directory; absolute."""
    named = (configuration or {}).get("state_dir") or os.environ.get("SRE_STATE_DIR") or ".sre"
    return Path(str(named)).expanduser().resolve()


def select_platform(configuration: Mapping[str, Any] | None = None) -> Platform:
    """The platform named by `platform` of the configuration, else $SRE_PLATFORM, else the local one.

    Nothing is contacted: a platform that is not up says so at the first question.
    """
    driver = str((configuration or {}).get("platform") or os.environ.get("SRE_PLATFORM") or "local")
    if driver == "kubernetes":
        from sre.platforms.kubernetes import KubernetesPlatform, cluster_settings

        return KubernetesPlatform(cluster_settings(configuration), state_directory(configuration))
    if driver not in DRIVERS:
        raise PlatformError(f"platform {driver!r} does not exist: use one of {', '.join(DRIVERS)}")
    from sre.platforms.local import LocalPlatform

    return LocalPlatform(state_directory(configuration))
