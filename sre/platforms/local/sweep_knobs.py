"""What a sweep may vary, and what a setting makes of a request."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sre.errors import SreError
from sre.platforms.simulation import GENERATED, Knob, SimulationRequest

Settings = tuple[tuple[str, str], ...]
MOST_POINTS = 10_000
_ROUTINGS = ("affinity", "least_outstanding", "round_robin")


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 1_000_000:
        raise ValueError("write a whole number above 0")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise ValueError("write a number above 0")
    return value


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("write a whole number")
    return int(text)


def _policy(text: str) -> Path | None:
    """A file; `none` is a fleet of fixed size."""
    return None if text == "none" else Path(text)


def _word(words: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"write one of {', '.join(words)}")
        return text

    return read


_FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = MappingProxyType(
    {
        "replicas": ("replicas", _whole),
        "profile": ("profile", str),
        "max_num_seqs": ("max_num_seqs", _whole),
        "max_num_batched_tokens": ("max_num_batched_tokens", _whole),
        "routing": ("routing", _word(_ROUTINGS)),
        "policy": ("policy", _policy),
        "rate": ("rate_rps", _number),
        "cv": ("burstiness_cv", _number),
        "workload": ("workload", _word(GENERATED)),
        "cold_start": ("cold_start_s", _number),
        "seed": ("seed", _seed),
    }
)
_PARALLEL = MappingProxyType({"tp": "tensor", "pp": "pipeline"})
KNOBS = (*_FIELDS, *_PARALLEL)


def require_knobs(knobs: Sequence[Knob]) -> None:
    """Raise SreError, one line, for an unknown or repeated knob or a value that it cannot have."""
    if not knobs:
        raise SreError(f"nothing varies: give --vary NAME=VALUE,VALUE with one of {', '.join(KNOBS)}")
    for number, knob in enumerate(knobs):
        if knob.name not in KNOBS:
            raise SreError(f"--vary {knob.name}: there is no such knob: use one of {', '.join(KNOBS)}")
        if not knob.values:
            raise SreError(f"--vary {knob.name}: has no values: write {knob.name}=A,B")
        if any(other.name == knob.name for other in knobs[:number]) or len(set(knob.values)) < len(knob.values):
            raise SreError(f"--vary {knob.name}: stands there twice, or has a value twice: keep one")
        for value in knob.values:
            _require_value(knob.name, value)


def _require_value(name: str, value: str) -> None:
    read = _whole if name in _PARALLEL else _FIELDS[name][1]
    try:
        found = read(value)
        if isinstance(found, Path) and not found.is_file():
            raise ValueError("is no file: name a policy, or none")
    except ValueError as error:
        raise SreError(f"--vary {name}: {value!r}: {error}") from error


def changed(base: SimulationRequest, settings: Settings, folder: Path = Path()) -> SimulationRequest:
    """The request with these settings, whose paths are relative to `folder`.

    Raises SreError where a profile has no such parallelism.
    """
    request = base
    for name, value in settings:
        if name not in _PARALLEL:
            field, read = _FIELDS[name]
            found: Any = read(value)
            found = folder / found if isinstance(found, Path) else found
            request = replace(request, **{field: found})
            if name == "workload":
                request = replace(request, trace=None)
            if (name, value) == ("policy", "none"):
                request = replace(request, no_policy=True)
    for name, value in settings:
        if name in _PARALLEL:
            request = replace(request, profile=_parallel(request.profile or _of_scenario(request), name, int(value)))
    return request


def _of_scenario(request: SimulationRequest) -> str | None:
    """The profile that the scenario file gives its first group."""
    from serving.simulator.scenario_file import load_scenario
    from sre.platforms.local.errors import faults_one_by_one

    if request.scenario is None:
        return None
    with faults_one_by_one():
        return load_scenario(request.scenario).groups[0].profile


def _parallel(profile: str | None, name: str, gpus: int) -> str:
    """The profile of the same model and GPU at another parallelism, by the names the shipped ones have."""
    if profile is None:
        raise SreError(f"{name}={gpus}: give --profile, or vary it: the parallelism is part of a profile's name")
    if (name, gpus) == ("pp", 1):
        return re.sub(r"-pp\d+(?=-|$)", "", profile)
    changed_name, count = re.subn(rf"-{name}\d+(?=-|$)", f"-{name}{gpus}", profile)
    if count:
        return changed_name
    if gpus == 1:
        return profile
    if name == "pp":
        return re.sub(r"(-tp\d+)", rf"\g<1>-pp{gpus}", profile) if "-tp" in profile else f"{profile}-pp{gpus}"
    raise SreError(f"{name}={gpus}: profile {profile!r} names no {_PARALLEL[name]} parallelism")


def grid(knobs: Sequence[Knob]) -> list[Settings]:
    """Every combination, the last knob varying fastest."""
    named = [[(knob.name, value) for value in knob.values] for knob in knobs]
    return list(itertools.product(*named))


def size(knobs: Sequence[Knob]) -> int:
    """How many combinations there are."""
    return math.prod(len(knob.values) for knob in knobs)


def drawn(knobs: Sequence[Knob], trials: int, *, seed: int) -> list[Settings]:
    """`trials` different combinations, in the grid's order; all of them where there are no more."""
    total = size(knobs)
    rng = random.Random(f"{seed}/sweep")  # noqa: S311  (a search, not a secret)
    chosen = sorted(rng.sample(range(total), min(trials, total)))
    return [_numbered(knobs, number) for number in chosen]


def _numbered(knobs: Sequence[Knob], number: int) -> Settings:
    """The grid's combination of that number, without laying out the grid."""
    settings: list[tuple[str, str]] = []
    for knob in reversed(knobs):
        number, index = divmod(number, len(knob.values))
        settings.append((knob.name, knob.values[index]))
    return tuple(reversed(settings))
