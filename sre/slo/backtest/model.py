"""Types of a backtest: what is asked, what was labelled, what fired and how it scored. Definitions: see the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sre.metrics.model import FloatArray
from sre.slo.model import BurnTier, DrillClock, Severity, Slo

Convention = Literal["events", "promql-closed", "promql-left-open"]
CONVENTIONS: tuple[Convention, ...] = ("events", "promql-closed", "promql-left-open")
Outcome = Literal["detected", "missed", "unknown"]


@dataclass(frozen=True, slots=True)
class Measured:
    """A number, or the reason why there is none."""

    value: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A known incident over [start, end]. `slo` and `severity` None: it concerns every SLO, and pages are expected.

    `where` is where it was written down: a file:line, or a drill's ledger.
    """

    start: float
    end: float
    name: str
    slo: str | None = None
    severity: Severity | None = None
    where: str = ""

    def concerns(self, slo: str) -> bool:
        return self.slo is None or self.slo == slo


@dataclass(frozen=True, slots=True)
class Plan:
    """What to replay: (start, end] every `step_s`. `grace_s` is in production seconds, as windows are.

    `tiers` replaces each SLO's own when it is not None.
    """

    start: float
    end: float
    step_s: float
    convention: Convention = "events"
    clock: DrillClock = field(default_factory=lambda: DrillClock(1.0))
    grace_s: float = 300.0
    tiers: tuple[BurnTier, ...] | None = None

    @property
    def span_s(self) -> float:
        return self.end - self.start

    @property
    def grace(self) -> float:
        """Seconds after a label's end in which an episode still belongs to it, on the drill clock."""
        return self.clock.compress(self.grace_s)


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch in which a tier (or one of a set) fired. `reset_at` None: it still did at the end of the replay.

    `from_start`: it fired at the first evaluation, so it may have begun before. `incidents` are the labels it overlaps.
    """

    slo: str
    tier: str
    severity: Severity
    fired_at: float
    reset_at: float | None
    from_start: bool = False
    incidents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """One incident as a tier or a set saw it. `cost` is the share of the period's budget that all of it spent."""

    label: Label
    outcome: Outcome
    why: str
    detected_at: float | None
    delay_s: Measured
    reset_delay_s: Measured
    budget_spent: Measured
    cost: Measured
    episodes: int


@dataclass(frozen=True, slots=True)
class Score:
    """How a tier (`page-1h`) or a set (`any page`) did. Delays and budget are medians over the incidents detected."""

    name: str
    severity: Severity
    episodes: int
    true_episodes: int | None
    expected: int
    detected: int
    precision: Measured
    recall: Measured
    detection_s: Measured
    worst_detection_s: Measured
    reset_s: Measured
    budget_spent: Measured
    worst_budget_spent: Measured
    false_per_week: Measured
    in_alert_s: float
    in_alert_share: float
    detections: tuple[Detection, ...]

    @property
    def missed(self) -> tuple[Detection, ...]:
        return tuple(d for d in self.detections if d.outcome == "missed")


@dataclass(frozen=True, slots=True, eq=False)
class TierTrace:
    """A tier's burn for drawing, one bin a pixel: the most of each bin, NaN without data."""

    tier: BurnTier
    long_burn: FloatArray
    short_burn: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Curves for drawing over `edges` (n + 1,): the error ratio of each bin and the highest burn seen in it."""

    edges: FloatArray
    error_ratio: FloatArray
    tiers: tuple[TierTrace, ...]


@dataclass(frozen=True, slots=True, eq=False)
class SloBacktest:
    """One SLO replayed. `reason` says why nothing could be; `skipped` are (tier, reason) left out of the replay.

    `notes` are what a reader must know to judge the figures. `sets` are the scores of any page and any ticket.
    """

    slo: Slo
    reason: str | None
    bad: float
    total: float
    first_sample: float | None
    tiers: tuple[BurnTier, ...]
    skipped: tuple[tuple[BurnTier, str], ...]
    episodes: tuple[Episode, ...]
    scores: tuple[Score, ...]
    sets: tuple[Score, ...]
    notes: tuple[str, ...]
    trace: Trace | None


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Every SLO over one history. `overall` scores any page and any ticket of any SLO; `left_out`: (label, reason)."""

    source: str
    plan: Plan
    labels: tuple[Label, ...]
    left_out: tuple[tuple[Label, str], ...]
    slos: tuple[SloBacktest, ...]
    overall: tuple[Score, ...]
