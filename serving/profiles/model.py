"""The content of a profile file, as the rest of the code sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from serving.batching import SchedulerConfig, StepTimeModel

_KEY_AND_VALUE = 2


@dataclass(frozen=True, slots=True)
class KvMemory:
    """What of the GPU memory is left for KV blocks. Sizes in GB (1e9 bytes): memory and activations of one GPU, weights
    of the whole model.

    Tensor parallelism shares out the KV heads, but not below one a GPU (vLLM repeats them then); pipeline parallelism
    shares out the layers.
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
        return int(self.kv_bytes_per_gpu // (self.bytes_per_token_per_gpu * block_size_tokens))


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

    @property
    def tensor_parallel(self) -> int:
        return self.memory.tensor_parallel

    @property
    def pipeline_parallel(self) -> int:
        return self.memory.pipeline_parallel

    @property
    def gpus_per_replica(self) -> int:
        return self.memory.gpus
