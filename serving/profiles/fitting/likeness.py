"""In what a profile and the engine of a run differ: the hardware and the model, and the engine's limits."""

from __future__ import annotations

from dataclasses import fields

from serving.batching import SchedulerConfig
from serving.profiles.fitting.document import gpu_named, quantization_named
from serving.profiles.fitting.engine_facts import EngineFacts
from serving.profiles.model import Profile
from serving.profiles.shapes import shape_named


def unlike(profile: Profile, facts: EngineFacts) -> tuple[str, ...]:
    """A sentence for each thing that makes the profile one of another engine; step times can then not be expected to
    hold.
    """
    pairs = (
        ("GPU", profile.gpu, gpu_named(facts.gpu)),
        ("model", profile.model, facts.model.rsplit("/", 1)[-1]),
        ("tensor parallelism", str(profile.tensor_parallel), str(facts.tensor_parallel)),
        ("pipeline parallelism", str(profile.pipeline_parallel), str(facts.pipeline_parallel)),
        ("weights", profile.quantization, quantization_named(facts)),
    )
    return tuple(
        f"another {what}: {ours} in the profile, {theirs} in the run"
        for what, ours, theirs in pairs
        if _key(what, ours) != _key(what, theirs)
    )


def _key(what: str, name: str) -> str:
    """Names of one thing have one key: a model's that shares its shape with others is that of the shape."""
    shape = shape_named(name) if what == "model" else None
    return shape.key if shape is not None else name.casefold()


def other_limits(profile: SchedulerConfig, run: SchedulerConfig) -> tuple[str, ...]:
    """A phrase for each limit of the engine that is another one."""
    pairs = ((field.name, getattr(profile, field.name), getattr(run, field.name)) for field in fields(SchedulerConfig))
    return tuple(
        f"{name} {_told(theirs)} in the run, {_told(ours)} in the profile"
        for name, ours, theirs in pairs
        if ours != theirs
    )


def _told(value: int | bool) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else f"{value:,}"
