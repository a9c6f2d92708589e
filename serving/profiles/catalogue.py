"""Finds and reads profile files, reporting every fault of a file at once, one line each: file: key: what: mend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from serving.batching import SchedulerConfig
from serving.errors import BadInput, ProfileNotFound
from serving.profiles.capacity import capacity_of, shortfall
from serving.profiles.family import build, member_named, members
from serving.profiles.model import BASES, ErrorBars, KvMemory, Profile
from serving.profiles.reader import DocumentReader, kind
from serving.profiles.step_time_reader import read_step_time

DIRECTORY = Path(__file__).resolve().parent
SCHEMA = 1


def profile_names(directory: Path = DIRECTORY) -> list[str]:
    """Names of the profiles there are, sorted: the files and, of the family, what is listed and fits."""
    return sorted({*_files(directory), *(member.name for member in members() if shortfall(member.capacity) is None)})


def _files(directory: Path) -> set[str]:
    return {path.stem for path in directory.glob("*.yaml")}


def require_known(name: str, directory: Path = DIRECTORY) -> None:
    """Raise ProfileNotFound, listing the known ones, unless `name` is a profile, a file of one, or of the family."""
    if _is_path(name) or name in _files(directory) or member_named(name) is not None:
        return
    raise ProfileNotFound(
        f"profile {name!r} is unknown: use one of {', '.join(profile_names(directory))}, or a profile's .yaml file"
    )


def load(name: str, directory: Path = DIRECTORY) -> Profile:
    """The profile called `name`, or in the file `name` when that ends in .yaml.

    Raises ProfileNotFound, BadInput for a malformed file, DoesNotFit for a model that its GPUs cannot hold.
    """
    require_known(name, directory)
    if _is_path(name):
        return read_profile(Path(name))
    member = member_named(name)
    if name in _files(directory) or member is None:
        return read_profile(directory / f"{name}.yaml")
    return build(member)


def _is_path(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def read_profile(path: Path) -> Profile:
    """Read one profile file. Raises BadInput with a line for each fault."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot read the profile: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
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
    memory = _memory(reader, reader.section("memory"))
    return Profile(
        name=name,
        model=reader.text("model"),
        gpu=reader.text("gpu"),
        quantization=reader.text("quantization"),
        source=reader.text("source"),
        memory=memory,
        scheduler=_scheduler(reader, memory),
        step_time=read_step_time(reader, memory),
        cold_start_s=_cold_start(reader.section("cold_start"), memory),
        error=_error_bars(reader.section("error")) if reader.has("error") else None,
    )


def _memory(reader: DocumentReader, section: DocumentReader) -> KvMemory:
    return KvMemory(
        hbm_gb=section.number("hbm_gb", minimum=0.001),
        utilization=section.share("utilization"),
        weights_gb=section.number("weights_gb"),
        activations_gb=section.number("activations_gb"),
        layers=section.integer("layers"),
        kv_heads=section.integer("kv_heads"),
        head_dim=section.integer("head_dim"),
        bytes_per_value=section.integer("bytes_per_value"),
        tensor_parallel=reader.integer("tensor_parallel"),
        pipeline_parallel=reader.integer("pipeline_parallel"),
        measured_blocks=section.integer("measured_kv_blocks") if section.has("measured_kv_blocks") else None,
    )


def _scheduler(reader: DocumentReader, memory: KvMemory) -> SchedulerConfig:
    seqs, budget = reader.integer("max_num_seqs"), reader.integer("max_num_batched_tokens")
    length, block_size = reader.integer("max_model_len"), reader.integer("block_size_tokens")
    if seqs > budget:
        reader.fault("max_num_seqs", f"{seqs} exceeds max_num_batched_tokens {budget}", "raise the budget or lower it")
    capacity = capacity_of(memory, block_size_tokens=block_size, max_model_len=length, max_num_seqs=seqs)
    if not reader.faults and (reason := shortfall(capacity)) is not None:
        reader.fault("memory", reason, "lower max_model_len, or use more GPUs or quantized weights")
    return SchedulerConfig(
        kv_blocks=max(1, capacity.kv_blocks),
        block_size_tokens=block_size,
        max_num_seqs=min(seqs, budget),
        max_num_batched_tokens=budget,
        max_model_len=length,
        enable_prefix_caching=reader.flag("enable_prefix_caching", default=True),
    )


def _error_bars(section: DocumentReader) -> ErrorBars:
    basis = section.choice("basis", BASES)
    return ErrorBars(
        basis=next(one for one in BASES if one == basis),
        step_time_pct=section.number("step_time_pct"),
        mean_pct=section.number("mean_pct") if section.has("mean_pct") else None,
        p99_pct=section.number("p99_pct") if section.has("p99_pct") else None,
        tested_on=section.text_or("tested_on", ""),
        outside=section.text_or("outside", ""),
    )


def _cold_start(section: DocumentReader, memory: KvMemory) -> dict[str, float]:
    """Seconds by phase: the weights through the storage, then the phases that the profile states."""
    return {
        "load_weights": memory.weights_gb / section.number("weights_gb_per_s", minimum=0.001),
        "compile": section.number("compile_s"),
        "capture_graphs": section.number("capture_graphs_s"),
        "warmup": section.number("warmup_s"),
    }
