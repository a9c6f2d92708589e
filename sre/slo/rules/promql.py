"""Selectors to PromQL: counts of events in a window that are right when series are born, renamed or spelt differently.

Three traps of the usual `sum(increase(x[w]))` are closed here. A labelled series is often born with its first event,
which `increase` cannot see: its whole value counts, provided its target was being scraped when the window began (else
the series is old and merely new to this Prometheus). A bucket bound is spelt `1` by one client, `1.0` by another and by
Prometheus 3: all spellings are asked for. A metric that was renamed is taken under whichever name an instance has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from sre.metrics.model import Matcher, Selector
from sre.metrics.selector import format_selector
from sre.slo.rules.durations import duration
from sre.slo.rules.model import RuleOptions

_REGEX_SPECIAL = re.compile(r"([.+*?^$()\[\]{}|\\])")


def counted(selectors: Sequence[Selector], window_s: float, options: RuleOptions) -> str:
    """Events of counters in the window, a sum over every series that the selectors match; no element without any."""
    window = duration(window_s)
    return _total([_grown(*spelt(selector, options), window) for selector in selectors])


def sampled(selectors: Sequence[Selector], function: str, window_s: float, options: RuleOptions) -> str:
    """The sum of `function(x[window])` over every series that the selectors match."""
    window = duration(window_s)
    return _total([_either([f"{function}({x}[{window}])" for x in spelt(s, options)[0]]) for s in selectors])


def now(selectors: Sequence[Selector], options: RuleOptions) -> str:
    """The series that the selectors match, at this moment, as one vector without clashes of labels."""
    found = _union([_either(list(spelt(s, options)[0])) for s in selectors])
    return found if len(selectors) == 1 else f"({found})"


def spelt(selector: Selector, options: RuleOptions) -> tuple[tuple[str, ...], bool]:
    """The selector under each of its names, and whether its `le` is asked for in several spellings."""
    matchers = tuple(_bound(matcher) for matcher in selector.matchers)
    several = matchers != selector.matchers
    names = options.names(selector.name)
    return tuple(format_selector(Selector(name, matchers)) for name in names), several


def spellings(bound: str) -> tuple[str, ...]:
    """How client libraries and Prometheus write a bucket bound: `1` and `1.0`, `0.00005` and `5e-05`; sorted."""
    number = float(bound)
    if number in (float("inf"), float("-inf")):
        return (bound,)
    plain = format(Decimal(repr(number)), "f").rstrip("0").rstrip(".") if "." in repr(number) else repr(number)
    plain = plain if "e" not in plain else format(Decimal(plain), "f")
    found = {bound, plain, repr(number)}
    if "." not in plain:
        found.add(plain + ".0")
    exponent = Decimal(repr(number)).adjusted() if number else 0
    if exponent < -4 or (exponent >= 6 and not plain.rstrip("0").isdigit()) or exponent >= 6:
        found.add(_scientific(number))
    return tuple(sorted(found))


def _scientific(number: float) -> str:
    """As Go's shortest form writes it: `1e+06`, `2.5e-05`."""
    sign, digits, power = Decimal(repr(number)).as_tuple()
    text = "".join(map(str, digits)).rstrip("0") or "0"
    exponent = len(digits) + int(power) - 1
    mantissa = text[0] + (f".{text[1:]}" if text[1:] else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _bound(matcher: Matcher) -> Matcher:
    if matcher.label != "le" or matcher.op != "=":
        return matcher
    try:
        texts = spellings(matcher.value)
    except ValueError:
        return matcher
    if len(texts) == 1:
        return matcher
    return Matcher("le", "=~", "|".join(_REGEX_SPECIAL.sub(r"\\\1", text) for text in texts))


def _grown(names: Sequence[str], several_bounds: bool, window: str) -> str:
    """Growth of each series in the window; of one born in it the value it has reached, when that is more.

    More, because a restart makes the value small again, which `increase` sees through.
    """
    grown = _either([f"increase({one}[{window}])" for one in names])
    born = _either([_born(one, window, several_bounds) for one in names])
    both = _union([grown, born], apart="\n  ")
    return f"max without (sre_part) (\n  {both}\n)"


def _born(selector: str, window: str, several_bounds: bool) -> str:
    """Values of series that were not there when the window began though their target was.

    A bound that changes its spelling (an upgrade to Prometheus 3) is no birth: `le` is then left out of the comparison.
    """
    matching = "ignoring (le) " if several_bounds else ""
    fresh = f"last_over_time({selector}[{window}]) unless {matching}{selector} offset {window}"
    return f"({fresh}) and on (job, instance) (up offset {window} == 1)"


def _either(names: Sequence[str]) -> str:
    """The first name that an instance has; wrapped, so that it can stand anywhere."""
    return names[0] if len(names) == 1 else "(" + " or ".join(f"({name})" for name in names) + ")"


def _union(terms: Sequence[str], apart: str = " ") -> str:
    """Several vectors as one. Their series may have the same labels, so each gets the number of its term."""
    if len(terms) == 1:
        return terms[0]
    marked = [f'label_replace({term}, "sre_part", "{number}", "", "")' for number, term in enumerate(terms)]
    return f"{apart}or{apart}".join(marked)


def _total(terms: Sequence[str]) -> str:
    return f"sum({_union(terms)})"
