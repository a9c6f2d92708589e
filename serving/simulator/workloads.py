"""Workloads as columns: a trace, a generated day, or classes of requests as the load generator draws them.

Requests of a class come from `serving.loadgen.schedule`: a simulation is offered what the platform would be. The
512-token blocks by which the load generator names shared text become KV blocks here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np

from serving.errors import BadInput
from serving.loadgen.classes import CLASSES, class_named
from serving.loadgen.model import TraceRow
from serving.loadgen.plan import LengthPlan, Plan, PrefixPlan
from serving.loadgen.schedule import build_schedule
from serving.loadgen.traces import MOONCAKE_BLOCK_TOKENS
from serving.simulator.columns import Workload
from serving.simulator.model import NS
from serving.simulator.trace_workload import MAX_REQUESTS
from serving.simulator.traffic import generated

MIXED_RPS: Mapping[str, float] = MappingProxyType({"chat": 6.0, "rag": 1.5, "agent": 2.5})
"""The shares of `mixed`: what `--rate` scales."""
CLASS_NAMES = tuple(one.name for one in CLASSES)


@dataclass(frozen=True, slots=True)
class ClassLoad:
    """One class of requests: how long, how often, how even (`cv` 1 is Poisson), which priority (lower goes first)."""

    name: str
    prompt_tokens: LengthPlan
    output_tokens: LengthPlan
    rate_rps: float
    cv: float = 1.0
    priority: int = 0
    prefixes: PrefixPlan | None = None


def known_class(name: str, *, rate_rps: float, cv: float = 1.0, priority: int = 0) -> ClassLoad:
    """One of the load generator's classes. Raises BadInput, listing them."""
    found = class_named(name)
    return ClassLoad(name, found.prompt_tokens, found.output_tokens, rate_rps, cv, priority, found.prefixes)


def mixed(*, rate_rps: float | None = None, cv: float = 1.0) -> tuple[ClassLoad, ...]:
    """Chat, documents and agents together, `rate_rps` in all."""
    factor = 1.0 if rate_rps is None else rate_rps / sum(MIXED_RPS.values())
    return tuple(known_class(name, rate_rps=rps * factor, cv=cv) for name, rps in MIXED_RPS.items())


def class_workload(
    loads: Sequence[ClassLoad], *, duration_s: float, seed: int, block_tokens: int = 16, requests: int | None = None
) -> Workload:
    """All classes in order of arrival, the first `requests` of them when given. Class k is drawn with seed + k, so a
    single one is what the load generator sends with that seed. Raises BadInput where none arrives, or too many.
    """
    if (expected := sum(load.rate_rps for load in loads) * duration_s) > MAX_REQUESTS:
        raise BadInput(f"{expected:,.0f} requests are too many to simulate: lower --rate or --duration")
    rows = [
        (row, number)
        for number, load in enumerate(loads)
        for row in _rows(load, number, duration_s=duration_s, seed=seed + number)
    ]
    rows.sort(key=lambda pair: pair[0].at_s)
    said = " and ".join(f"{load.name} {load.rate_rps:g}/s" for load in loads)
    return columns(
        f"generated {said}, seed {seed}",
        [row for row, _ in rows[:requests]],
        block_tokens,
        klass=[number for _, number in rows[:requests]],
        loads=loads,
    )


def _rows(load: ClassLoad, number: int, *, duration_s: float, seed: int) -> list[TraceRow]:
    plan = Plan(
        url="http://localhost",
        out=Path(),
        seed=seed,
        duration_s=duration_s,
        rate_rps=load.rate_rps,
        cv=load.cv,
        prompt_tokens=load.prompt_tokens,
        output_tokens=load.output_tokens,
        prefixes=load.prefixes,
    )
    return [
        TraceRow(one.offset_s, one.prompt_tokens, one.max_tokens, tuple(_of_class(id_, number) for id_ in one.hash_ids))
        for one in build_schedule(plan).requests
    ]


def _of_class(name: int, number: int) -> int:
    """Another name in each class: they share nothing."""
    return name + (number << 80)


def day_workload(*, rate_rps: float, duration_s: float, seed: int) -> Workload:
    """The generated day of `sre autoscale compare`: nothing is shared between prompts."""
    traffic = generated(rate_rps=rate_rps, duration_s=duration_s, seed=seed)
    if not traffic.arrivals:
        raise BadInput(f"no request arrives within {duration_s:g} s: raise --rate or --duration")
    rows = [TraceRow(one.at_ns / NS, one.prompt_tokens, one.output_tokens) for one in traffic.arrivals]
    return columns(traffic.title, rows, 16)


def columns(
    title: str,
    rows: Sequence[TraceRow],
    block_tokens: int,
    *,
    klass: Sequence[int] = (),
    loads: Sequence[ClassLoad] = (),
) -> Workload:
    """Rows in order of time as a workload. Without `klass` all are of one class."""
    n = len(rows)
    numbers = np.asarray(klass, np.int16) if klass else np.zeros(n, np.int16)
    priorities = np.asarray([load.priority for load in loads] or [0], np.int16)
    shares = any(row.hash_ids for row in rows)
    return Workload(
        title=title,
        at_ns=np.fromiter((round(row.at_s * NS) for row in rows), np.int64, n),
        prompt_tokens=np.fromiter((row.prompt_tokens for row in rows), np.int32, n),
        output_tokens=np.fromiter((row.output_tokens for row in rows), np.int32, n),
        priority=priorities[numbers],
        klass=numbers,
        classes=tuple(load.name for load in loads) or ("all",),
        prefix=kv_blocks(rows, block_tokens) if shares else None,
        prefix_block_tokens=block_tokens,
    )


def kv_blocks(rows: Sequence[TraceRow], block_tokens: int) -> tuple[tuple[int, ...], ...]:
    """Names of each prompt's whole KV blocks: a 512-token block of the trace becomes its parts, numbered in order of
    first use. Raises BadInput unless `block_tokens` divides 512. Each name is one object, however often it is shared.
    """
    parts, rest = divmod(MOONCAKE_BLOCK_TOKENS, block_tokens)
    if rest:
        raise BadInput(
            f"KV blocks of {block_tokens} tokens do not divide the {MOONCAKE_BLOCK_TOKENS}-token blocks by "
            "which shared text is named: use a profile whose block_size_tokens does"
        )
    names: dict[int, tuple[int, ...]] = {}
    found = []
    for row in rows:
        for block in row.hash_ids:
            if block not in names:
                names[block] = tuple(range(len(names) * parts, (len(names) + 1) * parts))
        whole = row.prompt_tokens // block_tokens
        found.append(tuple(name for block in row.hash_ids for name in names[block])[:whole])
    return tuple(found)
