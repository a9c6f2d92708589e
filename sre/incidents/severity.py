"""How grave an incident is, from what it did to the SLOs. The table below decides; a person may overrule it in the
store, with a reason (`SeveritySet`).

| | SEV1 | SEV2 | SEV3 | SEV4 |
|---|---|---|---|---|
| share of the period's error budget spent | 100 % | 20 % | 2 % | less |
| share of requests in its window that failed (from 10 requests on) | 50 % | 5 % | any | none |
| a page fired | | yes | | no |
| a client noticed: failed, or slower than the limits | | | yes | no |

The gravest row that is met holds. 100 %: the objective of the period is lost. 20 %: the example error budget policy of
Google's SRE Workbook asks for a post-mortem of a single incident from there on (appendix "Example Error Budget
Policy"). 2 %: what the workbook's fastest page lets through before it fires. 50 % and 5 % are ours: most clients, and
more than one in twenty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sre.incidents.events import Severity
from sre.incidents.model import Impact, Milestone
from sre.slo.model import SloResult

Signal = Literal["budget_share", "failed_share", "paged", "noticed"]
LEAST_REQUESTS = 10
"""Below that many requests a share of them says nothing: one failure of two is not half of all clients."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """`severity` holds from `at_least` of the signal on; 1 for yes. `words` is what was then the case."""

    severity: Severity
    signal: Signal
    at_least: float
    words: str


THRESHOLDS = (
    Threshold("SEV1", "budget_share", 1.0, "it spent {:.0%} of the period's error budget of {slo}"),
    Threshold("SEV1", "failed_share", 0.5, "{:.0%} of the requests in its window failed"),
    Threshold("SEV2", "budget_share", 0.2, "it spent {:.0%} of the period's error budget of {slo}"),
    Threshold("SEV2", "failed_share", 0.05, "{:.1%} of the requests in its window failed"),
    Threshold("SEV2", "paged", 1.0, "a page fired"),
    Threshold("SEV3", "budget_share", 0.02, "it spent {:.1%} of the period's error budget of {slo}"),
    Threshold("SEV3", "noticed", 1.0, "clients noticed"),
)
"""Gravest first; none met: SEV4."""


@dataclass(frozen=True, slots=True)
class SeverityFacts:
    """What the severity is read from. `budget_share` is of the SLO `slo` that lost most; None where no SLO had data.
    `failed_share` is None where too few requests were in the window.
    """

    budget_share: float | None
    slo: str | None
    failed_share: float | None
    paged: bool
    noticed: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A severity and why; `unknown` are the signals nobody could read, so that it may be graver than it says."""

    severity: Severity
    because: tuple[str, ...]
    unknown: tuple[Signal, ...] = ()


def judge_severity(facts: SeverityFacts) -> Judged:
    """The gravest severity whose threshold is met, and everything that meets it."""
    values: dict[Signal, float | None] = {
        "budget_share": facts.budget_share,
        "failed_share": facts.failed_share,
        "paged": float(facts.paged),
        "noticed": float(facts.noticed),
    }
    unknown = tuple(signal for signal in get_args(Signal) if values[signal] is None)
    met = [t for t in THRESHOLDS if (value := values[t.signal]) is not None and value >= t.at_least]
    if not met:
        return Judged("SEV4", ("no threshold was met",), unknown)
    gravest = met[0].severity
    because = tuple(t.words.format(values[t.signal], slo=facts.slo) for t in met if t.severity == gravest)
    return Judged(gravest, because, unknown)


def severity_facts(
    impact: Impact, marks: Sequence[Milestone], results: Sequence[SloResult], *, clock_factor: float = 1.0
) -> SeverityFacts:
    """The facts of one incident. `results` are those of one source, over the incident's time."""
    spent = [(share, r.slo.name) for r in results if (share := budget_share(r, clock_factor=clock_factor)) is not None]
    share, slo = max(spent, default=(None, None))
    return SeverityFacts(
        budget_share=share,
        slo=slo,
        failed_share=impact.failed / impact.requests if impact.requests >= LEAST_REQUESTS else None,
        paged=any(mark.name == "alerted" and mark.at is not None for mark in marks),
        noticed=bool(impact.failed or impact.degraded),
    )


def budget_share(result: SloResult, *, clock_factor: float = 1.0) -> float | None:
    """Which share of its SLO's budget for a whole period was spent between start and end; None without data.

    (error ratio / budget) x (observed time / period), as if traffic went on all period long as it was observed. On a
    drill clock the period is as many times shorter as the windows of its alerts.
    """
    if result.error_ratio is None or result.slo.budget <= 0:
        return None
    lasted = (result.end - result.start) * clock_factor
    return result.error_ratio / result.slo.budget * lasted / result.slo.period_s
