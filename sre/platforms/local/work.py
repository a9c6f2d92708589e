"""The classes of work of the load generator, in our own words and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.performance import Offer, WorkClass

if TYPE_CHECKING:
    from serving.loadgen.classes import WorkloadClass
    from serving.loadgen.plan import LengthPlan


def work_class(name: str) -> WorkClass:
    """Raises SreError, listing those there are, for an unknown name."""
    from serving.loadgen.classes import class_named

    with serving_errors_as_ours():
        return _described(class_named(name))


def work_classes() -> tuple[WorkClass, ...]:
    from serving.loadgen.classes import CLASSES

    return tuple(_described(one) for one in CLASSES)


def load_fields(offer: Offer) -> dict[str, Any]:
    """The load generator's plan of an offer, without `url` and `out`. Raises SreError for an unknown class."""
    from serving.loadgen.classes import class_named

    how = {
        "rate_rps": offer.rate_rps,
        "duration_s": offer.duration_s,
        "concurrency": offer.concurrency,
        "requests": offer.requests,
    }
    with serving_errors_as_ours():
        given = {key: value for key, value in how.items() if value is not None}
        return dict(class_named(offer.work).plan(seed=offer.seed, **given))


def open_offer(work: str, *, rate_rps: float, requests: int, seed: int) -> Offer:
    """Exactly so many arrivals of a class: it ends halfway between the last of them and the one that would follow."""
    from serving.loadgen.arrivals import gamma_arrivals

    work_class(work)
    duration_s = 2.0 * (requests + 1) / rate_rps
    times: tuple[float, ...] = ()
    while len(times) <= requests:
        times = gamma_arrivals(rate_rps=rate_rps, cv=1.0, duration_s=duration_s, seed=seed)
        duration_s *= 2
    return Offer(work, seed, duration_s=(times[requests - 1] + times[requests]) / 2, rate_rps=rate_rps)


def error_bar(profile: str) -> str:
    """What a profile says of how far its times may be off. Raises SreError for an unknown profile."""
    from serving.profiles import load

    with serving_errors_as_ours():
        found = load(profile).error
    return "no error bar stated" if found is None else found.in_words()


def cold_start_of(profile: str) -> dict[str, float]:
    """The phases of a cold start as the profile has them, seconds, in their order."""
    from serving.profiles import load

    with serving_errors_as_ours():
        return dict(load(profile).cold_start_s)


def vllm_absent() -> str | None:
    """Why real vLLM cannot be measured here, in one line; None where it can."""
    from serving.engine.vllm.environment import find_vllm_env
    from serving.errors import EnvironmentLacks

    try:
        find_vllm_env()
    except EnvironmentLacks as error:
        return str(error)
    return None


def _described(found: WorkloadClass) -> WorkClass:
    shared = found.prefixes
    before = "" if shared is None else f" behind {shared.blocks * 512} shared tokens (one of {shared.pool} texts)"
    return WorkClass(
        name=found.name,
        title=found.title,
        lengths=f"prompt {_lengths(found.prompt_tokens)}{before}, answer {_lengths(found.output_tokens)} tokens",
        ttft_s=found.ttft_s,
        inter_token_s=found.inter_token_s,
    )


def _lengths(plan: LengthPlan) -> str:
    return f"{plan.median:g} ({plan.min} to {plan.max})"
