"""Our selectors as Prometheus must be asked: bucket bounds in every spelling, because a server compares text."""

from __future__ import annotations

import re

from sre.metrics.identity import BOUND_LABEL, bound_spellings, bound_value
from sre.metrics.model import Matcher, Selector
from sre.metrics.selector import format_selector


def server_selector(selector: Selector) -> str:
    """PromQL of `selector`; `le="1"` becomes `le=~"1\\.0|1"`. Patterns on `le` are passed on as they are."""
    return format_selector(Selector(selector.name, tuple(_spelt(matcher) for matcher in selector.matchers)))


def _spelt(matcher: Matcher) -> Matcher:
    if matcher.label != BOUND_LABEL or matcher.op not in ("=", "!=") or bound_value(matcher.value) is None:
        return matcher
    pattern = "|".join(re.escape(text) for text in bound_spellings(matcher.value))
    return Matcher(BOUND_LABEL, "=~" if matcher.op == "=" else "!~", pattern)
