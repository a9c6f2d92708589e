"""What a notification adds to an incident, or that it opens one. Pure: the same notification again adds nothing.

An incident whose alerts are all over becomes `mitigated`, never `resolved`: that the cause is gone is a person's word.
A closed incident stays closed: the end of its alerts is still written down, a new firing opens another incident.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sre.incidents.case import Case
from sre.incidents.events import Draft, Opened
from sre.webhook.additions import Additions, Settings
from sre.webhook.episodes import FIRES, Verdict
from sre.webhook.model import ACTOR, Notification
from sre.webhook.severity import gravest_first, worst

_LONGEST_TITLE = 120


@dataclass(frozen=True, slots=True)
class Decision:
    """`more` goes to the incident that was looked at; `opening`, when there is any, opens another."""

    verdicts: tuple[Verdict, ...]
    more: tuple[Draft, ...] = ()
    opening: tuple[Draft, ...] = ()


def decide(told: Notification, case: Case | None, *, now: float, settings: Settings) -> Decision:
    """`case` is the incident opened last for this group, None when there was none."""
    if case is None:
        return _opens(told, now=now, settings=settings)
    group = Additions.to(case, told, now=now, settings=settings)
    verdicts = tuple(group.take(alert) for alert in told.alerts)
    if case.head.status != "closed":
        return Decision(verdicts, tuple(group.finish()))
    if not any(_opens_another(verdict) for verdict in verdicts):
        return Decision(verdicts, tuple(group.finish_closed()))
    return _after_closed(told, case, verdicts, now=now, settings=settings)


def _opens(told: Notification, *, now: float, settings: Settings) -> Decision:
    group = Additions.to(None, told, now=now, settings=settings)
    began = min((alert.started_at for alert in told.alerts if alert.started_at is not None), default=now)
    first = Draft(min(began, now), _opened(told), f"opened by {told.source}", told.source, ACTOR)
    verdicts = tuple(group.take(alert) for alert in told.alerts)
    return Decision(verdicts, opening=(first, *group.finish()))


def _opens_another(verdict: Verdict) -> bool:
    return verdict in FIRES or verdict == "unseen"


def _after_closed(
    told: Notification, case: Case, verdicts: tuple[Verdict, ...], *, now: float, settings: Settings
) -> Decision:
    """Ends of what the closed incident knew go to it; what fires, and what it never knew, to a new one."""
    known = [a for a, v in zip(told.alerts, verdicts, strict=True) if a.state == "resolved" and not _opens_another(v)]
    rest = tuple(alert for alert in told.alerts if alert not in known)
    group = Additions.to(case, told, now=now, settings=settings)
    for alert in known:
        group.take(alert)
    opening = _opens(replace(told, alerts=rest), now=now, settings=settings).opening
    return Decision(verdicts, tuple(group.finish_closed()), opening)


def _opened(told: Notification) -> Opened:
    return Opened(
        title=title_of(told),
        origin="alertmanager",
        severity=worst([alert.severity for alert in told.alerts]),
        key=told.group_key,
        service=_service(told),
    )


def title_of(told: Notification) -> str:
    """The gravest alert's name and what its group is about."""
    names = tuple(dict.fromkeys(alert.name for alert in gravest_first(told.alerts)))
    about = ", ".join(f"{k}={v}" for k, v in told.group_labels.items() if k not in ("alertname", "severity"))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    title = f"{names[0]}{more}" + (f" ({about})" if about else "")
    return title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 3]}..."


def _service(told: Notification) -> str:
    labels = (told.group_labels, *(alert.labels for alert in gravest_first(told.alerts)))
    return next((one[key] for key in ("service", "job") for one in labels if one.get(key)), "")
