"""Chaos Toolkit's way to a runbook: an experiment breaks something, then carries out what the page says.

A verification that does not hold is no failed activity: the drill goes on, heals its fault and deviates, and the page
says that the mitigation did not help.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from chaoslib.exceptions import ActivityFailed

from sre.errors import PlatformError, SreError
from sre.incidents.codec import encode
from sre.platforms.model import Part, Platform
from sre.platforms.select import select_platform
from sre.runbooks.masking import masked
from sre.runbooks.proving import carry_out, required_values, undo_of, values_for
from sre.runbooks.shell import shell_beside

__all__ = ["run_mitigation", "take_back"]
OUT = "out"
"""As a replica: the one that the gateway gives no work, as `sre status` shows it."""
_PARTS: tuple[Part, ...] = ("recorder", "autoscaler", "prometheus", "gateway")
logger = logging.getLogger("chaostoolkit")


def run_mitigation(
    page: str,
    mitigation: str,
    replica: str = "",
    replicas: int | None = None,
    process: str = "",
    timeout_s: float = 90.0,
    verify_s: float = 30.0,
    configuration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Carry out `mitigation` (by name) of the runbook `page`, then its verification until it holds.

    `replica` is REPLICA, or `out` for the one that the gateway takes out; `replicas` is REPLICAS; `process` (recorder,
    autoscaler, ...) gives PID.
    """
    try:
        platform = select_platform(configuration)
        given = _given(platform, replica=replica, replicas=replicas, process=process)
        values = values_for(page, mitigation, given)
        with shell_beside(platform.state_dir, values) as shell:
            done = carry_out(page, mitigation, values, shell, timeout_s=timeout_s, verify_s=verify_s)
    except SreError as error:
        raise ActivityFailed(str(error)) from error
    if done.verified_at is None:
        logger.warning("mitigation %s of runbook %s: %s", mitigation, page, done.why)
    encoded: dict[str, Any] = encode(done)
    return encoded


def take_back(
    page: str,
    mitigation: str,
    replica: str = "",
    process: str = "",
    timeout_s: float = 90.0,
    configuration: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Go the way back that the runbook `page` gives for `mitigation`. Arguments as of `run_mitigation`."""
    try:
        platform = select_platform(configuration)
        given = _given(platform, replica=replica, replicas=None, process=process)
        command = undo_of(page, mitigation)
        values = required_values(command, given, where=f"{page}: {mitigation}")
        with shell_beside(platform.state_dir, values) as shell:
            done = shell.run(command, timeout_s=timeout_s)
    except SreError as error:
        raise ActivityFailed(str(error)) from error
    if done.exit_code != 0:
        raise ActivityFailed(f"`{command}` ended with {done.exit_code}: {masked(done.output)[-300:]}")
    return {
        "page": page,
        "mitigation": mitigation,
        "command": command,
        "took_s": round(done.ended_at - done.began_at, 3),
    }


def _given(platform: Platform, *, replica: str, replicas: int | None, process: str) -> dict[str, str]:
    gateway = platform.gateway_url
    given = {"GATEWAY": gateway, "PORT": str(urlsplit(gateway).port or 80)}
    if replica:
        given["REPLICA"] = _taken_out(platform) if replica == OUT else replica
    if replicas is not None:
        given["REPLICAS"] = str(replicas)
    if process:
        given["PID"] = _pid(platform, process)
    return given


def _taken_out(platform: Platform) -> str:
    found = [one.name for one in platform.replicas() if one.serving is False]
    if len(found) != 1:
        said = ", ".join(found) or "none"
        raise PlatformError(f"replica `{OUT}` means the one that the gateway gives no work, which are {said}: name one")
    return found[0]


def _pid(platform: Platform, process: str) -> str:
    part = next((one for one in _PARTS if one == process), None)
    if part is None:
        raise PlatformError(f"process is {process!r}: use one of {', '.join(_PARTS)}")
    return str(platform.process(part)["pid"])
