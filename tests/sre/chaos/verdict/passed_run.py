"""A run that passed, as a journal and a ledger, and ways to change one thing about it.

It begins at 100 s and ends at 120 s; its fault is begun at 102, proven at 103, undone at 110, over at 112.
"""

from datetime import UTC, datetime

from sre.chaos.leases.ledger import LedgerRecord
from sre.chaos.verdict import Evidence, examine, judge

TITLE = "A replica crash loses no request"
ACTIONS = "sre.chaos.actions"
RUN = "r-1"
BEGIN, END = 100.0, 120.0


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def activity(name, func=None, module=ACTIONS, kind="action", **more):
    return {"name": name, "type": kind, "provider": {"type": "python", "module": module, "func": func or name}, **more}


PROBES = [activity("availability", module="sre.chaos.probes", kind="probe", tolerance=[0.99, 1.0])]
METHOD = [activity("crash it", "crash_replica"), activity("heal it", "heal_faults")]
ROLLBACKS = [activity("heal all", "heal_faults")]


def played(what, status="succeeded", start=102.0, end=104.0, **more):
    return {"activity": what, "output": None, "start": at(start), "end": at(end), "status": status, **more}


def failed(what, why, **more):
    return played(what, "failed", exception=[f"chaoslib.exceptions.ActivityFailed: {why}\n"], **more)


def probe(output=1.0, met=True, what=PROBES[0], **more):
    return {**played(what, output=output), "tolerance_met": met, **more}


def state(*probes, met=True):
    return {"steady_state_met": met, "probes": list(probes) or [probe()]}


def unmet(output=0.5):
    return state(probe(output, met=False), met=False)


def states(before=None, after=None, during=()):
    return {"before": before or state(), "after": after or state(), "during": list(during)}


def experiment(**changes):
    return {
        "title": TITLE,
        "controls": [{"name": "ours", "provider": {"type": "python", "module": "sre.chaos.control"}}],
        "steady-state-hypothesis": {"title": "it holds", "probes": PROBES},
        "method": METHOD,
        "rollbacks": ROLLBACKS,
        "dry": None,
        **changes,
    }


def journal(method=None, rollbacks=None, **changes):
    """The journal of the passed run, with some of its parts changed."""
    crash = played(METHOD[0], output={"fault_id": "f-1", "proof": "gone"})
    return {
        "chaoslib-version": "1.0",
        "node": "host",
        "experiment": experiment(),
        "start": at(BEGIN),
        "end": at(END),
        "duration": END - BEGIN,
        "status": "completed",
        "deviated": False,
        "steady_states": states(),
        "run": [crash, played(METHOD[1], start=109, end=112)] if method is None else method,
        "rollbacks": [played(ROLLBACKS[0], start=115, end=116)] if rollbacks is None else rollbacks,
        **changes,
    }


def record(seconds, event, fault_id="", run=RUN, **detail):
    """A line of the ledger; lines of a fault but its first name no run."""
    named = {} if run is None or (fault_id and event != "fault_begin") else {"run": run}
    fault = ("replica-crash", "llm-1") if fault_id else ("", "")
    return LedgerRecord(seconds, event, fault_id, *fault, {**named, **detail})


def fault(*, begin=102.0, proven=103.0, undone=110.0, by="run", end=112.0, fault_id="f-1", deadline=160.0, run=RUN):
    """The lines of one fault; None leaves one out."""
    plan = {"replicas": ["llm-1"], "components": [], "handles": {}}
    lines = [
        record(begin, "fault_begin", fault_id, run=run, plan=plan, deadline_at=deadline),
        proven and record(proven, "fault_proven", fault_id, how="its process is gone"),
        undone and record(undone, "fault_undone", fault_id, by=by),
        end and record(end, "fault_end", fault_id, how="well again"),
    ]
    return [line for line in lines if line]


def begin(seconds=100.1, run=RUN, pid=7, title=TITLE):
    return record(seconds, "run_begin", run=run, pid=pid, title=title, deadline_at=220.0)


def look(met=True, value=1.0, **changes):
    """What our control writes of the steady state after the rollbacks."""
    read = [{"name": "availability", "value": value, "tolerance_met": met}]
    return {"met": met, "probes": read, "waited_s": 2.0, **changes}


def ledger(*, faults=None, after=None, more=(), end=119.9):
    """The ledger of the passed run; `after=False` leaves the look after the rollbacks out, `end=None` the run's end."""
    last = [] if after is False else [record(119.0, "steady_after_rollbacks", pid=7, **(after or look()))]
    ended = [] if end is None else [record(end, "run_end", pid=7, title=TITLE, status="completed", deviated=False)]
    lines = [begin(), *(fault() if faults is None else faults), *more, *last, *ended]
    return tuple(sorted(lines, key=lambda line: line.at))


def judged(journal_=None, ledger_=None, returncode=0, **more):
    return judge(
        Evidence(
            journal() if journal_ is None else journal_, ledger() if ledger_ is None else ledger_, returncode, **more
        )
    )


def examined(journal_=None, ledger_=None, returncode=0, **more):
    return examine(
        Evidence(
            journal() if journal_ is None else journal_, ledger() if ledger_ is None else ledger_, returncode, **more
        )
    )
