"""The load of a rehearsal as the load generator would have left it: `requests.jsonl` and `workload.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.loadgen.model import RequestRecord
from serving.loadgen.plan import parse_plan
from serving.loadgen.records import RecordWriter
from serving.loadgen.schedule import build_schedule
from serving.loadgen.workload import describe, run_facts, write_workload
from sre.platforms.local.errors import serving_errors_as_ours


def write_load(folder: Path, load: Mapping[str, Any], records: Sequence[RequestRecord], *, wall_s: float) -> None:
    """Both files into `folder`. `wall_s` is virtual; the generator costs no CPU time here. Raises SreError."""
    with serving_errors_as_ours():
        plan = parse_plan(json.dumps({**load, "out": str(folder)}), where="plan of the load")
        facts = run_facts(records, wall_s=wall_s, cpu_s=0.0, interrupted=False)
        document = describe(plan, build_schedule(plan), facts)
        write_workload(folder, document)
        with RecordWriter(folder) as writer:
            for record in records:
                writer.write(record)
