"""Mitigations of runbooks in a rehearsal: the commands of the page that change the platform, carried out on it.

Only `sre scale`, `sre drain`, `sre undrain` and a signal to the recorder are understood; a page that runs anything else
is refused before the rehearsal begins. Its verification is what the command asks for: replicas that serve, one that is
drained.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sre.errors import PlatformError, SreError
from sre.gameday.rehearsal.acts.machines import scale_to
from sre.gameday.rehearsal.stage import Scene
from sre.incidents.codec import encode
from sre.platforms.local.errors import serving_errors_as_ours
from sre.runbooks.proving import Carried, mitigation_of, undo_of

MODULE = "sre.runbooks.actions"
CARRY_OUT, TAKE_BACK = "run_mitigation", "take_back"
OUT = "out"
VERIFY_EVERY_S = 0.5
_HARMLESS = frozenset({"cp", "ls", "cat", "grep", "curl", "tail", "echo"})


@dataclass(frozen=True, slots=True)
class Command:
    """One line of a page that changes something, as words with variables put in."""

    words: tuple[str, ...]

    @property
    def verb(self) -> str:
        return " ".join(self.words[:2])

    def option(self, name: str, default: float) -> float:
        return float(self.words[self.words.index(name) + 1]) if name in self.words else default


def why_not(func: str, arguments: Mapping[str, Any]) -> str | None:
    """Why this step cannot be rehearsed; None when it can."""
    try:
        text = _text(func, arguments)
        unknown = [one.verb for one in commands(text, {}) if not _is_known(one)]
    except SreError as error:
        return str(error)
    if unknown:
        return f"the page {arguments.get('page')} runs {', '.join(unknown)}, which is not rehearsed: play the drill"
    return None


def commands(text: str, values: Mapping[str, str]) -> tuple[Command, ...]:
    """The lines that change something; those that only look or copy are left out."""
    found = []
    for line in text.splitlines():
        for name, value in values.items():
            line = line.replace(f"${{{name}:?}}", value).replace(f"${name}", value)
        words = shlex.split(line, comments=True)
        if words and words[0] not in _HARMLESS:
            found.append(Command(tuple(words)))
    return tuple(found)


async def carry_out(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As `sre.runbooks.actions.run_mitigation`. Raises SreError where that fails."""
    page, name = str(arguments["page"]), str(arguments["mitigation"])
    one, values = mitigation_of(page, name), _values(scene, arguments)
    await scene.platform.sleep(scene.paces.command_s)  # its verification is asked before, too
    began = scene.now()
    done = commands(one.run, values)
    for command in done:
        await _play(scene, command, timeout_s=float(arguments.get("timeout_s", 90.0)))
    ended, verified, why = scene.now(), None, "its verification did not hold in time"
    deadline = ended + float(arguments.get("verify_s", 30.0))
    while verified is None and scene.now() <= deadline:
        await scene.platform.sleep(scene.paces.command_s)
        if all(_holds(scene, command) for command in done):
            verified, why = scene.now(), ""
        else:
            await scene.platform.sleep(VERIFY_EVERY_S)
    carried = Carried(
        page, name, one.title, one.run, one.check, tuple(sorted(values.items())), began, ended, 0, verified, why, ""
    )
    encoded: dict[str, Any] = encode(carried)
    return encoded


async def take_back(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """As `sre.runbooks.actions.take_back`."""
    page, name, began = str(arguments["page"]), str(arguments["mitigation"]), scene.now()
    command = undo_of(page, name)
    for one in commands(command, _values(scene, arguments)):
        await _play(scene, one, timeout_s=float(arguments.get("timeout_s", 90.0)))
    return {"page": page, "mitigation": name, "command": command, "took_s": round(scene.now() - began, 3)}


async def _play(scene: Scene, command: Command, *, timeout_s: float) -> None:
    """The command, and the wait that it does itself: `drain` and `scale` return when they are done."""
    await scene.platform.sleep(scene.paces.command_s)
    words = command.words
    if command.verb in ("kill -CONT", "kill -9"):  # of a recorder that is stopped: it goes on, or its successor does
        scene.platform.metrics("recorder", "true")
        return
    if command.verb == "sre scale":
        await scale_to(scene, int(words[2]), reason="runbook")
    elif command.verb == "sre undrain":
        with serving_errors_as_ours():
            await scene.platform.undrain(words[2])
    else:
        grace_s = command.option("--grace", 30.0)
        with serving_errors_as_ours():
            await scene.platform.drain(words[2], grace_s=grace_s, restart="--restart" in words)
    await scene.until(lambda: _is_done(scene, command), within_s=timeout_s)


def _is_done(scene: Scene, command: Command) -> bool:
    words = command.words
    if command.verb == "sre scale":
        return _serving(scene) >= int(words[2])
    replica = scene.seen(words[2])
    if command.verb == "sre drain" and "--restart" not in words:
        return replica is None or replica.state == "drained"
    return replica is not None and replica.state == "ready" and replica.serving is not False


def _holds(scene: Scene, command: Command) -> bool:
    if command.words[0] == "kill":
        return scene.now() - scene.recorder.newest_at() < 3.0
    return _is_done(scene, command)


def _serving(scene: Scene) -> int:
    return sum(1 for replica in scene.replicas() if replica.state == "ready" and replica.serving is not False)


def _is_known(command: Command) -> bool:
    return command.verb in ("sre scale", "sre drain", "sre undrain", "kill -CONT", "kill -9")


def _text(func: str, arguments: Mapping[str, Any]) -> str:
    page, name = str(arguments.get("page")), str(arguments.get("mitigation"))
    return undo_of(page, name) if func == TAKE_BACK else mitigation_of(page, name).run


def _values(scene: Scene, arguments: Mapping[str, Any]) -> dict[str, str]:
    given: dict[str, str] = {}
    replica = str(arguments.get("replica") or "")
    if replica == OUT:
        found = [one.name for one in scene.replicas() if one.serving is False]
        if len(found) != 1:
            said = ", ".join(found) or "none"
            raise PlatformError(f"replica `{OUT}` means the one that the gateway gives no work, which are {said}")
        replica = found[0]
    if replica:
        given["REPLICA"] = replica
    if arguments.get("replicas") is not None:
        given["REPLICAS"] = str(arguments["replicas"])
    return given
