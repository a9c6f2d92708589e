"""Finds and reads profile files, reporting every fault of a file at once, one line each: file: key: what: mend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from serving.batching import SchedulerConfig, StepTimeModel
from serving.errors import BadInput, ProfileNotFound
from serving.profiles.model import KvMemory, Profile
from serving.profiles.reader import DocumentReader, kind

DIRECTORY = Path(__file__).resolve().parent
SCHEMA = 1


def profile_names(directory: Path = DIRECTORY) -> list[str]:
    """Names of the profiles there are, sorted."""
    return sorted(path.stem for path in directory.glob("*.yaml"))


def require_known(name: str, directory: Path = DIRECTORY) -> None:
    """Raise ProfileNotFound, listing the known ones, unless `name` is a profile."""
    names = profile_names(directory)
    if name not in names:
        raise ProfileNotFound(f"profile {name!r} is unknown: use one of {', '.join(names)}")


def load(name: str, directory: Path = DIRECTORY) -> Profile:
    """The profile called `name`. Raises ProfileNotFound, or BadInput for a malformed file."""
    require_known(name, directory)
    return read_profile(directory / f"{name}.yaml")


def read_profile(path: Path) -> Profile:
    """Read one profile file. Raises BadInput with a line for each fault."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise BadInput(f"{path}: not readable as YAML ({reason}): mend the syntax") from error
    if not isinstance(data, Mapping):
        raise BadInput(f"{path}: it holds {kind(data)}: write a mapping of keys, as in h100-llama3-8b-tp1.yaml")
    reader = DocumentReader(str(path), data)
    profile = _build(reader, path.stem)
    reader.refuse_unknown()
    reader.raise_faults()
    return profile


def _build(reader: DocumentReader, expected_name: str) -> Profile:
    """Read every key. A faulty one is noted in the reader and replaced by a harmless value, so that reading goes on."""
    if (schema := reader.integer("schema")) != SCHEMA:
        reader.fault("schema", f"is {schema}", f"this version reads {SCHEMA}")
    if (name := reader.text("name")) != expected_name:
        reader.fault("name", f"is {name!r}", f"must be the file's name, {expected_name!r}")
    memory = _memory(reader.section("memory"))
    block_size = reader.integer("block_size_tokens")
    scheduler = _scheduler(reader, kv_blocks=memory.blocks(block_size), block_size_tokens=block_size)
    return Profile(
        name=name,
        model=reader.text("model"),
        gpu=reader.text("gpu"),
        gpus_per_replica=reader.integer("gpus_per_replica"),
        source=reader.text("source"),
        memory=memory,
        scheduler=scheduler,
        step_time=_step_time(reader),
    )


def _memory(reader: DocumentReader) -> KvMemory:
    utilization = reader.number("utilization", minimum=0.01)
    if utilization > 1:
        reader.fault("utilization", f"is {utilization:g}", "use a share, 0.01 to 1")
    return KvMemory(
        hbm_gb=reader.number("hbm_gb", minimum=0.001),
        utilization=utilization,
        weights_gb=reader.number("weights_gb"),
        activations_gb=reader.number("activations_gb"),
        layers=reader.integer("layers"),
        kv_heads=reader.integer("kv_heads"),
        head_dim=reader.integer("head_dim"),
        bytes_per_value=reader.integer("bytes_per_value"),
    )


def _scheduler(reader: DocumentReader, *, kv_blocks: int, block_size_tokens: int) -> SchedulerConfig:
    seqs, budget = reader.integer("max_num_seqs"), reader.integer("max_num_batched_tokens")
    length = reader.integer("max_model_len")
    if seqs > budget:
        reader.fault("max_num_seqs", f"{seqs} exceeds max_num_batched_tokens {budget}", "raise the budget or lower it")
    if kv_blocks * block_size_tokens < length and not reader.faults:
        held = max(0, kv_blocks) * block_size_tokens
        reader.fault("memory", f"KV holds {held} tokens, less than max_model_len {length}", "lower max_model_len")
    return SchedulerConfig(
        kv_blocks=max(1, kv_blocks),
        block_size_tokens=block_size_tokens,
        max_num_seqs=min(seqs, budget),
        max_num_batched_tokens=budget,
        max_model_len=length,
    )


def _step_time(reader: DocumentReader) -> StepTimeModel:
    return StepTimeModel.from_tables(
        decode_ms=reader.table("decode_step_ms", first=1),
        prefill_ms=reader.table("prefill_ms"),
        mixed_factor=reader.number("mixed_factor", minimum=1),
        host_overhead_ms=reader.number("host_overhead_ms"),
    )
