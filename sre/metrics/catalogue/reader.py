"""Catalogue files, read strictly: every fault of a file at once, each as `file:line: path: what: mend`.

The SLO documents have a reader of their own in `sre.slo`, which this package may not import: arrows go down only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from sre.errors import BadDocument
from sre.metrics.catalogue.model import Failures, Label, Metric, MetricType

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_TOP = ("exporter", "title", "sources", "metrics")
_ENTRY = (*("name", "type", "unit", "labels", "buckets", "failures", "why", "since", "until", "renamed_to", "source"),)
_TEXTS = ("unit", "why", "since", "until", "renamed_to", "source")


def read_catalogue(path: Path) -> tuple[Metric, ...]:
    """The metrics of one catalogue file. Raises BadDocument with every fault."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): give a metric catalogue"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text: save it as UTF-8"]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadDocument([f"{path}:{mark.line + 1 if mark else 1}: not YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise BadDocument([f"{path}: holds control characters: save it as plain text in UTF-8"]) from error
    except RecursionError as error:
        raise BadDocument([f"{path}: not YAML: is nested too deep: mend the syntax"]) from error
    reader = _Reader(path)
    metrics = reader.catalogue(root)
    if reader.faults:
        raise BadDocument(reader.faults)
    return metrics


class _Reader:
    """Reads one file; after a fault it goes on, so that later faults are found too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: list[str] = []

    def catalogue(self, root: yaml.Node | None) -> tuple[Metric, ...]:
        if root is None:
            self.faults.append(f"{self._path}:1: document: is empty: give exporter, sources and metrics")
            return ()
        top = self._mapping(root, "document", _TOP)
        for key in ("exporter", "sources", "metrics"):
            if key not in top:
                self._fault(root, "document", f"{key} is missing: see the shipped catalogues for the form")
        exporter = self._text(top["exporter"], "exporter") if "exporter" in top else ""
        sources = self._sources(top["sources"]) if "sources" in top else {}
        metrics = []
        for node, where in self._items(top.get("metrics"), "metrics"):
            metric = self._metric(node, where, exporter, sources)
            if metric is not None:
                metrics.append(metric)
        return tuple(metrics)

    def _sources(self, node: yaml.Node) -> dict[str, str]:
        found = self._mapping(node, "sources", None)
        return {key: self._text(value, f"sources.{key}") for key, value in found.items()}

    def _metric(self, node: yaml.Node, where: str, exporter: str, sources: dict[str, str]) -> Metric | None:
        fields = self._mapping(node, where, _ENTRY)
        before = len(self.faults)
        for key in ("name", "type", "unit", "source"):
            if key not in fields:
                self._fault(node, f"{where}.{key}", "missing")
        texts = {key: self._text(fields[key], f"{where}.{key}") for key in _TEXTS if key in fields}
        if "source" in texts and texts["source"] not in sources:
            known = ", ".join(sorted(sources)) or "none"
            self._fault(fields["source"], f"{where}.source", f"{texts['source']!r} is not among sources: {known}")
        metric_type = self._choice(fields.get("type"), f"{where}.type", get_args(MetricType))
        failures = self._choice(fields.get("failures"), f"{where}.failures", get_args(Failures))
        buckets = self._buckets(fields.get("buckets"), f"{where}.buckets")
        if buckets is not None and metric_type != "histogram":
            self._fault(fields["buckets"], f"{where}.buckets", "only a histogram has buckets: remove them")
        if failures is not None and not texts.get("why"):
            self._fault(fields["failures"], f"{where}.why", "missing: say in a sentence what it counts and what not")
        name = self._name(fields.get("name"), f"{where}.name", _NAME)
        labels = self._labels(fields.get("labels"), f"{where}.labels")
        if len(self.faults) > before:
            return None
        return Metric(
            name=name,
            type=cast(MetricType, metric_type),
            unit=texts["unit"],
            exporter=exporter,
            source=sources[texts["source"]],
            labels=labels,
            buckets=buckets,
            failures=cast(Failures | None, failures),
            why=texts.get("why", ""),
            since=texts.get("since"),
            until=texts.get("until"),
            renamed_to=texts.get("renamed_to"),
        )

    def _labels(self, node: yaml.Node | None, where: str) -> tuple[Label, ...]:
        if node is None:
            return ()
        found = []
        for name, value in self._mapping(node, where, None).items():
            if not _LABEL.fullmatch(name):
                self._fault(value, f"{where}.{name}", "is no label name")
            values: tuple[str, ...] | None = None
            if isinstance(value, yaml.SequenceNode):
                values = tuple(self._text(item, at) for item, at in self._items(value, f"{where}.{name}"))
            elif self._text(value, f"{where}.{name}") != "any":
                self._fault(value, f"{where}.{name}", "write `any`, or the list of its values")
            found.append(Label(name, values))
        return tuple(found)

    def _buckets(self, node: yaml.Node | None, where: str) -> tuple[float, ...] | None:
        if node is None:
            return None
        bounds = []
        for item, at in self._items(node, where):
            bound = _finite(self._value(item))
            if bound is None:
                self._fault(item, at, f"is {str(self._value(item))[:40]}: write a finite number")
                continue
            bounds.append(bound)
        if bounds != sorted(set(bounds)):
            self._fault(node, where, "do not ascend: write each bound once, smallest first")
        return tuple(bounds)

    def _choice(self, node: yaml.Node | None, where: str, allowed: tuple[str, ...]) -> str | None:
        if node is None:
            return None
        value = self._value(node)
        if value not in allowed:
            self._fault(node, where, f"is {value!r}: write one of {', '.join(allowed)}")
            return None
        return str(value)

    def _name(self, node: yaml.Node | None, where: str, form: re.Pattern[str]) -> str:
        text = self._text(node, where) if node is not None else ""
        if text and not form.fullmatch(text):
            self._fault(cast(yaml.Node, node), where, f"{text!r} is no metric name")
        return text

    def _text(self, node: yaml.Node, where: str) -> str:
        value = self._value(node)
        if not isinstance(value, str) or not value.strip():
            self._fault(node, where, f"is {value!r}: write text (versions in quotes)")
            return ""
        return " ".join(value.split())

    def _items(self, node: yaml.Node | None, where: str) -> Iterator[tuple[yaml.Node, str]]:
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            self._fault(node, where, "write a list")
            return
        for i, item in enumerate(node.value):
            yield item, f"{where}[{i}]"

    def _mapping(self, node: yaml.Node, where: str, known: tuple[str, ...] | None) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self._fault(node, where, "write a mapping")
            return {}
        fields: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value)
            if known is not None and key not in known:
                self._fault(key_node, f"{where}.{key}", f"unknown key: use one of {', '.join(known)}")
            elif key in fields:
                self._fault(key_node, f"{where}.{key}", "stands here twice")
            fields[key] = value
        return fields

    @staticmethod
    def _value(node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
        try:
            return yaml.SafeLoader("").construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value

    def _fault(self, node: yaml.Node, where: str, problem: str) -> None:
        self.faults.append(f"{self._path}:{node.start_mark.line + 1}: {where}: {problem}")


def _finite(value: object) -> float | None:
    """A number as float; None for anything else, for NaN, and for what no float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
