"""One document of any kind: YAML nodes in, a typed document out, every fault noted on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sre.slo.documents import Faults, Node
from sre.slo.openslo.alerting import read_condition, read_policy, read_target
from sre.slo.openslo.header import place_of, read_description, read_kind, read_metadata
from sre.slo.openslo.indicators import read_sli
from sre.slo.openslo.model import DataSource, Document, Kind, Place, Service
from sre.slo.openslo.objectives import read_slo


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one document. One with faults still answers to its name, and its references are still checked."""

    kind: Kind
    name: str
    place: Place
    document: Document | None
    sound: bool


def read_document(node: Node, faults: Faults) -> Reading | None:
    """None when even its kind is unknown."""
    before = len(faults.all)
    faults.mapping(node, ("apiVersion", "kind", "metadata", "spec"))
    if node.fields is None:
        return None
    kind = read_kind(node, faults)
    if kind is None:
        return None
    document = _READERS[kind](node, faults)
    name, place = _name(node, faults)
    return Reading(kind, name, place, document, sound=document is not None and len(faults.all) == before)


def _name(node: Node, faults: Faults) -> tuple[str, Place]:
    metadata = (node.fields or {}).get("metadata")
    name = ((metadata.fields if metadata else None) or {}).get("name")
    text = name.scalar.strip() if name is not None and isinstance(name.scalar, str) else ""
    return text, place_of(name or node, faults)


def _data_source(document: Node, faults: Faults) -> DataSource | None:
    head = faults.required(document, "metadata", "give at least metadata.name")
    metadata = read_metadata(head, faults) if head is not None else None
    spec = faults.required(document, "spec", "give the type, e.g. `type: Prometheus`")
    if spec is None:
        return None
    fields = faults.mapping(spec, ("description", "type", "connectionDetails"))
    description = read_description(fields, faults)
    kind = faults.text(faults.required(spec, "type", "write e.g. `type: Prometheus`"), "write e.g. `Prometheus`")
    connection = fields.get("connectionDetails")
    details = json.dumps(_plain(connection) if connection is not None else {}, sort_keys=True, ensure_ascii=False)
    return None if metadata is None else DataSource(metadata, kind, details, description, place_of(document, faults))


def _plain(node: Node) -> Any:
    if node.fields is not None:
        return {key: _plain(child) for key, child in node.fields.items()}
    if node.items is not None:
        return [_plain(child) for child in node.items]
    return node.scalar


def _service(document: Node, faults: Faults) -> Service | None:
    head = faults.required(document, "metadata", "give at least metadata.name")
    metadata = read_metadata(head, faults) if head is not None else None
    spec = (document.fields or {}).get("spec")
    empty = spec is None or (spec.fields is None and spec.items is None and spec.scalar is None)
    fields = {} if spec is None or empty else faults.mapping(spec, ("description",))
    description = read_description(fields, faults)
    return None if metadata is None else Service(metadata, description, place_of(document, faults))


_READERS: dict[Kind, Callable[[Node, Faults], Document | None]] = {
    "SLO": read_slo,
    "SLI": read_sli,
    "AlertPolicy": read_policy,
    "AlertCondition": read_condition,
    "AlertNotificationTarget": read_target,
    "DataSource": _data_source,
    "Service": _service,
}
