"""`guard:`, the limits at which a run is aborted."""

from __future__ import annotations

from sre.chaos.guard.model import BurnLimit, GuardSettings
from sre.chaos.section.fields import Fields, above, between, read

KEYS = (
    *("slos", "max_failed_share", "max_failed_requests", "max_ttft_p95_s", "min_healthy_replicas"),
    *("window_s", "min_requests", "stale_after_s", "metrics_may_vanish"),
)
LONGEST_WINDOW_S = 600.0
TTFT_END_S = 10.0  # where the gateway's histogram ends: it cannot tell more
_COUNT = "a whole number, 0 or more"


def read_guard(section: Fields) -> GuardSettings:
    """The guard that the experiment states, or the one that every experiment has."""
    default = GuardSettings()
    fields = section.sub("guard", KEYS)
    if fields is None:
        return default
    vanish = fields.fields.get("metrics_may_vanish")
    return GuardSettings(
        burns=_burns(fields),
        max_failed_share=fields.number(
            "max_failed_share", "a share of 0 to 1 (1: not watched)", between(0, 1), default=default.max_failed_share
        ),
        max_failed_requests=fields.whole_or_none("max_failed_requests", _COUNT, between(0, 1e9)),
        max_ttft_p95_s=fields.number_or_none(
            "max_ttft_p95_s",
            f"seconds, above 0 and below {TTFT_END_S:g}, where the histogram ends",
            lambda value: 0 < value < TTFT_END_S,
        ),
        min_healthy_replicas=fields.whole_or_none("min_healthy_replicas", _COUNT, between(0, 1000)),
        window_s=_window(fields, default.window_s),
        min_requests=fields.whole(
            "min_requests", "a whole number of 1 or more", between(1, 1e9), default=default.min_requests
        ),
        stale_after_s=fields.number_or_none("stale_after_s", "seconds, above 0", above(0)),
        metrics_may_vanish=fields.faults.boolean(vanish, "write true (losing metrics is the experiment) or false"),
    )


def _burns(fields: Fields) -> tuple[BurnLimit, ...]:
    node = fields.fields.get("slos")
    if node is None:
        return ()
    if node.fields is None:
        fields.faults.add(node, f"is {node.kind}: write e.g. `availability: {{max_burn: 300}}`")
    return tuple(
        _burn(name, read(child, ("max_burn", "window_s", "min_bad"), fields.faults))
        for name, child in (node.fields or {}).items()
    )


def _burn(name: str, fields: Fields) -> BurnLimit:
    default = BurnLimit(name, 1.0)
    return BurnLimit(
        slo=name,
        max_burn=fields.number("max_burn", "how many times faster than allowed, above 0", above(0)),
        window_s=_window(fields, default.window_s),
        min_bad=fields.whole("min_bad", "a whole number of 1 or more", between(1, 1e9), default=default.min_bad),
    )


def _window(fields: Fields, default_s: float) -> float:
    allowed = between(1, LONGEST_WINDOW_S)
    return fields.number("window_s", f"seconds, 1 to {LONGEST_WINDOW_S:g}", allowed, default=default_s)
