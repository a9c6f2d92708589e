"""From a simulation to its report: SLOs from its samples, alerts against its faults, an incident as a drill's would be.

The evidence is turned into what `sre.incidents` reads, so that a simulated incident is told, timed and graded by the
very code that does it for a drill. An alert is of the fault during which it fired, or within one long window after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from sre.cost.model import Price
from sre.errors import BadDocument
from sre.incidents.build import build_incident
from sre.incidents.durations import durations
from sre.incidents.impact import measure
from sre.incidents.milestones import milestones
from sre.incidents.model import ClientRecord, FaultWindow, Incident, Observation, PlatformEvent
from sre.platforms.simulation import EPOCH, RequestColumns, SimulatedFault, Simulation
from sre.reports.simulation.model import SOURCE, FaultStory, LabelledAlert, SimulationReport
from sre.reports.simulation.money import bill_of
from sre.reports.simulation.samples import source_of
from sre.slo.evaluate import evaluate
from sre.slo.model import Alert, DrillClock, Slo, SloResult
from sre.slo.tiers import tiers_of

_MOST_RECORDS = 200_000
_COMPONENT_OF = MappingProxyType(
    {"surge": "traffic", "autoscaler_down": "autoscaler", "metrics_loss": "recorder", "poison": "traffic"}
)


def judged(
    simulation: Simulation, *, slos: Sequence[Slo], book: Sequence[Price], noticed: Sequence[PlatformEvent] = ()
) -> SimulationReport:
    """`slos` are evaluated where the simulation has samples; `noticed` is what the gateway's samples tell of replicas.

    Raises SreError for a clock too fast for the scrapes.
    """
    clock_factor = simulation.drill_clock
    results = _results(simulation, slos, DrillClock(clock_factor)) if simulation.series else ()
    windows = tuple(_window(number, fault) for number, fault in enumerate(simulation.faults))
    events = _events(simulation, noticed)
    records = client_records(simulation.requests, windows, _limits(simulation)) if windows else ()
    try:
        bill, no_bill = bill_of(simulation.summary, book), ""
    except BadDocument as error:
        bill, no_bill = None, str(error)
    return SimulationReport(
        simulation=simulation,
        clock_factor=clock_factor,
        results=results,
        alerts=_labelled(results, windows, DrillClock(clock_factor)),
        stories=tuple(_story(window, simulation, events, results, records) for window in windows),
        incident=_incident(simulation, events, results, windows, records),
        bill=bill,
        no_bill=no_bill,
        book=tuple(book),
    )


def _results(simulation: Simulation, slos: Sequence[Slo], clock: DrillClock) -> tuple[SloResult, ...]:
    with source_of(simulation) as source:
        return tuple(
            evaluate(
                slo,
                source,
                start=simulation.start,
                end=simulation.end,
                clock=clock,
                step_s=simulation.scrape_interval_s,
            )
            for slo in slos
        )


def _window(number: int, fault: SimulatedFault) -> FaultWindow:
    end = None if fault.end_s is None else EPOCH + fault.end_s
    component = _COMPONENT_OF.get(fault.kind)
    return FaultWindow(
        fault_id=f"simulated-{number + 1}",
        fault=fault.kind.replace("_", "-"),
        target=fault.target if component is None else component,
        begin=EPOCH + fault.begin_s,
        end=end,
        proven=True,
        proof="injected into the simulation",
        replicas=fault.replicas,
        components=() if component is None else (component,),
        undone_at=end,
        undone_by=None if end is None else SOURCE,
    )


def _labelled(
    results: Sequence[SloResult], windows: Sequence[FaultWindow], clock: DrillClock
) -> tuple[LabelledAlert, ...]:
    found = []
    for result in results:
        long_s = {tier.name: clock.compress(tier.long_s) for tier in tiers_of(result.slo)}
        for alert in result.alerts:
            number = _fault_of(alert, windows, long_s.get(alert.tier, 0.0))
            delay_s = None if number is None else alert.fired_at - windows[number].begin
            reset_s = None if alert.reset_at is None else alert.reset_at - EPOCH
            found.append(
                LabelledAlert(alert.slo, alert.tier, alert.severity, alert.fired_at - EPOCH, reset_s, number, delay_s)
            )
    return tuple(sorted(found, key=lambda one: (one.fired_s, one.slo, one.tier)))


def _fault_of(alert: Alert, windows: Sequence[FaultWindow], long_s: float) -> int | None:
    """The last one that had begun and was not long over."""
    concerned = [
        number
        for number, window in enumerate(windows)
        if window.begin <= alert.fired_at and (window.end is None or alert.fired_at <= window.end + long_s)
    ]
    return max(concerned, key=lambda number: windows[number].begin, default=None)


def _limits(simulation: Simulation) -> Observation:
    return Observation(
        start=simulation.start,
        end=simulation.end,
        primary_source=SOURCE,
        ttft_limit_s=simulation.ttft_threshold_s,
    )


def _events(simulation: Simulation, noticed: Sequence[PlatformEvent]) -> tuple[PlatformEvent, ...]:
    """The fleet's own, and what was noticed; faults are told by their windows."""
    own = [
        PlatformEvent(EPOCH + one.at_s, one.event, one.replica, one.note, SOURCE)
        for one in simulation.events
        if not one.event.startswith("fault_")
    ]
    return tuple(sorted([*own, *noticed], key=lambda event: event.at))


