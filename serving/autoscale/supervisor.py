"""The supervisor's control API (docs/contracts.md, Supervisor control), as far as the autoscaler needs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import aiohttp
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from serving.autoscale.model import Pod, PodPhase
from serving.errors import EnvironmentLacks

TIMEOUT_S = 5.0
_PHASES: dict[str, PodPhase] = {"ready": "ready", "starting": "starting", "backoff": "starting"}


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ControlFile(_Lenient):
    """`control.json`."""

    url: str
    token: str


class RouteEntry(_Lenient):
    """Another way to a metrics page, gone by all observers while it is set."""

    metrics_url: str | None = None


class ReplicaEntry(_Lenient):
    """One replica of `state.json`. Anything but ready and starting counts as on its way out."""

    name: str
    state: str
    metrics_url: str = ""
    route: RouteEntry | None = None

    @property
    def page(self) -> str:
        """Where its metrics are read now."""
        return (self.route.metrics_url if self.route else None) or self.metrics_url

    @property
    def pod(self) -> Pod:
        return Pod(self.name, _PHASES.get(self.state, "ending"))


class Endpoint(_Lenient):
    url: str = ""
    route: RouteEntry | None = None

    @property
    def observed_at(self) -> str:
        """The address whose `/metrics` is read now."""
        routed = self.route.metrics_url if self.route else None
        return self.url if routed is None else routed.removesuffix("/metrics")


class Bounds(_Lenient):
    """The part of the platform's specification that bounds us; an older one has none."""

    max_replicas: int | None = None


class FleetState(_Lenient):
    """`state.json`, the part acted on."""

    phase: str
    gateway: Endpoint
    prometheus: Endpoint | None = None
    spec: Bounds = Bounds()
    replicas: Annotated[tuple[ReplicaEntry, ...], BeforeValidator(tuple)] = ()
    desired_replicas: int | None = None

    @property
    def pods(self) -> tuple[Pod, ...]:
        return tuple(replica.pod for replica in self.replicas)

    @property
    def set_aside(self) -> int:
        """Replicas that somebody drains or drained: the supervisor counts them, though they serve nothing.

        One that drains because it leaves is listed, but no longer among those desired.
        """
        drained, draining = (sum(r.state == state for r in self.replicas) for state in ("drained", "draining"))
        desired = 0 if self.desired_replicas is None else self.desired_replicas
        leaving = max(0, len(self.replicas) - desired)
        return drained + max(0, draining - leaving)


class SupervisorClient:
    """Speaks to one supervisor; reads `control.json` anew for each call, since a restarted one writes another."""

    def __init__(self, session: aiohttp.ClientSession, control: Path) -> None:
        self._session, self._control = session, control

    async def state(self) -> FleetState:
        """Raises EnvironmentLacks when the supervisor does not answer as agreed."""
        text = await self._call("GET", "/state", None)
        try:
            return FleetState.model_validate_json(text)
        except ValidationError as error:
            raise EnvironmentLacks(f"{self._control}: GET /state is not the agreed form: {_first(error)}") from error

    async def scale(self, replicas: int, reason: str) -> None:
        """Ask for a number of replicas. Raises EnvironmentLacks when it is refused (409 while stopping)."""
        await self._call("POST", "/scale", {"replicas": replicas, "reason": reason})

    async def _call(self, method: str, path: str, body: dict[str, object] | None) -> str:
        file = self._read_control()
        try:
            async with self._session.request(
                method,
                file.url + path,
                json=body,
                headers={"Authorization": f"Bearer {file.token}"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            ) as answer:
                text = await answer.text()
                if answer.status >= 300:
                    raise EnvironmentLacks(f"supervisor: {method} {path}: {answer.status} {text[:200].strip()}")
                return text
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = f"{type(error).__name__} {error}".strip()
            raise EnvironmentLacks(f"supervisor: {method} {path} at {file.url}: {reason}: is it up?") from error

    def _read_control(self) -> ControlFile:
        try:
            return ControlFile.model_validate_json(self._control.read_bytes())
        except OSError as error:
            raise EnvironmentLacks(
                f"{self._control}: cannot be read ({error.strerror}): start it with `sre up`"
            ) from error
        except ValidationError as error:
            raise EnvironmentLacks(f"{self._control}: not a control file: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
