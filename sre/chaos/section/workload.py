"""`workload:`, the load that the drill runs under."""

from __future__ import annotations

from sre.chaos.model import TokenLengths, Workload
from sre.chaos.section.fields import Fields, above, between

KEYS = ("rate_rps", "duration_s", "warmup_s", "seed", "cv", "prompt_tokens", "output_tokens")
LENGTHS = ("median", "sigma", "min", "max")
_MOST_TOKENS = 10_000_000


def read_workload(section: Fields) -> Workload:
    fields = section.sub("workload", KEYS, mend="say what load the drill runs under")
    if fields is None:
        return Workload(1.0, 1.0, 0.0, 0)
    load = Workload(
        rate_rps=fields.number("rate_rps", "requests a second, above 0", above(0)),
        duration_s=fields.number("duration_s", "seconds, above 0", above(0)),
        warmup_s=fields.number("warmup_s", "seconds, 0 or more", between(0, 1e6), default=12.0),
        seed=fields.whole("seed", "a whole number, 0 or more", between(0, 2**63 - 1), default=1),
        cv=fields.number_or_none("cv", "0 (even) to 20 (bursty)", between(0, 20)),
        prompt_tokens=_lengths(fields, "prompt_tokens"),
        output_tokens=_lengths(fields, "output_tokens"),
    )
    if load.duration_s <= load.warmup_s:
        fields.faults.add(fields.at, f"is {load.duration_s:g}, all of it warm-up: make it longer", key="duration_s")
    return load


def _lengths(workload: Fields, key: str) -> TokenLengths | None:
    fields = workload.sub(key, LENGTHS)
    if fields is None:
        return None
    lengths = TokenLengths(
        median=fields.number("median", "tokens, above 0", above(0)),
        sigma=fields.number("sigma", "0 to 5, the spread of ln(tokens)", between(0, 5)),
        min=fields.whole("min", "tokens, a whole number above 0", between(1, _MOST_TOKENS)),
        max=fields.whole("max", "tokens, a whole number above 0", between(1, _MOST_TOKENS)),
    )
    if not lengths.min <= lengths.median <= lengths.max:
        order = f"min {lengths.min}, median {lengths.median:g}, max {lengths.max}"
        fields.faults.add(fields.at, f"{order}: put them in order")
    return lengths