def _story(
    window: FaultWindow,
    simulation: Simulation,
    events: Sequence[PlatformEvent],
    results: Sequence[SloResult],
    records: Sequence[ClientRecord],
) -> FaultStory:
    watched = _limits(simulation)
    marks = milestones(window, events=events, results=results, records=records, observation=watched)
    return FaultStory(window, marks, durations(marks), measure(records, window, watched))


def _incident(
    simulation: Simulation,
    events: Sequence[PlatformEvent],
    results: Sequence[SloResult],
    windows: Sequence[FaultWindow],
    records: Sequence[ClientRecord],
) -> Incident | None:
    if not windows:
        return None
    return build_incident(
        incident_id=f"simulated-{hashlib.sha256(simulation.document.encode()).hexdigest()[:10]}",
        title=f"{simulation.title} (simulated)",
        faults=windows,
        events=events,
        journal=None,
        results=results,
        records=records,
        observation=_limits(simulation),
        clock_factor=simulation.drill_clock,
    )


def client_records(
    requests: RequestColumns, windows: Sequence[FaultWindow], watched: Observation
) -> tuple[ClientRecord, ...]:
    """The requests as their clients saw them. Of a run with more than 200,000 those that a fault may concern: what was
    in flight during one, what failed, what was slow, and some that went well after each failure.
    """
    rows = np.arange(len(requests))
    if len(rows) > _MOST_RECORDS:
        rows = rows[_concerned(requests, windows, watched)]
    return tuple(_record(requests, int(row)) for row in rows)


def _concerned(
    requests: RequestColumns, windows: Sequence[FaultWindow], watched: Observation
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    ok = requests.outcome == requests.outcomes.index("ok")
    slow = (requests.first_s - requests.at_s) > (watched.ttft_limit_s or np.inf)
    keep = ~ok | slow
    for window in windows:
        end = np.inf if window.end is None else window.end - EPOCH
        keep |= (requests.at_s < end) & (np.nan_to_num(requests.ended_s, nan=np.inf) >= window.begin - EPOCH)
    keep[np.arange(0, len(keep), 100)] = True
    return np.asarray(keep)


def _record(requests: RequestColumns, row: int) -> ClientRecord:
    replica = int(requests.replica[row])
    names = () if replica < 0 else (requests.replicas[replica],)
    tried = int(requests.attempts[row])
    at = EPOCH + float(requests.at_s[row])
    ended = float(requests.ended_s[row])
    return ClientRecord(
        id=f"r{row:06d}",
        scheduled_at=at,
        sent_at=at,
        first_token_at=_instant(float(requests.first_s[row])),
        last_token_at=_instant(float(requests.last_s[row])),
        finished_at=at if np.isnan(ended) else EPOCH + ended,
        prompt_tokens=int(requests.prompt_tokens[row]),
        output_tokens=int(requests.emitted[row]),
        max_gap_s=None if np.isnan(requests.longest_gap_s[row]) else float(requests.longest_gap_s[row]),
        outcome=requests.outcomes[int(requests.outcome[row])],
        replicas=names if tried < 2 else (*("another",) * (tried - 1), *names),
        line=row + 1,
    )


def _instant(seconds: float) -> float | None:
    return None if np.isnan(seconds) else EPOCH + seconds
