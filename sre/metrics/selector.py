"""PromQL instant-vector selectors: reading them, writing them, matching series.

SLO documents name counters by selector, not by PromQL expression, so that one document can be evaluated from any source
of samples. Hence the subset: a metric name and label matchers. Ranges, offsets and functions are refused: the evaluator
chooses windows itself. Regular expressions run under Python's `re` instead of RE2; they are anchored, as in PromQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn

from sre.errors import SreError
from sre.metrics.identity import BOUND_LABEL, bound_spellings, canonical_bound
from sre.metrics.model import Matcher, Selector, SeriesId

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OP = re.compile(r"=~|!~|!=|=")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"|' + r"'((?:[^'\\\n]|\\.)*)'|" + r"`([^`]*)`")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class BadSelector(SreError):  # noqa: N818  (reads as a sentence, like its siblings in sre.errors)
    """Text that is not a selector; `position` is the 0-based offset of the first character not understood."""

    def __init__(self, text: str, position: int, problem: str) -> None:
        super().__init__(f"{text!r}, character {position + 1}: {problem}")
        self.position = position


def parse_selector(text: str) -> Selector:
    """One selector, e.g. `sre_gateway_requests_total{outcome=~"error|truncated"}`. Raises BadSelector."""
    parser = _Parser(text)
    selector = parser.selector()
    parser.expect_end()
    return selector


def parse_sum(text: str) -> tuple[Selector, ...]:
    """One or more selectors joined by `+`, in the order written. Raises BadSelector."""
    parser = _Parser(text)
    selectors = [parser.selector()]
    while parser.take_plus():
        selectors.append(parser.selector())
    parser.expect_end()
    return tuple(selectors)


def format_selector(selector: Selector) -> str:
    """The selector as PromQL; `parse_selector` reads it back to an equal one."""
    if not selector.matchers:
        return selector.name
    return selector.name + "{" + ",".join(f"{m.label}{m.op}{_quote(m.value)}" for m in selector.matchers) + "}"


def series_filter(selector: Selector) -> Callable[[SeriesId], bool]:
    """A predicate with the regular expressions compiled once. An absent label counts as empty, as in PromQL.

    Bucket bounds (`le`) are compared as numbers: `le="1"` finds `le="1.0"`.
    """
    tests = [(m.label, _bound_test(m) if m.label == BOUND_LABEL else _value_test(m)) for m in selector.matchers]

    def matches(series: SeriesId) -> bool:
        if series.name != selector.name:
            return False
        return all(test(series.label(label) or "") for label, test in tests)

    return matches


def _value_test(matcher: Matcher) -> Callable[[str], bool]:
    value = matcher.value
    if matcher.op == "=":
        return lambda seen: seen == value
    if matcher.op == "!=":
        return lambda seen: seen != value
    pattern = re.compile(value, re.DOTALL)
    if matcher.op == "=~":
        return lambda seen: pattern.fullmatch(seen) is not None
    return lambda seen: pattern.fullmatch(seen) is None


def _bound_test(matcher: Matcher) -> Callable[[str], bool]:
    """A bound is compared as a number; a pattern holds when it matches one way to write the bound."""
    bound = canonical_bound(matcher.value)
    if matcher.op == "=":
        return lambda seen: canonical_bound(seen) == bound
    if matcher.op == "!=":
        return lambda seen: canonical_bound(seen) != bound
    pattern, wanted = re.compile(matcher.value, re.DOTALL), matcher.op == "=~"
    return lambda seen: any(pattern.fullmatch(text) is not None for text in bound_spellings(seen)) is wanted


def _quote(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r") + '"'


class _Parser:
    """A cursor over the text: every method reads one thing and moves on, or fails at the cursor."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def selector(self) -> Selector:
        name = self._take(_NAME, "a metric name is expected here")
        matchers: list[Matcher] = []
        if self._accept("{"):
            while not self._accept("}"):
                matchers.append(self._matcher())
                if not self._accept(",") and self._peek() != "}":
                    self._fail("expected `,` or `}` after a label matcher")
        self._refuse_expression()
        return Selector(name, tuple(matchers))

    def take_plus(self) -> bool:
        return self._accept("+")

    def expect_end(self) -> None:
        if self._peek():
            self._fail("nothing may follow the selector; join several with ` + `")

    def _matcher(self) -> Matcher:
        label = self._take(_LABEL, "a label name or `}` is expected here")
        op = self._take(_OP, "expected =, !=, =~ or !~")
        self._skip_space()
        start = self._at
        quoted = _QUOTED.match(self._text, start)
        if quoted is None:
            self._fail("a quoted label value is expected here")
        self._at = quoted.end()
        value = _unquote(quoted)
        if op in ("=~", "!~"):
            self._check_regex(value, start)
        return Matcher(label, op, value)

    def _check_regex(self, pattern: str, position: int) -> None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadSelector(self._text, position, f"not a regular expression: {error}") from error

    def _refuse_expression(self) -> None:
        if self._peek() == "[":
            self._fail("no range: the evaluator chooses windows, write the bare selector")
        if self._peek() == "(":
            self._fail("no functions: write the bare counter selector, rates are computed from its samples")

    def _skip_space(self) -> None:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1

    def _peek(self) -> str:
        self._skip_space()
        return self._text[self._at : self._at + 1]

    def _accept(self, character: str) -> bool:
        if self._peek() != character:
            return False
        self._at += 1
        return True

    def _take(self, pattern: re.Pattern[str], problem: str) -> str:
        self._skip_space()
        found = pattern.match(self._text, self._at)
        if found is None:
            self._fail(problem)
        self._at = found.end()
        return found.group()

    def _fail(self, problem: str) -> NoReturn:
        raise BadSelector(self._text, self._at, problem)


def _unquote(quoted: re.Match[str]) -> str:
    raw: str | None = quoted.group(3)
    if raw is not None:
        return raw
    body: str = quoted.group(1) if quoted.group(1) is not None else quoted.group(2)
    return _ESCAPE.sub(lambda escape: _ESCAPES.get(escape.group(1), escape.group(1)), body)
