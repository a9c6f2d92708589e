"""The content of a profile file, as the rest of the code sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from serving.batching import SchedulerConfig, StepTimeModel

_KEY_AND_VALUE = 2


@dataclass(frozen=True, slots=True)
class KvMemory:
    """What of the GPU memory is left for KV blocks. Sizes in GB (1e9 bytes): memory and activations of one GPU, weights
    of the whole model.

    Tensor parallelism shares out the KV heads, but not below one a GPU (vLLM repeats them then); pipeline parallelism
    shares out the layers. `measured_blocks` are those an engine was seen to have; they go before the arithmetic.
    """

    hbm_gb: float
    utilization: float
    weights_gb: float
    activations_gb: float
    layers: int
    kv_heads: int
    head_dim: int
    bytes_per_value: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    measured_blocks: int | None = None

    @property
    def gpus(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def weights_gb_per_gpu(self) -> float:
        return self.weights_gb / self.gpus

    @property
    def kv_bytes_per_gpu(self) -> float:
        """Bytes left for KV on each GPU; below 0 when the weights do not even fit."""
        return (self.hbm_gb * self.utilization - self.weights_gb_per_gpu - self.activations_gb) * 1e9

    @property
    def kv_bytes(self) -> float:
        """The same over all GPUs of the replica."""
        return self.kv_bytes_per_gpu * self.gpus

    @property
    def bytes_per_token_per_gpu(self) -> int:
        layers = -(-self.layers // self.pipeline_parallel)
        heads = -(-self.kv_heads // self.tensor_parallel)
        return layers * heads * self.head_dim * _KEY_AND_VALUE * self.bytes_per_value

    @property
    def bytes_per_token(self) -> int:
        return self.bytes_per_token_per_gpu * self.gpus

    def blocks(self, block_size_tokens: int) -> int:
        """KV blocks of the replica: each block lies on all GPUs, a part on each."""
        if self.measured_blocks is not None:
            return self.measured_blocks
        return int(self.kv_bytes_per_gpu // (self.bytes_per_token_per_gpu * block_size_tokens))


Basis = Literal["planning", "fitted", "calibrated"]
BASES: tuple[Basis, ...] = ("planning", "fitted", "calibrated")


@dataclass(frozen=True, slots=True)
class ErrorBars:
    """How far the profile may be off, in percent either way.

    `planning` figures follow from data sheets and assumptions, and the bar is an expectation; `calibrated` ones were
    adjusted to a run, `fitted` ones fitted to a part of it and tested on the rest. `step_time_pct` is of one step as
    the time per output token shows it, `mean_pct` and `p99_pct` the worst of end-to-end, first-token and per-token time
    in a simulation of what `tested_on` names; None where nobody tested. `outside` is a sentence on the batches that are
    known, or must be feared, to be further off than that.
    """

    basis: Basis
    step_time_pct: float
    mean_pct: float | None = None
    p99_pct: float | None = None
    tested_on: str = ""
    outside: str = ""

    def in_words(self) -> str:
        """One line for a reader, without what is outside."""
        words = f"{self.basis}: a step within {self.step_time_pct:g} %"
        if self.mean_pct is not None and self.p99_pct is not None:
            words += f", simulated means within {self.mean_pct:g} %, p99 within {self.p99_pct:g} %"
        return words + (f", on {self.tested_on}" if self.tested_on else ", not tested")


@dataclass(frozen=True, slots=True)
class PipelineGain:
    """What pipeline stages do to a step, beside the same GPUs' share run one after the other.

    `latency_ms` is what a token's way through the stages adds; `throughput` is how many times more tokens a second come
    out of a full decode batch and a full prefill step than if one batch went through all stages before the next began.
    """

    stages: int
    latency_ms: float
    decode_throughput: float
    prefill_throughput: float


@dataclass(frozen=True, slots=True)
class Profile:
    """One model on one kind of replica. `source` says where the figures come from and how far to trust them.

    `cold_start_s` is the time of each phase between the start of the engine and its first step, in their order.
    """

    name: str
    model: str
    gpu: str
    quantization: str
    source: str
    memory: KvMemory
    scheduler: SchedulerConfig
    step_time: StepTimeModel
    cold_start_s: Mapping[str, float] = field(default_factory=dict)
    error: ErrorBars | None = None
    pipeline: PipelineGain | None = None

    @property
    def tensor_parallel(self) -> int:
        return self.memory.tensor_parallel

    @property
    def pipeline_parallel(self) -> int:
        return self.memory.pipeline_parallel

    @property
    def gpus_per_replica(self) -> int:
        return self.memory.gpus
