"""A store in memory, and notifications as Alertmanager 0.25 sends them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sre.errors import SreError
from sre.incidents.case import fold
from sre.incidents.events import Draft, Event, Opened
from sre.incidents.store import open_store
from sre.webhook.additions import Settings
from sre.webhook.intake import Intake
from sre.webhook.payload import notification_of

T0 = 1_790_000_000.0
PAGE = "AvailabilityErrorBudgetBurn"


class MemoryStore:
    """What `IncidentStore` promises, as far as the webhook uses it; `broken` makes it refuse, as a database would."""

    def __init__(self, clock):
        self.clock = clock
        self.events: dict[str, list[Event]] = {}
        self.broken = False

    def open(self, first: Draft, *more: Draft):
        assert isinstance(first.payload, Opened)
        head = self.by_key(first.payload.key)
        if head is None or head.status == "closed":
            incident = f"INC-{len(self.events) + 1:04d}"
            self.events[incident] = []
            more = (first, *more)
        else:
            incident = head.id
        self.append(incident, more)
        return self.case(incident)

    def append(self, incident, drafts):
        self._answer()
        known = self.events[incident]
        for draft in drafts:
            fields = (draft.at, self.clock(), draft.payload, draft.text, draft.source, draft.actor, "", "")
            known.append(Event(incident, 0, len(known) + 1, *fields))
        return tuple(known[-len(drafts) :])

    def case(self, incident):
        self._answer()
        return fold(self.events[incident])

    def heads(self, *, origins=(), statuses=(), since=None, until=None):
        self._answer()
        found = [self.case(incident).head for incident in reversed(self.events)]
        return tuple(
            h for h in found if (not origins or h.origin in origins) and (not statuses or h.status in statuses)
        )

    def by_key(self, key):
        return next((head for head in self.heads() if head.key == key), None)

    def anchor(self):
        self._answer()

    def close(self):
        pass

    def _answer(self):
        if self.broken:
            raise SreError("the store does not answer: database is locked")


class Clock:
    def __init__(self, now=T0):
        self.now = now

    def __call__(self):
        return self.now


def rfc3339(at):
    """As Go writes it: nine digits; the zero time for none."""
    from datetime import UTC, datetime

    if at is None:
        return "0001-01-01T00:00:00Z"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "789Z"


def alert(name=PAGE, *, start=T0, end=None, severity="page", fingerprint=None, annotations=None, **labels):
    return {
        "status": "firing" if end is None else "resolved",
        "labels": {"alertname": name, "severity": severity, "slo": "availability", "service": "llm-gateway", **labels},
        "annotations": {"summary": f"{name} burns", **(annotations or {})},
        "startsAt": rfc3339(start),
        "endsAt": rfc3339(end),
        "generatorURL": "http://prometheus:9090/graph?g0.expr=burn&g0.tab=1",
        "fingerprint": fingerprint or f"fp-{name}-{labels.get('instance', '')}",
    }


def payload(*alerts, key='{}/{severity="page"}:{slo="availability"}', **changes):
    firing = any(one["status"] == "firing" for one in alerts)
    return {
        "receiver": "sre",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {"slo": "availability"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager-0:9093",
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": 0,
        **changes,
    }


class Desk:
    """A store, a clock, and the words a test says."""

    def __init__(self, store, clock, **settings):
        self.store, self.clock = store, clock
        self.settings = settings
        self.restart()

    def restart(self, **changes):
        self.settings |= changes
        own = {key: value for key, value in self.settings.items() if key in ("pages", "late_s")}
        self.intake = Intake(
            self.store, self.clock, Settings(**own), stale_after_s=self.settings.get("stale_after_s", 25 * 3600)
        )

    def tell(self, *alerts, after=0.0, **changes):
        self.clock.now += after
        return self.intake.take(notification_of(json.dumps(payload(*alerts, **changes)).encode()))

    def case(self, incident="INC-0001"):
        return self.store.case(incident)

    def head(self, incident="INC-0001"):
        return self.case(incident).head

    def texts(self, incident="INC-0001"):
        return [event.text for event in self.case(incident).events]


@pytest.fixture
def clock():
    return Clock(T0 + 30)


@pytest.fixture(params=["memory", "sqlite"])
def store(request, clock, tmp_path) -> Iterator[object]:
    """The same tests on the fake and on the real one."""
    if request.param == "memory":
        yield MemoryStore(clock)
        return
    opened = open_store(tmp_path / "incidents.sqlite", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def memory(clock):
    return MemoryStore(clock)


@pytest.fixture
def desk(store, clock):
    return Desk(store, clock)


@pytest.fixture
def told():
    """Makers of alerts and payloads: test folders are no packages."""

    class Told:
        t0 = T0
        page = PAGE
        alert = staticmethod(alert)
        payload = staticmethod(payload)

    return Told
