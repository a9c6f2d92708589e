"""Planning profiles by name: each GPU of `families/gpus.yaml` x model of the family x parallelism, by the data sheets.

`h100-qwen3-32b-tp2`, `a100-llama3-70b-tp2-pp2`: built when asked for, not copied into a file each; a profile file of
the same name goes before. The longest request is 32,768 tokens, or 16,384 or 8,192 where the memory holds no more; what
cannot even hold those is refused with the sum.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from serving.batching import SchedulerConfig, StepTimeModel
from serving.profiles.capacity import Capacity, capacity_of, require_fits, shortfall
from serving.profiles.model import ErrorBars, KvMemory, PipelineGain, Profile
from serving.profiles.roofline import Roofline
from serving.profiles.shapes import Gpu, ModelShape, gpus, models

TENSOR_PARALLEL = (1, 2, 4, 8)
LISTED_PIPELINES = ((2, 2), (4, 2), (2, 4))
"""(tensor, pipeline) of what is listed beside plain tensor parallelism; other powers of two can be named."""
_NAME = re.compile(r"(?P<gpu>[a-z0-9]+)-(?P<model>.+)-tp(?P<tp>1|2|4|8)(-pp(?P<pp>2|4|8))?")
_BYTES = 2  # bf16
_LENGTHS = (32_768, 16_384, 8192)
_SEQS, _BUDGET, _BLOCK = 256, 2048, 16
_UTILIZATION = 0.9
_COLD_START_OF_32_LAYERS = {"compile": 19.4, "capture_graphs": 15.0, "warmup": 5.0}
_STORAGE_GB_PER_S = 2.0
_OUTSIDE = (
    "Batches of few prefill tokens beside decodes (the weights are counted twice) and decodes of 256 sequences: of the "
    "one member compared, h100-llama3-70b-tp4, 64 tokens + 32 decodes take about 70 % longer and 256 decodes about "
    "40 % longer than aiconfigurator-core 0.12.0's measured kernels; other members are not compared."
)


@dataclass(frozen=True, slots=True)
class Member:
    """One combination of the family."""

    gpu: Gpu
    model: ModelShape
    tensor_parallel: int
    pipeline_parallel: int = 1

    @property
    def name(self) -> str:
        stages = f"-pp{self.pipeline_parallel}" if self.pipeline_parallel > 1 else ""
        return f"{self.gpu.key}-{self.model.key}-tp{self.tensor_parallel}{stages}"

    @property
    def memory(self) -> KvMemory:
        gpu, model = self.gpu, self.model
        return KvMemory(
            hbm_gb=gpu.hbm_gb,
            utilization=_UTILIZATION,
            weights_gb=model.parameters_b * _BYTES,
            activations_gb=gpu.activations_gb,
            layers=model.layers,
            kv_heads=model.kv_heads,
            head_dim=model.head_dim,
            bytes_per_value=_BYTES,
            tensor_parallel=self.tensor_parallel,
            pipeline_parallel=self.pipeline_parallel,
        )

    @property
    def capacity(self) -> Capacity:
        """With the longest request that fits; with the shortest of the lengths when none does."""
        memory = self.memory
        each = [
            capacity_of(memory, block_size_tokens=_BLOCK, max_model_len=length, max_num_seqs=_SEQS)
            for length in _LENGTHS
        ]
        return next((one for one in each if shortfall(one) is None), each[-1])


def members() -> list[Member]:
    """What is listed, by GPU and model, whether it fits or not."""
    shapes = [(tp, 1) for tp in TENSOR_PARALLEL] + list(LISTED_PIPELINES)
    family = [model for model in models() if model.family]
    return [Member(gpu, model, tp, pp) for gpu in gpus() for model in family for tp, pp in shapes]


def member_named(name: str) -> Member | None:
    """The combination of that name, listed or not; None when its parts are not known."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    gpu = next((one for one in gpus() if one.key == found["gpu"]), None)
    model = next((one for one in models() if one.key == found["model"]), None)
    return Member(gpu, model, int(found["tp"]), int(found["pp"] or 1)) if gpu and model else None


def build(member: Member) -> Profile:
    """The profile. Raises DoesNotFit."""
    memory, roofline, capacity = member.memory, _roofline(member), member.capacity
    require_fits(capacity, member.name)
    return Profile(
        name=member.name,
        model=member.model.title,
        gpu=member.gpu.title,
        quantization="bf16",
        source=_source(member),
        memory=memory,
        scheduler=SchedulerConfig(
            kv_blocks=capacity.kv_blocks,
            block_size_tokens=_BLOCK,
            max_num_seqs=_SEQS,
            max_num_batched_tokens=_BUDGET,
            max_model_len=capacity.max_model_len,
        ),
        step_time=StepTimeModel.from_tables(
            decode_ms=roofline.decode_table(),
            prefill_ms=roofline.prefill_table(),
            kv_ms_per_1k_tokens=roofline.kv_ms_per_1k_tokens,
        ),
        cold_start_s=_cold_start(member),
        error=ErrorBars("planning", member.gpu.step_time_pct, outside=_OUTSIDE),
        pipeline=_pipeline(roofline),
    )


def _roofline(member: Member) -> Roofline:
    gpu, model, memory = member.gpu, member.model, member.memory
    return Roofline(
        parameters_b=model.active_b,
        hidden_size=model.hidden_size,
        layers=model.layers,
        weights_gb=memory.weights_gb,
        kv_bytes_per_token=memory.bytes_per_token,
        tensor_parallel=member.tensor_parallel,
        hbm_gb_per_s=gpu.hbm_gb_per_s,
        bandwidth_efficiency=gpu.bandwidth_efficiency,
        peak_tflops=gpu.tflops,
        mfu=gpu.mfu,
        per_sequence_ms=gpu.per_sequence_ms,
        all_reduce_us=gpu.all_reduce_us,
        link_gb_per_s=gpu.link_gb_per_s,
        pipeline_parallel=member.pipeline_parallel,
        hop_us=gpu.hop_us,
    )


def _pipeline(roofline: Roofline) -> PipelineGain | None:
    if roofline.pipeline_parallel == 1:
        return None
    return PipelineGain(
        stages=roofline.pipeline_parallel,
        latency_ms=(roofline.pipeline_parallel - 1) * roofline.hop_us / 1000,
        decode_throughput=roofline.pass_ms(_SEQS, sequences=_SEQS) / roofline.decode_ms(_SEQS),
        prefill_throughput=roofline.pass_ms(_BUDGET, sequences=1) / roofline.prefill_ms(_BUDGET),
    )


def _cold_start(member: Member) -> dict[str, float]:
    phases = {phase: seconds * member.model.layers / 32 for phase, seconds in _COLD_START_OF_32_LAYERS.items()}
    return {"load_weights": member.memory.weights_gb / _STORAGE_GB_PER_S, **phases}


def _source(member: Member) -> str:
    model = member.model
    return (
        f"{model.title} by its publisher's model card and configuration ({model.parameters_b:g}e9 parameters, "
        f"{model.layers} layers, {model.kv_heads} KV heads). {' '.join(member.gpu.source.split())} Steps by "
        "serving/profiles/roofline.py. Cold start: vLLM's log of an 8B model (vllm pull request 11005) times layers / "
        f"32, weights at {_STORAGE_GB_PER_S:g} GB/s (assumed). Planning figures, not measured: expect errors of about "
        f"+/-{member.gpu.step_time_pct:g} %."
    )
