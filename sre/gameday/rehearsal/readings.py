"""The steady state of a rehearsal: the probes' own readings, over virtual samples and virtual replicas."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sre.chaos import readings
from sre.chaos.probes import SIGNALS
from sre.errors import SreError
from sre.gameday.rehearsal.stage import Scene
from sre.slo.model import RatioSli

PROBES_MODULE = "sre.chaos.probes"
STALE_S = 5.0
"""As `sre.chaos.sight` has it for the recorder: older samples mean that nobody watches."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Reads what a probe of `sre.chaos.probes` reads. `slo_dir` holds the workspace's SLO documents."""

    scene: Scene
    slo_dir: Path
    _slis: dict[str, RatioSli] = field(default_factory=dict)

    def read(self, func: str, arguments: Mapping[str, Any]) -> float | int:
        """The reading. Raises SreError where the real probe fails: no samples, no events, a wrong argument."""
        known: Mapping[str, Callable[..., float | int]] = {
            "availability": lambda window_s=10.0: self._ratio("availability", window_s),
            "goodput": lambda window_s=10.0: self._ratio("goodput", window_s),
            "latency_quantile": self._latency,
            "healthy_replicas": lambda: sum(1 for r in self.scene.replicas() if r.state == "ready"),
            "unhealthy_replicas": lambda: sum(1 for r in self.scene.replicas() if r.state != "ready"),
        }
        if func not in known:
            raise SreError(f"{PROBES_MODULE} has no {func!r}: use one of {', '.join(known)}")
        try:
            value = known[func](**arguments)
        except TypeError as error:
            raise SreError(f"{func}: {error}") from error
        if not math.isfinite(value):
            raise SreError(f"the reading is {value}, no number: look at the samples of its counters")
        return value

    def _ratio(self, name: str, window_s: float) -> float:
        if name not in self._slis:
            self._slis[name] = readings.sli_of(name, self.slo_dir)
        source = self.scene.recorder.samples()
        return readings.good_ratio(
            source, self._slis[name], window_s=float(window_s), now=self.scene.now(), stale_s=STALE_S
        )

    def _latency(self, signal: str = "ttft", quantile: float = 0.95, window_s: float = 10.0) -> float:
        if signal not in SIGNALS:
            raise SreError(f"signal {signal!r} does not exist: use one of {', '.join(SIGNALS)}")
        source, now = self.scene.recorder.samples(), self.scene.now()
        return readings.quantile(source, SIGNALS[signal], quantile, window_s=float(window_s), now=now, stale_s=STALE_S)
