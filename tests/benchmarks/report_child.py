"""What the report benchmark measures, in a process of its own so that its memory is its own.

`python report_child.py write FOLDER`: from the raw files of a drill to every document of its folder.
`python report_child.py rebuild FOLDER`: the post-incident report again from report.json and the files.
`python report_child.py parse FOLDER`: only json.loads of each line of requests.jsonl, the yardstick.
Prints one JSON object: seconds of each stage, CPU seconds of the process, and the peak of resident memory in MB.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

_BEGAN = time.perf_counter()


def parse(folder: Path) -> dict[str, float]:
    with (folder / "requests.jsonl").open(encoding="utf-8") as stream:
        count = sum(1 for line in stream if json.loads(line))
    return {"lines": float(count)}


def write(folder: Path) -> dict[str, float]:
    from dataclasses import replace

    from sre.chaos.leases.ledger import read_ledger
    from sre.gameday.records import latency_summaries, request_points
    from sre.incidents.build import build_incident
    from sre.incidents.evidence import (
        parse_journal,
        parse_platform_events,
        read_client_records,
        read_jsonl,
        read_object,
    )
    from sre.incidents.model import Observation
    from sre.reports.drill_case import drafts_of
    from sre.reports.drill_documents import write_drill_documents
    from sre.reports.json_report import load_report
    from sre.reports.ledger_faults import incident_faults
    from sre.reports.rebuild import without_store

    times = {"imports": time.perf_counter() - _BEGAN}
    began = time.perf_counter()
    frame = load_report(folder / "frame" / "report.json")
    faults = incident_faults(read_ledger(folder / "chaos.jsonl"))
    records = read_client_records(folder / "requests.jsonl")
    times["read"] = time.perf_counter() - began
    began = time.perf_counter()
    incident = build_incident(
        incident_id=frame.id,
        title=frame.title,
        faults=faults,
        events=parse_platform_events(read_jsonl(folder / "events.jsonl")),
        journal=parse_journal(read_object(folder / "journal.json")),
        results=frame.results,
        records=records,
        observation=Observation(frame.started_at, frame.ended_at, frame.primary_source, 0.05, 1.0),
    )
    points = request_points(records)
    latency = latency_summaries(points, fault=(faults[0].begin, faults[0].end))
    drill = replace(frame, incident=incident, requests=points, latency=latency, faults=faults)
    del records
    times["build"] = time.perf_counter() - began
    began = time.perf_counter()
    out = folder / "out"
    case = without_store(drafts_of(drill, out), "INC-0001")
    write_drill_documents(drill, out, case=case)
    times["write"] = time.perf_counter() - began
    return times


def rebuild(folder: Path) -> dict[str, float]:
    from sre.reports.rebuild import find
    from sre.reports.rebuild import rebuild as again

    times = {"imports": time.perf_counter() - _BEGAN}
    began = time.perf_counter()
    found = find(str(folder / "out"), None, folder)
    times["read"] = time.perf_counter() - began
    began = time.perf_counter()
    again(found, out=None, workspace=folder, costs_of=lambda *_: ())
    times["write"] = time.perf_counter() - began
    return times


if __name__ == "__main__":
    stages = {"parse": parse, "write": write, "rebuild": rebuild}[sys.argv[1]](Path(sys.argv[2]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cpu = time.process_time()
    print(json.dumps({**stages, "total": time.perf_counter() - _BEGAN, "cpu": cpu, "peak_mb": peak}))
