"""Reads how long steps take out of a profile: from tables, from a section `step_time` of one kind, or a data sheet.

    step_time: {kind: table, decode_ms: {1: 6.2, 8: 7.2}, prefill_ms: {256: 34, 2048: 69}, mixed_factor: 1.5}
    step_time: {kind: knots, decode_ms: {...}, prefill_ms: {...}, mixed_ms: {...}}          one curve a regime
    step_time: {kind: linear, base_ms: 6, per_sequence_ms: 0.1, per_token_ms: 0.03, mixed_factor: 1.2}

Each may have kv_ms_per_1k_tokens, kv_included_tokens, prefill_ms_per_1m_pairs, host_overhead_ms, request_overhead_ms:
see `serving.batching.steptime` for what they mean. Keys at the file's top level are the older way to write a table.
"""

from __future__ import annotations

from serving.batching import StepTimeModel
from serving.profiles.model import KvMemory
from serving.profiles.reader import DocumentReader
from serving.profiles.roofline import Roofline

KINDS = ("table", "knots", "linear")
_FAR_TOKENS = 4096


def read_step_time(reader: DocumentReader, memory: KvMemory) -> StepTimeModel:
    """The model; faults are noted in the reader."""
    if reader.has("step_time"):
        return _of_kind(reader.section("step_time"))
    mixed_factor, overhead_ms = reader.number("mixed_factor", minimum=1), reader.number("host_overhead_ms")
    if not reader.has("roofline"):
        return StepTimeModel.from_tables(
            decode_ms=reader.table("decode_step_ms", first=1),
            prefill_ms=reader.table("prefill_ms"),
            mixed_factor=mixed_factor,
            host_overhead_ms=overhead_ms,
            kv_ms_per_1k_tokens=reader.number("decode_kv_ms_per_1k_tokens"),
            kv_included_tokens=reader.integer("decode_kv_included_tokens", minimum=0),
        )
    roofline = _roofline(reader.section("roofline"), memory)
    return StepTimeModel.from_tables(
        decode_ms=roofline.decode_table(),
        prefill_ms=roofline.prefill_table(),
        mixed_factor=mixed_factor,
        host_overhead_ms=overhead_ms,
        kv_ms_per_1k_tokens=roofline.kv_ms_per_1k_tokens,
    )


def _roofline(section: DocumentReader, memory: KvMemory) -> Roofline:
    return Roofline(
        parameters_b=section.number("parameters_b", minimum=0.001),
        hidden_size=section.integer("hidden_size"),
        layers=memory.layers,
        weights_gb=memory.weights_gb,
        kv_bytes_per_token=memory.bytes_per_token_per_gpu * memory.pipeline_parallel * memory.tensor_parallel,
        tensor_parallel=memory.tensor_parallel,
        hbm_gb_per_s=section.number("hbm_gb_per_s", minimum=1),
        bandwidth_efficiency=section.share("bandwidth_efficiency"),
        peak_tflops=section.number("peak_tflops", minimum=1),
        mfu=section.share("mfu"),
        per_sequence_ms=section.number("per_sequence_ms"),
        all_reduce_us=section.number("all_reduce_us"),
        link_gb_per_s=section.number("link_gb_per_s", minimum=0.001),
        pipeline_parallel=memory.pipeline_parallel,
        hop_us=section.number_or("hop_us", 0.0),
    )


def _of_kind(section: DocumentReader) -> StepTimeModel:
    kind = section.choice("kind", KINDS)
    decode_ms, prefill_ms = _line(section) if kind == "linear" else _tables(section)
    return StepTimeModel.from_tables(
        decode_ms=decode_ms,
        prefill_ms=prefill_ms,
        mixed_ms=section.table("mixed_ms") if kind == "knots" else None,
        mixed_factor=1.0 if kind == "knots" else section.number_or("mixed_factor", 1.0, minimum=0.1),
        host_overhead_ms=section.number_or("host_overhead_ms", 0.0),
        kv_ms_per_1k_tokens=section.number_or("kv_ms_per_1k_tokens", 0.0),
        kv_included_tokens=int(section.number_or("kv_included_tokens", 0)),
        prefill_ms_per_1m_pairs=section.number_or("prefill_ms_per_1m_pairs", 0.0),
        request_overhead_ms=section.number_or("request_overhead_ms", 0.0),
    )


def _tables(section: DocumentReader) -> tuple[dict[int, float], dict[int, float]]:
    return section.table("decode_ms", first=1), section.table("prefill_ms")


def _line(section: DocumentReader) -> tuple[dict[int, float], dict[int, float]]:
    base_ms = section.number("base_ms", minimum=0.001)
    sequence_ms, token_ms = section.number("per_sequence_ms"), section.number("per_token_ms")
    return (
        {n: base_ms + sequence_ms * n for n in (1, _FAR_TOKENS)},
        {n: base_ms + token_ms * n for n in (1, _FAR_TOKENS)},
    )
