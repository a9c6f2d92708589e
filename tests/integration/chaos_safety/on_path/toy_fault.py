"""A fault that stops a replica's process and makes its engine slow, taking its time where it is told to."""

import contextlib
import time
from dataclasses import asdict, dataclass
from typing import ClassVar

from sre.chaos.faults.model import Fault, NotProven, Plan
from sre.chaos.faults.targets import until
from sre.errors import PlatformError


@dataclass(frozen=True)
class Toy(Fault):
    name: ClassVar[str] = "toy"
    family: ClassVar[str] = "replica"
    summary: ClassVar[str] = "a stopped process and a slow engine"
    protects: ClassVar[str] = "nothing"

    replica: str = "llm-1"
    before_s: float = 0.0
    between_s: float = 0.0
    after_s: float = 0.0
    undo_s: float = 0.0
    undo_fails: int = 0
    sick: bool = True

    def plan(self, platform):
        return Plan((self.replica,), handles={"server": platform.process("server", self.replica), **asdict(self)})

    @staticmethod
    def apply(platform, lease):
        handles = lease.plan.handles
        _tell(platform, "begun")
        time.sleep(handles["before_s"])
        platform.signal(handles["server"], "stop")
        _tell(platform, "half")
        time.sleep(handles["between_s"])
        if handles["sick"]:
            platform.set_engine_faults(handles["replica"], {"slow_factor": 4.0})
        _tell(platform, "applied")
        time.sleep(handles["after_s"])

    @staticmethod
    def prove(platform, lease):
        if not until(lambda: platform.condition(lease.plan.handles["server"]) == "stopped", within_s=2):
            raise NotProven("it still runs")
        return "it is stopped"

    @staticmethod
    def undo(platform, lease):
        handles = lease.plan.handles
        tries = _tell(platform, "undoing")
        if tries == 1:
            time.sleep(handles["undo_s"])
        if 0 < tries <= handles["undo_fails"]:
            raise PlatformError("the undo fails")
        platform.signal(handles["server"], "continue")
        platform.set_engine_faults(handles["replica"], {})


def _tell(platform, point):
    """How often this point was reached, this time included."""
    path = platform.state_dir / f"toy-{point}"
    with contextlib.suppress(OSError), path.open("a") as file:  # the disk may be full
        file.write(".")
    return path.stat().st_size
