"""What is told of a GPU profile, and of one that was fitted to a log; in words and numbers of no engine's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ErrorStated:
    """How far a profile may be off; `words` is the same in one line. Percentages are either way, None: not tested.

    `outside` is a sentence on what may be further off than that; empty: nothing is known to be.
    """

    words: str
    basis: str
    step_time_pct: float | None = None
    mean_pct: float | None = None
    p99_pct: float | None = None
    outside: str = ""


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """One line of the list. `refusal` says why its GPUs cannot hold it; then the figures are 0."""

    name: str
    model: str
    gpu: str
    gpus: int
    tensor_parallel: int
    pipeline_parallel: int
    kv_tokens: int = 0
    max_model_len: int = 0
    decode_1_ms: float = 0.0
    decode_64_ms: float = 0.0
    prefill_ms: float = 0.0
    error: ErrorStated | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Step times in ms: of decodes by sequences (columns: context tokens of each), of prefills and of both by tokens.

    `mixed_decodes` is how many decodes the mixed batches have.
    """

    sequences: tuple[int, ...]
    contexts_tokens: tuple[int, ...]
    decode_ms: tuple[tuple[float, ...], ...]
    tokens: tuple[int, ...]
    prefill_ms: tuple[float, ...]
    mixed_ms: tuple[float, ...]
    mixed_decodes: int


@dataclass(frozen=True, slots=True)
class ProfileShown:
    """One profile: the list's line, its sources, (label, value) lines for a reader, and its step times."""

    entry: ProfileEntry
    quantization: str
    source: str
    lines: tuple[tuple[str, str], ...]
    steps: StepTimes


@dataclass(frozen=True, slots=True)
class Compared:
    """One statistic: measured, simulated, and by how much the simulation is too long, in percent."""

    measure: str
    statistic: str
    measured: float
    simulated: float
    error_pct: float


@dataclass(frozen=True, slots=True)
class FittedLog:
    """One log under the fitted profile, on the part that was fitted and on the one that was not.

    `rate_rps` None: all requests came at once.
    """

    title: str
    requests: int
    skipped_lines: int
    rate_rps: float | None
    part: str
    preemptions: int
    fitted: tuple[Compared, ...]
    tested: tuple[Compared, ...]


@dataclass(frozen=True, slots=True)
class ProfileFit:
    """A fit: `document` is the profile's file; errors are the worst of the tested parts, in percent."""

    name: str
    document: str
    parameters: Mapping[str, float]
    logs: tuple[FittedLog, ...]
    mean_error_pct: float
    p99_error_pct: float
    evaluations: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TriedLog:
    """One log under a profile: `judged` says over which requests `compared` is.

    `warnings` say what makes the profile one of another engine, `notes` which limits were used and what the replay
    leaves out. `is_exact`: by the scheduler itself.
    """

    title: str
    requests: int
    skipped_lines: int
    rate_rps: float | None
    judged: str
    preemptions: int
    is_exact: bool
    compared: tuple[Compared, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProfileTrial:
    """A profile against logs; errors are the worst of all, in percent, and `within` says whether both limits hold."""

    profile: str
    error: ErrorStated
    logs: tuple[TriedLog, ...]
    mean_error_pct: float
    p99_error_pct: float
    mean_limit_pct: float
    p99_limit_pct: float
    within: bool
