"""What OpenSLO v1 documents say, typed, with the place of everything a person may have to mend.

References stay references here (`Ref`): `sre.slo.openslo.resolving` follows them. Two documents are equal when they
say the same, wherever they were written; labels and annotations have no order. Fields that OpenSLO lets vendors fill as
they like (a DataSource's connection details) are kept as canonical JSON text, never looked into.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sre.metrics.model import Selector
from sre.slo.model import Method, Op

Kind = Literal["SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "DataSource", "Service"]
KINDS: tuple[Kind, ...] = (
    "Service",
    "DataSource",
    "AlertNotificationTarget",
    "AlertCondition",
    "AlertPolicy",
    "SLI",
    "SLO",
)
"""Every kind, what is referred to before what refers to it."""

Unit = Literal["m", "h", "d", "w", "M", "Q", "Y"]
_DAY_S = 86400.0
UNIT_S: Mapping[Unit, float] = {
    "m": 60.0,
    "h": 3600.0,
    "d": _DAY_S,
    "w": 7 * _DAY_S,
    "M": 30 * _DAY_S,
    "Q": 90 * _DAY_S,
    "Y": 365 * _DAY_S,
}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something is written; `path` leads to it inside its document, e.g. `spec.objectives[0].target`."""

    file: str
    line: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


NOWHERE = Place("", 0)


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a document defined elsewhere."""

    name: str
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Duration:
    """OpenSLO's duration shorthand. Months, quarters and years have a nominal length: 30, 90 and 365 days."""

    count: int
    unit: Unit

    @property
    def seconds(self) -> float:
        return self.count * UNIT_S[self.unit]

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


@dataclass(frozen=True, slots=True)
class Metadata:
    """`labels` and `annotations` are sorted by key; a label may have several values."""

    name: str
    display_name: str = ""
    labels: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    place: Place = field(default=NOWHERE, compare=False)
    annotation_places: tuple[tuple[str, Place], ...] = field(default=(), compare=False, repr=False)

    def annotation(self, key: str) -> str | None:
        return dict(self.annotations).get(key)

    def place_of(self, annotation: str) -> Place:
        """Where an annotation stands; where the document's name does, if it was not read from a file."""
        return dict(self.annotation_places).get(annotation, self.place)

    @property
    def title(self) -> str:
        return self.display_name or self.name


@dataclass(frozen=True, slots=True)
class Metric:
    """A metricSource: selectors to sum. `type` is empty where a DataSource (`source`) says it."""

    selectors: tuple[Selector, ...]
    type: str = "Prometheus"
    source: Ref | None = None
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class RatioMetric:
    """Exactly one of `good`, `bad`."""

    total: Metric
    good: Metric | None = None
    bad: Metric | None = None
    counter: bool = True


@dataclass(frozen=True, slots=True)
class RawMetric:
    """A ratio computed elsewhere; with `failure` it is the bad share."""

    raw: Metric
    failure: bool = False


@dataclass(frozen=True, slots=True)
class ThresholdMetric:
    """A value that an objective's `op` and `value` judge."""

    metric: Metric


Measure = RatioMetric | RawMetric | ThresholdMetric


@dataclass(frozen=True, slots=True)
class Sli:
    """Kind SLI. An inline one may come without metadata."""

    metadata: Metadata | None
    measure: Measure
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Calendar:
    """`start` is wall time in the time zone `zone` (a name of the IANA database); it carries no tzinfo."""

    start: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Rolling without `calendar`."""

    duration: Duration
    calendar: Calendar | None = None
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Objective:
    """`target` is a ratio in (0, 1). `op` and `value` belong to a thresholdMetric, slices to a Timeslices method."""

    target: float
    display_name: str = ""
    op: Op | None = None
    value: float | None = None
    slice_target: float | None = None
    slice_window: Duration | None = None
    indicator: Sli | Ref | None = None
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AlertCondition:
    """Kind AlertCondition: a burn rate at or above `threshold` over `lookback`, for at least `alert_after`."""

    metadata: Metadata
    severity: str
    threshold: float
    lookback: Duration
    alert_after: Duration | None = None
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class NotificationTarget:
    """Kind AlertNotificationTarget; `target` is a word for the receiver: `email`, `slack`, `pagerduty` ..."""

    metadata: Metadata
    target: str
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """Kind AlertPolicy: one condition and whom it tells."""

    metadata: Metadata
    condition: AlertCondition | Ref
    targets: tuple[NotificationTarget | Ref, ...]
    when_no_data: bool = False
    when_resolved: bool = False
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class SloDocument:
    """Kind SLO. `indicator` is None when every objective has its own."""

    metadata: Metadata
    service: str
    indicator: Sli | Ref | None
    window: TimeWindow
    objectives: tuple[Objective, ...]
    method: Method = "Occurrences"
    alert_policies: tuple[AlertPolicy | Ref, ...] = ()
    description: str = ""
    service_place: Place = field(default=NOWHERE, compare=False)
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class DataSource:
    """Kind DataSource. `connection` is JSON text: it may hold secrets, so nothing prints it but the writer."""

    metadata: Metadata
    type: str
    connection: str = field(default="{}", repr=False)
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Service:
    """Kind Service."""

    metadata: Metadata
    description: str = ""
    place: Place = field(default=NOWHERE, compare=False)


Document = SloDocument | Sli | AlertPolicy | AlertCondition | NotificationTarget | DataSource | Service


def kind_of(document: Document) -> Kind:
    """OpenSLO's word for what it is."""
    return KIND_OF[type(document)]


KIND_OF: dict[type[Document], Kind] = {
    SloDocument: "SLO",
    Sli: "SLI",
    AlertPolicy: "AlertPolicy",
    AlertCondition: "AlertCondition",
    NotificationTarget: "AlertNotificationTarget",
    DataSource: "DataSource",
    Service: "Service",
}


@dataclass(frozen=True, slots=True)
class Documents:
    """Every document of some files, by kind, each in the order read. Names are unique within a kind."""

    slos: tuple[SloDocument, ...] = ()
    slis: tuple[Sli, ...] = ()
    alert_policies: tuple[AlertPolicy, ...] = ()
    alert_conditions: tuple[AlertCondition, ...] = ()
    notification_targets: tuple[NotificationTarget, ...] = ()
    data_sources: tuple[DataSource, ...] = ()
    services: tuple[Service, ...] = ()

    def __iter__(self) -> Iterator[Document]:
        """What is referred to comes before what refers to it."""
        yield from self.services
        yield from self.data_sources
        yield from self.notification_targets
        yield from self.alert_conditions
        yield from self.alert_policies
        yield from self.slis
        yield from self.slos

    def __len__(self) -> int:
        return sum(1 for _ in self)
