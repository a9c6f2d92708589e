"""The performance report, made: what is measured first (the platform is up for it), then what is simulated."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.cost.model import Price
from sre.gameday.measure.bench import Bench
from sre.gameday.measure.machine import load_words, machine_facts
from sre.gameday.measure.pacing import Pacing
from sre.gameday.measure.parts import PARTS, Asked, expected_s
from sre.gameday.progress import Progress
from sre.platforms.local.work import vllm_absent
from sre.reports.performance.model import PerformanceReport, RunOptions, Section

Prices = Callable[[str], Price]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a report needs beside its options: where the platform may live, what a GPU costs, what time it is."""

    state_dir: Path
    price_of: Prices
    progress: Progress
    now: Callable[[], float] = time.time


def build_report(options: RunOptions, around: Surroundings, *, command: str) -> PerformanceReport:
    """Every section asked for. Raises SreError; no process is left running in any case."""
    parts = [key for key in PARTS if key in options.sections]
    no_vllm = vllm_absent() if options.measured else "nothing was measured"
    expected = {PARTS[key].title: expected_s(key, options, with_vllm=no_vllm is None) for key in parts}
    pacing = Pacing(around.progress, expected)
    machine = machine_facts() if options.measured else None
    began_at = around.now() if options.measured else None
    if options.measured:
        pacing.note(f"{machine}; {load_words()}")
    asked = Asked(options, Bench(around.state_dir, pacing), machine, no_vllm, around.price_of)
    try:
        sections = tuple(_sections(parts, asked, pacing))
    except BaseException:
        pacing.fail()
        raise
    return PerformanceReport(
        options=options,
        command=command,
        sections=sections,
        machine=machine,
        began_at=began_at,
        ended_at=around.now() if options.measured else None,
    )


def _sections(parts: Sequence[str], asked: Asked, pacing: Pacing) -> Iterator[Section]:
    for key in parts:
        pacing.part(PARTS[key].title)
        yield PARTS[key].build(asked)
    pacing.over()
