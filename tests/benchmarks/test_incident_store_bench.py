"""Ten thousand incidents in a store: listing, aggregating, appending, verifying. Printed, never asserted.

CPU seconds are this process's: on a busy machine they say more than the clock's.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sre.incidents.events import Draft, ItemSet, Linked, Measured, MilestoneMark, Observed, Opened, StatusSet
from sre.incidents.milestones import NAMES
from sre.incidents.statistics import summarise
from sre.incidents.store import open_store

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]
INCIDENTS, APPENDS = 10_000, 300
CLUSTER = Path(__file__).parents[1] / "integration" / "postgres_cluster.py"


def incident(number, rng):
    """Twelve events, as a drill leaves them without its timeline."""
    at = 1.79e9 + number * 3600.0

    def draft(payload, later=0.0):
        return Draft(at + later, payload, "llm-1 exited: the supervisor saw it", "events.jsonl", "sre gameday")

    marks = [draft(MilestoneMark(name, at + rng.expovariate(0.1)), 1.0) for name in NAMES[:7]]
    figures = {"requests": "230", "requests_failed": str(rng.randint(0, 9)), "cost_usd": f"{rng.random():.6f}"}
    return (
        draft(Opened("A crash loses no request", "drill", "SEV3", f"report-{number}", "llm-gateway", "EXP-001")),
        *marks,
        draft(Measured(figures)),
        draft(Linked("report", f"reports/{number}", sha256="ab" * 32)),
        draft(ItemSet("A1", "more memory", "ada", None, "2026-12-01", "open")),
        draft(StatusSet("resolved"), 60.0),
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def where(request, tmp_path):
    if request.param == "sqlite":
        yield str(tmp_path / "incidents.sqlite")
        return
    spec = importlib.util.spec_from_file_location("postgres_cluster", CLUSTER)
    postgres = sys.modules["postgres_cluster"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(postgres)
    binaries = postgres.find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    with postgres.cluster(binaries) as server:
        yield server.url(server.new_database())


def test_ten_thousand_incidents(where, request):
    rng = random.Random(1)
    with closing(open_store(where)) as store:
        filling = timed(lambda: [store.open(*incident(number, rng)) for number in range(INCIDENTS)])
        listing, heads = best_of(3, store.heads)
        aggregating, _ = best_of(3, lambda: summarise(store.heads(), now=1.83e9))
        actions, _ = best_of(3, store.items)
        opening, _ = best_of(3, lambda: open_store(where).close())
        appending = timed(lambda: [store.append("INC-0001", [one_more()]) for _ in range(APPENDS)])
        verifying, found = best_of(1, store.verify)
        case, _ = best_of(3, lambda: store.case("INC-0777"))
    assert (len(heads), found.problems) == (INCIDENTS, ())
    print(
        f"\n{request.node.callspec.id}: {INCIDENTS:,} incidents, {found.events:,} events\n"
        f"  list {words(listing)}, list and aggregate {words(aggregating)}, actions {words(actions)}\n"
        f"  one incident {case[0] * 1000:.1f} ms, open the store {opening[0] * 1000:.0f} ms\n"
        f"  incidents opened {INCIDENTS / filling:.0f} a second ({12 * INCIDENTS / filling:.0f} events), "
        f"single events {APPENDS / appending:.0f} a second\n"
        f"  verify {words(verifying)}, {verifying[1] / found.events * 1e6:.0f} us of CPU an event"
    )


def words(took):
    return f"{took[0]:.3f} s ({took[1]:.3f} s CPU)"


def one_more():
    return Draft(1.8e9, Observed("note"), "llm-1 is hot", "sre incident", "ada")


def timed(do):
    begin = time.perf_counter()
    do()
    return time.perf_counter() - begin


def best_of(times, do):
    """(seconds, CPU seconds) of the fastest, and what it gave."""
    took = []
    for _ in range(times):
        begin, cpu = time.perf_counter(), time.process_time()
        result = do()
        took.append((time.perf_counter() - begin, time.process_time() - cpu))
    return min(took), result
