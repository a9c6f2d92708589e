"""OpenSLO v1 documents to `Slo`. What OpenSLO allows and this kit cannot evaluate yet is refused, not ignored.

Supported: kind SLO with an inline indicator, `ratioMetric` over counters (good or bad, and total), Prometheus sources
whose query is one selector or several joined by ` + `, one rolling window, Occurrences budgeting, one objective.
The runbook of an SLO is the annotation `sre/runbook`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from sre.errors import BadDocument
from sre.metrics.model import Selector
from sre.metrics.selector import BadSelector, parse_sum
from sre.slo.documents import Faults, Node, read_documents
from sre.slo.model import RatioSli, Slo

RUNBOOK_ANNOTATION = "sre/runbook"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"([1-9][0-9]*)(m|h|d|w)")
_UNIT_S = {"m": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_NOT_YET = "this kit does not evaluate it"


def load_slos(directory: Path) -> tuple[Slo, ...]:
    """Every SLO of the directory's YAML files (subfolders are not read), by file and place.

    Raises BadDocument with the faults of all files at once. Two SLOs of one name are a fault, so is an empty folder.
    """
    if not directory.is_dir():
        raise BadDocument([f"{directory}: no such folder: give the folder with the SLO documents"])
    slos: list[Slo] = []
    faults: list[str] = []
    for path in sorted((*directory.glob("*.yaml"), *directory.glob("*.yml"))):
        try:
            slos += read_slos(path)
        except BadDocument as error:
            faults += error.faults
    faults += _duplicates(slos)
    if not slos and not faults:
        faults.append(f"{directory}: holds no SLO document: add one, e.g. availability.yaml")
    if faults:
        raise BadDocument(faults)
    return tuple(slos)


def read_slos(path: Path) -> tuple[Slo, ...]:
    """The SLOs of one file, in order. Raises BadDocument with every fault as `file:line: path: what: mend`."""
    faults = Faults(path)
    documents = read_documents(path)
    if not documents:
        raise BadDocument([f"{path}:1: document: is empty: write an OpenSLO v1 document of kind SLO"])
    slos = [slo for document in documents if (slo := _Reader(faults).slo(document)) is not None]
    if faults.found:
        raise BadDocument(faults.found)
    return tuple(slos)


def _duplicates(slos: list[Slo]) -> list[str]:
    first: dict[str, Slo] = {}
    faults = []
    for slo in slos:
        if slo.name in first:
            earlier = first[slo.name].path
            faults.append(f"{slo.path}: metadata.name: `{slo.name}` stands in {earlier} already: rename one")
        first.setdefault(slo.name, slo)
    return faults


class _Reader:
    """Reads one document; after a fault it goes on with a stand-in, so that later faults are found too."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def slo(self, document: Node) -> Slo | None:
        before = len(self._faults.found)
        top = self._faults.mapping(document, ("apiVersion", "kind", "metadata", "spec"))
        self._header(document)
        spec = self._faults.required(document, "spec", "say what the objective is")
        metadata = self._faults.required(document, "metadata", "give at least metadata.name")
        if spec is None or metadata is None or top.get("kind") is None:
            return None
        name, title, runbook = self._metadata(metadata)
        slo = self._spec(spec, name=name, title=title or name, runbook=runbook)
        return slo if len(self._faults.found) == before else None

    def _header(self, document: Node) -> None:
        version = self._faults.required(document, "apiVersion", "write `apiVersion: openslo/v1`")
        self._faults.constant(version, "openslo/v1", "write `openslo/v1`, the only version read")
        kind = self._faults.required(document, "kind", "write `kind: SLO`")
        self._faults.constant(kind, "SLO", f"{_NOT_YET}: write `SLO`, with its indicator inline")

    def _metadata(self, node: Node) -> tuple[str, str, str | None]:
        fields = self._faults.mapping(node, ("name", "displayName", "labels", "annotations"))
        name_node = self._faults.required(node, "name", "give a short unique name")
        name = self._faults.text(name_node, "give a short unique name")
        if name_node is not None and name and not _NAME.fullmatch(name):
            self._faults.add(name_node, f"is {name!r}: use lower-case letters, digits and `-`, at most 63")
        title = self._faults.text(fields.get("displayName"), "write one line of text")
        annotations = fields.get("annotations")
        runbook = (annotations.fields or {}).get(RUNBOOK_ANNOTATION) if annotations else None
        if annotations is not None and annotations.fields is None:
            self._faults.add(annotations, f"is {annotations.kind}: write a mapping of strings")
        return name, title, self._faults.text(runbook, "give the path of the runbook") or None

    def _spec(self, node: Node, *, name: str, title: str, runbook: str | None) -> Slo:
        known = ("description", "service", "indicator", "timeWindow", "budgetingMethod", "objectives")
        fields = self._faults.mapping(node, known, mend=f"{_NOT_YET}; remove it")
        service = self._faults.required(node, "service", "name the service this SLO is about")
        method = self._faults.required(node, "budgetingMethod", "write `budgetingMethod: Occurrences`")
        self._faults.constant(method, "Occurrences", f"write `Occurrences`, for other methods {_NOT_YET}")
        return Slo(
            name=name,
            title=title,
            description=self._faults.text(fields.get("description"), "write text, or remove the key"),
            service=self._faults.text(service, "name the service this SLO is about"),
            target=self._target(self._faults.required(node, "objectives", "write a list with one objective")),
            period_s=self._period_s(self._faults.required(node, "timeWindow", "write a list with one rolling window")),
            sli=self._sli(self._faults.required(node, "indicator", "write the indicator inline")),
            path=str(self._faults.file),
            runbook=runbook,
        )

    def _only_item(self, node: Node | None, what: str) -> Node | None:
        if node is None:
            return None
        if node.items is None or len(node.items) != 1:
            count = node.kind if node.items is None else f"a list of {len(node.items)}"
            self._faults.add(node, f"is {count}: write a list with exactly one {what}")
            return None
        return node.items[0]

    def _target(self, objectives: Node | None) -> float:
        objective = self._only_item(objectives, "objective")
        if objective is None:
            return 0.5
        fields = self._faults.mapping(objective, ("displayName", "target", "targetPercent"))
        given = [fields[key] for key in ("target", "targetPercent") if key in fields]
        if len(given) != 1:
            self._faults.add(objective, "needs exactly one of target, targetPercent: e.g. `target: 0.999`")
            return 0.5
        percent = "targetPercent" in fields
        bounds = (
            "write a number between 0 and 100, e.g. 99.9" if percent else "write a number between 0 and 1, e.g. 0.999"
        )
        number = self._faults.number(given[0], bounds)
        target = float(Decimal(str(number)) / (100 if percent else 1)) if number is not None else 0.5
        if not 0 < target < 1:
            self._faults.add(given[0], f"is {given[0].kind}: {bounds} (both ends excluded)")
        return target

    def _period_s(self, windows: Node | None) -> float:
        window = self._only_item(windows, "rolling window")
        if window is None:
            return 0.0
        self._faults.mapping(window, ("duration", "isRolling"), mend=f"{_NOT_YET}; remove it")
        rolling = self._faults.required(window, "isRolling", "write `isRolling: true`")
        self._faults.constant(rolling, True, "write `true`, calendar windows are not evaluated")
        duration = self._faults.required(window, "duration", "write e.g. `duration: 28d`")
        if duration is None:
            return 0.0
        found = _DURATION.fullmatch(str(duration.scalar))
        if found is None:
            self._faults.add(duration, f"is {duration.kind}: write a whole number of m, h, d or w, e.g. 28d")
            return 0.0
        return int(found.group(1)) * _UNIT_S[found.group(2)]

    def _sli(self, indicator: Node | None) -> RatioSli:
        if indicator is None:
            return RatioSli(total=())
        self._faults.mapping(indicator, ("metadata", "spec"))
        spec = self._faults.required(indicator, "spec", "put the ratioMetric here")
        if spec is None:
            return RatioSli(total=())
        self._faults.mapping(spec, ("description", "ratioMetric"), mend=f"{_NOT_YET}; remove it")
        ratio = self._faults.required(spec, "ratioMetric", "count good (or bad) and total events")
        return self._ratio(ratio) if ratio is not None else RatioSli(total=())

    def _ratio(self, node: Node) -> RatioSli:
        known = ("counter", "good", "bad", "total")
        fields = self._faults.mapping(node, known, mend=f"{_NOT_YET}; remove it")
        counter = self._faults.required(node, "counter", "write `counter: true`")
        self._faults.constant(counter, True, "write `true`, only monotone counters are evaluated")
        if fields and ("good" in fields) == ("bad" in fields):
            self._faults.add(node, "needs exactly one of good, bad: count one side, the other follows from total")
        total = self._faults.required(node, "total", "count all events that matter")
        sides = {"good": fields.get("good"), "bad": fields.get("bad"), "total": total}
        return RatioSli(**{side: self._selectors(source) for side, source in sides.items() if source is not None})

    def _selectors(self, node: Node) -> tuple[Selector, ...]:
        self._faults.mapping(node, ("metricSource",))
        source = self._faults.required(node, "metricSource", "give type and spec.query")
        if source is None:
            return ()
        self._faults.mapping(source, ("type", "spec"), mend=f"{_NOT_YET}; remove it")
        kind = self._faults.required(source, "type", "write `type: Prometheus`")
        self._faults.constant(kind, "Prometheus", "write `Prometheus`, the only source of selectors")
        spec = self._faults.required(source, "spec", "give the query")
        if spec is None:
            return ()
        self._faults.mapping(spec, ("query",))
        query = self._faults.required(spec, "query", "write one selector, or several joined by ` + `")
        return self._query(query) if query is not None else ()

    def _query(self, node: Node) -> tuple[Selector, ...]:
        text = self._faults.text(node, "write one selector, or several joined by ` + `")
        if not text:
            return ()
        try:
            selectors = parse_sum(text)
        except BadSelector as error:
            self._faults.add(node, f"not a selector: {error}")
            return ()
        for bound in (m.value for s in selectors for m in s.matchers if m.label == "le" and m.op == "="):
            if not _is_number(bound):
                self._faults.add(node, f'le="{bound}" is no bucket bound: write it as the exporter does, e.g. le="1.0"')
        return selectors


def _is_number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
