"""Gathers what one notification adds to one incident, as drafts in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sre.incidents.case import Case
from sre.incidents.events import (
    AlertSeen,
    Draft,
    Linked,
    MilestoneMark,
    Observed,
    Payload,
    Severity,
    SeveritySet,
    StatusSet,
)
from sre.webhook.episodes import FIRES, Episodes, Verdict
from sre.webhook.links import RunbookPages, links_of, runbook_of
from sre.webhook.model import ACTOR, Notification, ToldAlert
from sre.webhook.severity import gravest_first, worst
from sre.webhook.stale import heard_again, stale_since


@dataclass(frozen=True, slots=True)
class Settings:
    """`late_s`: how long after an alert's end was written down a firing that began before it counts as old news."""

    pages: RunbookPages = field(default_factory=RunbookPages)
    late_s: float = 300.0


@dataclass(slots=True)
class Additions:
    """Gathers what one notification adds to one incident."""

    told: Notification
    now: float
    settings: Settings
    episodes: Episodes
    case: Case | None
    drafts: list[Draft] = field(default_factory=list)
    fired: list[ToldAlert] = field(default_factory=list)
    ended: bool = False
    _linked: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        events = [] if self.case is None else self.case.events
        self._linked.update((p.rel, p.target) for event in events if isinstance(p := event.payload, Linked))

    @classmethod
    def to(cls, case: Case | None, told: Notification, *, now: float, settings: Settings) -> Additions:
        """To an incident, or to one that is about to be opened."""
        return cls(told, now, settings, Episodes() if case is None else Episodes.of(case.events), case)

    def draft(self, at: float, payload: Payload, text: str) -> Draft:
        return Draft(at, payload, text, self.told.source, ACTOR)

    def take(self, alert: ToldAlert) -> Verdict:
        verdict = self.episodes.judge(alert, now=self.now, late_s=self.settings.late_s)
        if verdict in FIRES:
            self._fires(alert, verdict)
        elif verdict in ("resolved", "unseen"):
            self._ends(alert)
        elif verdict == "late":
            self._note(self._late_words(alert))
        return verdict

    def finish(self) -> Iterator[Draft]:
        """Everything, in the order in which a reader wants it."""
        if self.told.truncated:
            self._note(
                f"{self.told.truncated} more alerts of this group were left out by the sender: set max_alerts to 0"
            )
        self._mark_first()
        self._follow_severity()
        if self.fired and self.case is not None:
            self._reopen()
        self._follow_end()
        if self.case is not None and stale_since(self.case.head) is not None:
            self.drafts.append(heard_again(self.now, self.told.source))
        return iter(self.drafts)

    def finish_closed(self) -> Iterator[Draft]:
        """What a closed incident still takes: its alerts' ends, no status."""
        if self.ended and not self.episodes.any_live:
            self._mark("alert_reset", self.episodes.last_end)
        return iter(self.drafts)

    def _fires(self, alert: ToldAlert, verdict: Verdict) -> None:
        seen = self._seen(alert)
        at = self.now if alert.started_at is None or verdict == "still" else alert.started_at
        words = {"again": "fires again", "still": "fires still, though it was told to have ended"}.get(verdict, "fires")
        self._add_alert(seen, at, f"{alert.name} {words}" + _after(alert))
        self.fired.append(alert)
        for link in links_of(alert, self.settings.pages):
            if (link.rel, link.target) not in self._linked:
                self.drafts.append(self.draft(at, link, f"{link.rel}: {link.title}"))
                self._linked.add((link.rel, link.target))

    def _ends(self, alert: ToldAlert) -> None:
        at = self.now if alert.ended_at is None else alert.ended_at
        self._add_alert(self._seen(alert), at, f"{alert.name} is over" + _after(alert))
        self.ended = True

    def _add_alert(self, seen: AlertSeen, at: float, text: str) -> None:
        self.drafts.append(self.draft(at, seen, text))
        self.episodes.take(seen, at=at, written_at=self.now)

    def _seen(self, alert: ToldAlert) -> AlertSeen:
        return AlertSeen(
            name=alert.name,
            state=alert.state,
            fingerprint=alert.fingerprint,
            started_at=alert.started_at,
            ended_at=alert.ended_at,
            slo=alert.labels.get("slo", ""),
            severity=alert.severity,
            runbook=runbook_of(alert, self.settings.pages),
            summary=alert.summary,
        )

    def _late_words(self, alert: ToldAlert) -> str:
        return (
            f"{alert.name} was told to fire since {alert.started_at} after its end at "
            f"{self.episodes.end_of(alert.fingerprint)} was told: taken as old news"
        )

    def _note(self, text: str) -> None:
        """Once: the same words again add nothing."""
        notes = [event.text for event in self.case.events] if self.case is not None else []
        if text not in notes and all(draft.text != text for draft in self.drafts):
            self.drafts.append(self.draft(self.now, Observed("note", self.told.external_url), text))

    def _mark_first(self) -> None:
        """An alert notices and calls at once: Prometheus' startsAt is when the rule first held long enough."""
        starts = [
            p.started_at for d in self.drafts if isinstance(p := d.payload, AlertSeen) and p.started_at is not None
        ]
        for name in ("detected", "alerted"):
            known = None if self.case is None else self.case.head.milestones.get(name)
            if starts and (known is None or min(starts) < known):
                self._mark(name, min(starts))

    def _mark(self, name: str, instant: float | None, reason: str = "") -> None:
        # a sender whose clock is ahead: off by that much at least
        doubt_s = 0.0 if instant is None else max(0.0, instant - self.now)
        mark = MilestoneMark(name, instant, doubt_s, reason)
        at = self.now if instant is None else instant
        self.drafts.append(self.draft(at, mark, f"{name}" + (f": n/a, {reason}" if reason else "")))

    def _follow_severity(self) -> None:
        """Raised when a graver alert joins, never lowered, and never against what a person set."""
        if self.case is None or not self.fired:
            return
        asked, gravest = worst([alert.severity for alert in self.fired]), gravest_first(self.fired)[0]
        by_hand = any(isinstance(e.payload, SeveritySet) and e.actor != ACTOR for e in self.case.events)
        if asked < self.case.head.severity and not by_hand:
            self._set_severity(asked, f"{gravest.name} has severity {gravest.severity}")

    def _set_severity(self, severity: Severity, reason: str) -> None:
        self.drafts.append(self.draft(self.now, SeveritySet(severity, None, reason), f"{severity}: {reason}"))

    def _reopen(self) -> None:
        assert self.case is not None  # noqa: S101  (asked by the caller)
        names = ", ".join(dict.fromkeys(alert.name for alert in self.fired))
        if self.case.head.milestones.get("alert_reset") is not None:
            self._mark("alert_reset", None, f"{names} fires again")
        if self.case.head.status in ("mitigated", "resolved"):
            reason = f"{names} fires again"
            self.drafts.append(self.draft(self.now, StatusSet("open", reason), f"open again: {reason}"))

    def _follow_end(self) -> None:
        """All over, and nothing left out that might still fire."""
        end = self.episodes.last_end
        if self.episodes.any_live or self.told.truncated or end is None:
            return
        is_reset = self.case is not None and self.case.head.milestones.get("alert_reset") is not None and not self.fired
        if is_reset:
            return
        self._mark("alert_reset", end)
        if self.case is None or self.case.head.status in ("open", "acknowledged") or self.fired:
            reason = "all alerts of the group are over; that it is resolved is for a person to say"
            self.drafts.append(self.draft(end, StatusSet("mitigated", reason), "mitigated: all its alerts are over"))


def _after(alert: ToldAlert) -> str:
    severity = f" ({alert.severity})" if alert.severity else ""
    return f"{severity}: {alert.summary}" if alert.summary else severity
