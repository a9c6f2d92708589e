"""What the platform produced in an interval, from its own counters: tokens, requests, work done twice."""

from __future__ import annotations

from dataclasses import dataclass

from sre.errors import SreError
from sre.metrics.model import Matcher, SampleSource, Selector
from sre.slo.events import read_events
from sre.slo.model import RatioSli


@dataclass(frozen=True, slots=True)
class Work:
    """Counts of an interval; None: nobody counted that. Prompt and generation tokens are of all requests.

    `good_tokens` are generated ones of requests within the goodput thresholds, `wasted_tokens` of requests that were
    not ok, `replayed_tokens` those computed again after a change of replica. `requests` are the finished ones that
    count for the service. The engines' own: `prefix_queries`, `prefix_hits` in tokens, and the seconds requests spent
    in prefill and decode, where the engine says so (vLLM does, the emulated one does not).
    """

    prompt_tokens: int | None
    generation_tokens: int | None
    good_tokens: int | None
    wasted_tokens: int | None
    replayed_tokens: int | None = None
    requests: int | None = None
    good_requests: int | None = None
    prefix_queries: int | None = None
    prefix_hits: int | None = None
    prefill_s: float | None = None
    decode_s: float | None = None


def work_of(source: SampleSource, *, start: float, end: float) -> Work:
    """Increases over (start, end]. What the source does not hold is None."""

    def grown(name: str, kind: str | None = None) -> float | None:
        matchers = () if kind is None else (Matcher("kind", "=", kind),)
        return _increase(source, Selector(name, matchers), start, end)

    def counted(name: str, kind: str | None = None) -> int | None:
        amount = grown(name, kind)
        return None if amount is None else round(amount)

    return Work(
        prompt_tokens=counted("sre_gateway_tokens_total", "prompt"),
        generation_tokens=counted("sre_gateway_tokens_total", "generation"),
        good_tokens=counted("sre_gateway_good_tokens_total"),
        wasted_tokens=counted("sre_gateway_wasted_tokens_total"),
        replayed_tokens=counted("sre_gateway_replayed_tokens_total"),
        requests=counted("sre_gateway_goodput_eligible_total"),
        good_requests=counted("sre_gateway_goodput_good_total"),
        prefix_queries=counted("vllm:prefix_cache_queries_total"),
        prefix_hits=counted("vllm:prefix_cache_hits_total"),
        prefill_s=grown("vllm:request_prefill_time_seconds_sum"),
        decode_s=grown("vllm:request_decode_time_seconds_sum"),
    )


def _increase(source: SampleSource, selector: Selector, start: float, end: float) -> float | None:
    try:
        events = read_events(source, RatioSli(total=(selector,)), start=start, end=end)
        return float(events.total.between(start, end))
    except SreError:
        return None
