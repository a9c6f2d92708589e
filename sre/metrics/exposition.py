"""Prometheus text format to samples, cheap enough to run every second.

`prometheus_client.parser` reads each series' head (`name{labels}`) once; afterwards the head's text is looked up and
only the value is parsed. Heads are given to the library without their TYPE lines: with them it renames a counter `x`
to `x_total`, and Triton's counters have no such suffix.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

_EXEMPLAR = re.compile(r' # \{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\} \S+(?: \S+)?$')


class SampleId(NamedTuple):
    """A series as its target exposes it: raw name and sorted label pairs."""

    name: str
    labels: tuple[tuple[str, str], ...]


class MalformedExposition(ValueError):  # noqa: N818  (the recorder records it as a failed scrape; nobody else sees it)
    """A target's text is not the Prometheus text format; the message quotes the line."""


class ExpositionParser:
    """Parses the pages of one target. Keeps the series whose name starts with one of `keep` (empty: all)."""

    def __init__(self, keep: Iterable[str] = ()) -> None:
        self._keep = tuple(keep)
        self._heads: dict[str, SampleId] = {}

    def parse(self, text: str) -> dict[SampleId, float]:
        """Every kept sample of a page, NaN included, in page order. Timestamps and exemplars are ignored."""
        samples: dict[SampleId, float] = {}
        for line in self._wanted(text):
            head, tail = _split(line)
            try:
                series = self._heads.get(head) or self._learn(head)
                samples[series] = float(tail.split(None, 1)[0])
            except (ValueError, IndexError) as error:
                raise MalformedExposition(f"not a sample: {line[:120]!r}") from error
        self._forget_unused(len(samples))
        return samples

    def _wanted(self, text: str) -> Iterator[str]:
        for line in text.split("\n"):
            stripped = line.strip()
            if not stripped or stripped[0] == "#":
                continue
            if not self._keep or stripped.startswith(self._keep):
                yield stripped

    def _learn(self, head: str) -> SampleId:
        (family,) = text_string_to_metric_families(head + " 0\n")
        (sample,) = family.samples
        series = SampleId(sample.name, tuple(sorted(sample.labels.items())))
        self._heads[head] = series
        return series

    def _forget_unused(self, in_use: int) -> None:
        if len(self._heads) > 1_000 + 4 * in_use:
            self._heads.clear()


def _split(line: str) -> tuple[str, str]:
    if " # {" in line:
        line = _EXEMPLAR.sub("", line)
    head, brace, tail = line.rpartition("}")
    if brace:
        return head + brace, tail
    name, *rest = line.split(None, 1)
    return name, rest[0] if rest else ""
