"""One replica's health: a state machine that is told what happened and when, and does nothing by itself.

                 first inference
    down ------------------------------> up <----------------------+
     |   inference passed, after a loss                            | enough successes
     +------------------------------> half_open -------------------+
     ^                                   |  ^
     | connection lost (from anywhere)   |  | probe passed (after a hold, when it was ejected often)
     |                                   v  |
     +------------------------------- ejected <--- stall, errors, slow, failed probe (from up and half_open)

It is the circuit breaker too: up is closed, ejected open, half_open half open. `draining` is laid over it by an
operator's wish: a draining replica is watched as any other and gets no new work. Times are seconds of one clock.
"""

from __future__ import annotations

from typing import Literal

from serving.gateway.config import HealthConfig
from serving.gateway.pace import Pace

State = Literal["up", "half_open", "ejected", "draining", "down"]
Ejection = Literal["connect", "error", "stall", "slow", "probe"]
STATES: tuple[State, ...] = ("up", "half_open", "ejected", "draining", "down")
EJECTIONS: tuple[Ejection, ...] = ("connect", "error", "stall", "slow", "probe")

_PREFILL_MARGIN = 3.0
_MAX_PREFILL_PATIENCE = 6.0  # in stall_max_s: beyond, even a long prompt is no excuse
_MIN_SLOW_STEPS = 64
_HOLD_MEMORY_S = 60.0
_MAX_HOLD_INTERVALS = 15
_SLOW_HOLD_INTERVALS = 8  # a slow replica passes every probe: without a hold it would flap


class Health:
    """Down until its first inference. `life` grows each time it comes into rotation."""

    __slots__ = (
        "_ejections",
        "_errors",
        "_hold_until",
        "_next_probe_at",
        "_passes",
        "_phase",
        "_rules",
        "_served_until",
        "draining",
        "life",
        "pace",
        "probing",
        "progress_at",
        "suspect",
    )

    def __init__(self, rules: HealthConfig, now: float) -> None:
        self._rules = rules
        self._phase: State = "down"
        self._served_until = now
        self._errors = 0
        self._passes = 0
        self._ejections: list[float] = []
        self._hold_until = now
        self._next_probe_at = now
        self.draining = False
        self.suspect = False
        self.probing = False
        self.life = 0
        self.progress_at = now
        self.pace = Pace()

    @property
    def state(self) -> State:
        return "draining" if self.draining and self.serving else self._phase

    @property
    def serving(self) -> bool:
        """It does its work, whether or not it is given more."""
        return self._phase in {"up", "half_open"}

    @property
    def routable(self) -> bool:
        """It may be given work."""
        return not self.draining and self.serving

    def down_s(self, now: float) -> float:
        """Seconds since it last served; 0 while it does."""
        return 0.0 if self.serving else now - self._served_until

    def served(self, now: float) -> None:
        """A job got its first piece, or a probe passed: a success of the half-open state."""
        self.progress_at = now
        self.suspect = False
        self._errors = 0
        if self._phase == "half_open":
            self._passes += 1
            if self._passes >= self._rules.half_open_requests:
                self._phase = "up"

    def attempt_failed(self) -> bool:
        """A job failed for another reason than its connection. True when that is one too many."""
        self._errors += 1
        self.suspect = True
        return self._phase == "half_open" or self._errors >= self._rules.error_threshold

    def probe_passed(self, now: float) -> bool:
        """An inference passed. True when it comes into rotation by it."""
        if self.serving:
            self.served(now)
            return False
        self._phase = "up" if self.life == 0 else "half_open"
        self.life += 1
        self._passes = self._errors = 0
        self.suspect = False
        self.progress_at = now
        self.pace = Pace()
        return True

    def lose_connection(self, now: float) -> bool:
        """No connection. True when it was in rotation until now."""
        return self._leave("down", now)

    def eject(self, now: float, reason: Ejection) -> bool:
        """Take it out. True when it was in rotation until now."""
        if not self._leave("ejected", now):
            return False
        self._ejections = [at for at in self._ejections if now - at < _HOLD_MEMORY_S] + [now]
        intervals = min(2 ** (len(self._ejections) - 1) - 1, _MAX_HOLD_INTERVALS)
        if reason == "slow":
            intervals = max(intervals, _SLOW_HOLD_INTERVALS)
        self._hold_until = now + intervals * self._rules.probe_interval_s
        return True

    def _leave(self, phase: State, now: float) -> bool:
        if not self.serving:
            if phase == "down":  # an ejected process that died begins anew: its hold is void
                self._phase = phase
                self._hold_until = now
            return False
        self._phase = phase
        self._served_until = self._next_probe_at = self._hold_until = now
        self._errors = 0
        self.suspect = False
        return True

    def probe_due(self, now: float, *, busy: bool) -> bool:
        """Whether to probe now: out of rotation, half open, suspect, or idle for long."""
        if self.probing or now < max(self._next_probe_at, self._hold_until):
            return False
        if self._phase != "up" or self.suspect:
            return True
        return not busy and now - self.progress_at >= self._rules.idle_probe_s

    def probe_began(self, now: float) -> None:
        self.probing = True
        self._next_probe_at = now + self._rules.probe_interval_s

    def probe_ended(self) -> None:
        self.probing = False

    def forgive(self, late_s: float, now: float) -> None:
        """The gateway itself was late by so much: that silence was not the replica's."""
        self.progress_at = min(now, self.progress_at + late_s)

    def patience_s(self, *, decoding: bool, prefill_tokens: int) -> float:
        """The longest silence that is still sound, with streams that decode, or only prompts of so many tokens."""
        rules = self._rules
        steps_s = min(max(rules.stall_min_s, rules.stall_steps * self.pace.step_s), rules.stall_max_s)
        if decoding:
            return steps_s
        prefill_s = _PREFILL_MARGIN * self.pace.prefill_s(prefill_tokens)
        return steps_s + min(prefill_s, _MAX_PREFILL_PATIENCE * rules.stall_max_s)

    def is_slow(self, others_median_step_s: float | None) -> bool:
        """Whether its steps take too long against the others' median (None: nobody to compare with)."""
        factor = self._rules.slow_factor
        if not factor or others_median_step_s is None or self.pace.steps < _MIN_SLOW_STEPS:
            return False
        return self.pace.step_s > factor * others_median_step_s

    @property
    def usual_step_s(self) -> float | None:
        """Its step time, once enough of them were seen."""
        return self.pace.step_s if self.pace.steps >= _MIN_SLOW_STEPS else None
