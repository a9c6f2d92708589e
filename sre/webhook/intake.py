"""Notifications into the store. One caller at a time: what a notification adds depends on what the one before it left.

Nothing is remembered here that may not be lost: when an incident was last heard of (a resend leaves no event; after a
restart it counts as heard of at the start), and which incidents hold which alerts, so that a storm of new groups does
not read every open incident for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sre.incidents.case import Case, CaseHead
from sre.incidents.events import Status
from sre.incidents.store.model import IncidentStore
from sre.webhook.additions import Settings
from sre.webhook.decide import Decision, decide
from sre.webhook.episodes import Verdict
from sre.webhook.model import Notification
from sre.webhook.stale import may_become_stale, went_silent

Result = Literal["opened", "updated", "duplicate"]
_NOT_CLOSED: tuple[Status, ...] = ("open", "acknowledged", "mitigated", "resolved")
_KNOWN: frozenset[Verdict] = frozenset({"duplicate", "late", "resolved"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a notification: the incident it belongs to, and how many events it added in all."""

    incident: str
    result: Result
    added: int
    verdicts: tuple[Verdict, ...]


@dataclass(slots=True)
class Intake:
    """`clock` gives Unix seconds. Methods raise SreError when the store does not answer; nothing is written then."""

    store: IncidentStore
    clock: Callable[[], float]
    settings: Settings = field(default_factory=Settings)
    stale_after_s: float = 25 * 3600.0
    _heard: dict[str, float] = field(default_factory=dict)
    _holders: dict[str, set[str]] | None = None
    _since: float = 0.0

    def __post_init__(self) -> None:
        self._since = self.clock()

    def take(self, told: Notification) -> Receipt:
        """Write down what `told` adds. The same again adds nothing, whoever sends it."""
        now = self.clock()
        case = self._case_of(told.group_key)
        decision = decide(told, case, now=now, settings=self.settings)
        if decision.opening and (twin := self._twin_of(told, now)) is not None:
            case, decision = twin
        receipt = self._write(case, decision)
        self._heard[receipt.incident] = now
        if self._holders is not None:
            for alert in told.alerts:
                self._holders.setdefault(alert.fingerprint, set()).add(receipt.incident)
        return receipt

    def sweep(self) -> tuple[str, ...]:
        """Mark incidents that were not heard of for `stale_after_s`; their ids."""
        now, marked = self.clock(), []
        for head in self.store.heads(origins=("alertmanager",), statuses=("open", "acknowledged")):
            heard = self._heard.get(head.id, max(self._since, head.updated_at))
            if may_become_stale(head) and now - heard >= self.stale_after_s:
                self.store.append(head.id, [went_silent(heard, now=now)])
                marked.append(head.id)
        return tuple(marked)

    def heads(self) -> Sequence[CaseHead]:
        """All incidents, newest first."""
        return self.store.heads()

    def _write(self, case: Case | None, decision: Decision) -> Receipt:
        if decision.more and case is not None:
            self.store.append(case.head.id, decision.more)
        added = len(decision.more) + len(decision.opening)
        if decision.opening:
            opened = self.store.open(*decision.opening)
            return Receipt(opened.head.id, "opened", added, decision.verdicts)
        assert case is not None  # noqa: S101  (without a case there is an opening)
        return Receipt(case.head.id, "updated" if decision.more else "duplicate", added, decision.verdicts)

    def _case_of(self, group_key: str) -> Case | None:
        head = self.store.by_key(group_key)
        return None if head is None else self.store.case(head.id)

    def _twin_of(self, told: Notification, now: float) -> tuple[Case, Decision] | None:
        """An incident of another group, not closed, that knows every one of these alerts: a second route, or the first
        one under a new name, tells of them again.
        """
        holders = self._known_holders()
        shared = set.intersection(*(holders.get(alert.fingerprint, set()) for alert in told.alerts))
        for incident in sorted(shared):
            case = self.store.case(incident)
            decision = decide(told, case, now=now, settings=self.settings)
            is_other = case.head.key != told.group_key and case.head.status != "closed"
            if is_other and _KNOWN.issuperset(decision.verdicts):
                return case, decision
        return None

    def _known_holders(self) -> dict[str, set[str]]:
        """Incidents that are not closed, by the fingerprints of their alerts; read once."""
        if self._holders is None:
            found: dict[str, set[str]] = {}
            for head in self.store.heads(origins=("alertmanager",), statuses=_NOT_CLOSED):
                for seen in self.store.case(head.id).alerts:
                    found.setdefault(seen.fingerprint, set()).add(head.id)
            self._holders = found
        return self._holders
