"""The head of a sample's line, `name{label="value"}`: read and written as the Prometheus text formats have it."""

from __future__ import annotations

import re

from sre.metrics.identity import series_id
from sre.metrics.model import SeriesId

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HEAD = re.compile(rf"({_NAME})?\s*(?:\{{(.*)\}})?", re.DOTALL)
_PAIR = re.compile(r'\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(,|$)', re.DOTALL)
_NAME_ONLY = re.compile(_NAME)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", '"': '"', "\\": "\\"}
HEAD_PATTERN = rf'(?:{_NAME})?\s*(?:\{{(?:[^"}}]|"(?:[^"\\]|\\.)*")*\}})?'
"""A regular expression that finds where a head ends; `read_head` judges whether it is a good one."""


def read_head(text: str) -> SeriesId:
    """`name{a="b"}`, or with the name inside: `{__name__="name", a="b"}` (`promtool tsdb dump`), `{"name", a="b"}`.

    Raises ValueError with what is wrong.
    """
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise ValueError("no metric name and labels where they are expected")
    labels = _labels(found.group(2) or "")
    name = found.group(1) or labels.pop("__name__", "")
    if not _NAME_ONLY.fullmatch(name):
        raise ValueError(f"{name!r} is not a metric name" if name else "no metric name")
    return series_id(name, labels.items())


def write_head(series: SeriesId) -> str:
    """The head of a series' lines; `read_head` reads it back to an equal one."""
    if not series.labels:
        return series.name
    return series.name + "{" + ",".join(f'{label}="{_escape(value)}"' for label, value in series.labels) + "}"


def _labels(text: str) -> dict[str, str]:
    labels: dict[str, str] = {}
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is None:
            raise ValueError(f'label="value" is expected at {text[at : at + 30]!r}')
        label = pair.group(1) or "__name__"
        if label in labels:
            raise ValueError(f"label {label} is given twice")
        labels[label] = _ESCAPE.sub(lambda escape: _ESCAPED.get(escape.group(1), escape.group()), pair.group(2))
        at = pair.end()
    return labels


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
