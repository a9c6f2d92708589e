"""The content of a profile file, as the rest of the code sees it."""

from __future__ import annotations

from dataclasses import dataclass

from serving.batching import SchedulerConfig, StepTimeModel

_KEY_AND_VALUE = 2


@dataclass(frozen=True, slots=True)
class KvMemory:
    """What of a replica's GPU memory is left for KV blocks. Sizes in GB (1e9 bytes), summed over the replica's GPUs."""

    hbm_gb: float
    utilization: float
    weights_gb: float
    activations_gb: float
    layers: int
    kv_heads: int
    head_dim: int
    bytes_per_value: int

    @property
    def kv_bytes(self) -> float:
        """Bytes left for KV; below 0 when the weights do not even fit."""
        return (self.hbm_gb * self.utilization - self.weights_gb - self.activations_gb) * 1e9

    @property
    def bytes_per_token(self) -> int:
        return self.layers * self.kv_heads * self.head_dim * _KEY_AND_VALUE * self.bytes_per_value

    def blocks(self, block_size_tokens: int) -> int:
        return int(self.kv_bytes // (self.bytes_per_token * block_size_tokens))


@dataclass(frozen=True, slots=True)
class Profile:
    """One model on one kind of replica. `source` says where the figures come from and how far to trust them."""

    name: str
    model: str
    gpu: str
    gpus_per_replica: int
    source: str
    memory: KvMemory
    scheduler: SchedulerConfig
    step_time: StepTimeModel
