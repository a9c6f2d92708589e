"""A metricSource: which selectors it names, and what a person who wrote PromQL should write instead.

Documents hold selectors, not expressions (sre.metrics.selector says why). Most documents in the world hold expressions,
so a refusal here works out the selector inside the usual ones. It is offered, never taken: whoever wrote
`rate(x[1h])` may have meant the hour.
"""

from __future__ import annotations

import re
import warnings

from sre.metrics.model import Matcher, Selector
from sre.metrics.selector import BadSelector, format_selector, parse_sum
from sre.slo.documents import Faults, Node
from sre.slo.openslo.header import place_of
from sre.slo.openslo.model import Metric, Ref

PROMETHEUS = "Prometheus"
_ONE_SELECTOR = "write one selector, or several joined by ` + `"
_AGGREGATION = re.compile(r"(?:sum|avg|max|min|count)\s*(?:(?:by|without)\s*\([^()]*\)\s*)?\((.*)\)", re.DOTALL)
_GROUPED_AFTER = re.compile(r"(.*\))\s*(?:by|without)\s*\([^()]*\)", re.DOTALL)
_FUNCTION = re.compile(r"(?:rate|irate|increase|delta|idelta)\s*\((.*)\)", re.DOTALL)
_RANGE = re.compile(r"(.*[^\s])\s*\[[^\[\]]*\](?:\s*offset\s+\S+)?", re.DOTALL)
_QUANTILE = re.compile(r"histogram_quantile\s*\(\s*[0-9.]+\s*,(.*)\)", re.DOTALL)
_LONGEST_QUERY = 10_000


def read_metric(node: Node, faults: Faults) -> Metric:
    """The field under good, bad, total, raw or thresholdMetric: a mapping with metricSource."""
    faults.mapping(node, ("metricSource",))
    source = faults.required(node, "metricSource", "give type and spec.query")
    if source is None:
        return Metric((), place=place_of(node, faults))
    fields = faults.mapping(source, ("metricSourceRef", "type", "spec"))
    ref = read_ref(fields.get("metricSourceRef"), faults, "DataSource")
    spec = faults.required(source, "spec", "give the query")
    query = None
    if spec is not None:
        faults.mapping(spec, ("query",))
        query = faults.required(spec, "query", _ONE_SELECTOR)
    return Metric(
        selectors=_selectors(query, faults) if query is not None else (),
        type=_type(source, faults, has_ref=ref is not None),
        source=ref,
        place=place_of(query or source, faults),
    )


def read_ref(node: Node | None, faults: Faults, kind: str) -> Ref | None:
    """A reference by name."""
    name = faults.text(node, f"give metadata.name of the {kind}")
    if node is None or not name:
        return None
    if "/" in name or name.endswith((".yaml", ".yml")):
        faults.add(node, f"is {node.kind}: files are not followed: give metadata.name of the {kind}")
    return Ref(name, place_of(node, faults))


def is_prometheus(kind: str) -> bool:
    return kind.lower() == PROMETHEUS.lower()


def not_prometheus(kind: str) -> str:
    return f"{kind!r} cannot be read: write `{PROMETHEUS}`, and in spec.query a selector of its counters"


def _type(source: Node, faults: Faults, *, has_ref: bool) -> str:
    node = (source.fields or {}).get("type")
    if node is None:
        if source.fields is not None and not has_ref:
            faults.add(source, f"missing: write `type: {PROMETHEUS}`, or metricSourceRef with a DataSource", key="type")
        return ""
    kind = faults.text(node, f"write `type: {PROMETHEUS}`")
    if kind and not is_prometheus(kind):
        faults.add(node, f"is {not_prometheus(kind)}")
    return PROMETHEUS if kind else ""


def _selectors(node: Node, faults: Faults) -> tuple[Selector, ...]:
    text = faults.text(node, _ONE_SELECTOR)
    if not text:
        return ()
    parsed = _parse(text)
    if isinstance(parsed, str):
        faults.add(node, refusal(text, parsed))
        return ()
    for bound in (m.value for s in parsed for m in s.matchers if m.label == "le" and m.op == "="):
        if not _is_number(bound):
            faults.add(node, f'le="{bound}" is no bucket bound: write it as the exporter does, e.g. le="1.0"')
    return parsed


def _parse(text: str) -> tuple[Selector, ...] | str:
    """The selectors, or what is wrong with them."""
    if len(text) > _LONGEST_QUERY:
        return f"not a selector: it has {len(text):,} characters: {_ONE_SELECTOR}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's re muses about patterns that are fine in Prometheus
            return parse_sum(text)
    except BadSelector as error:
        return f"not a selector: {error}"
    except (OverflowError, RecursionError):
        return "not a selector: its regular expression is too large: simplify it"


def refusal(text: str, problem: str) -> str:
    """What is wrong with an expression and, where its selector can be told, which one to write."""
    if len(split_at("/", text)) > 1:
        return "is a ratio: write its two sides apart, as bare selectors under good (or bad) and total"
    quantile = _QUANTILE.fullmatch(text.strip())
    if quantile is not None:
        return _quantile_mend(quantile.group(1), problem)
    terms = [_inner(term) for term in split_at("+", text)]
    parsed = [_parse(term) for term in terms]
    found = [selector for selectors in parsed if not isinstance(selectors, str) for selector in selectors]
    if any(isinstance(selectors, str) for selectors in parsed):
        return problem
    written = " + ".join(format_selector(selector) for selector in found)
    return f"is a PromQL expression; windows and sums are computed from samples: write the bare selector, `{written}`"


def _quantile_mend(inside: str, problem: str) -> str:
    parsed = _parse(_inner(inside))
    if isinstance(parsed, str) or len(parsed) != 1 or not parsed[0].name.endswith("_bucket"):
        return problem
    family, others = parsed[0].name.removesuffix("_bucket"), [m for m in parsed[0].matchers if m.label != "le"]
    good = Selector(f"{family}_bucket", (Matcher("le", "=", "THRESHOLD"), *others))
    total = Selector(f"{family}_count", tuple(others))
    return (
        "is a quantile, which cannot be added up over time: count events, good is "
        f"`{format_selector(good)}`, total is `{format_selector(total)}`"
    )


def split_at(separator: str, text: str) -> list[str]:
    """The text cut at each separator that stands outside quotes and brackets."""
    terms, depth, quote, start, skip = [], 0, "", 0, False
    for index, character in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip = character == "\\" and quote != "`"
            quote = "" if character == quote else quote
        elif character in "\"'`":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == separator and depth == 0:
            terms.append(text[start:index])
            start = index + 1
    return [*terms, text[start:]]


def _inner(term: str) -> str:
    """What is left of a term without the aggregation, the function and the range around its selector."""
    for pattern in (_GROUPED_AFTER, _AGGREGATION, _FUNCTION, _RANGE):
        found = pattern.fullmatch(term.strip())
        term = found.group(1) if found else term
    return term.strip()


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
