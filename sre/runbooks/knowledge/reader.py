"""Knowledge files, read strictly: every fault of every file at once, each as `file:line: path: what: mend`.

`shared.yaml` holds steps and mitigations that many pages use by name, and what every page begins and ends with. A page
that uses one may change parts of it: `{use: wait, when: ...}`. Pages of failures stand under `pages:`, those of alerts
under `alerts:`; an alert page called `ErrorBudgetBurn` or `NoData` is that of every alert whose name ends so.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from sre.errors import BadDocument
from sre.runbooks.knowledge.model import Call, Check, Kind, Mitigation, Page, Query, Sign
from sre.runbooks.knowledge.references import REFERENCE, texts_of
from sre.slo.documents import Faults, Node, read_documents

DATA = Path(__file__).parent / "data"
SHARED = "shared.yaml"
_WRITE = "write text"
_PAGE = (
    *("title", "meaning", "clients", "checks", "signs", "mitigations", "never", "over", "after"),
    "kubernetes",
)
_CLUSTER = ("checks", "mitigations")
_LISTS = ("never", "over", "after")
_KINDS: tuple[tuple[Kind, str], ...] = (("failure", "pages"), ("alert", "alerts"))
_OPTIONAL = ("run", "back", "undo", "check", "level", "watch", "escalate")
_LEVELS = ("read-only", "mutating")
Part = TypeVar("Part", Check, Mitigation)


@functools.cache
def shipped_knowledge() -> Mapping[str, Page]:
    """The pages of failures of this package by name, in the files' order. Raises BadDocument."""
    return _of_kind("failure")


@functools.cache
def shipped_alerts() -> Mapping[str, Page]:
    """The pages of alerts, by the alert's name or the end of it. Raises BadDocument."""
    return _of_kind("alert")


def _of_kind(kind: Kind) -> Mapping[str, Page]:
    return MappingProxyType({name: page for name, page in _shipped().items() if page.kind == kind})


@functools.cache
def _shipped() -> Mapping[str, Page]:
    return load_knowledge(DATA)


def load_knowledge(folder: Path) -> Mapping[str, Page]:
    """The pages of a folder's files. Raises BadDocument with every fault of all of them."""
    shared = _File(folder / SHARED, _Shared())
    common = shared.shared()
    files = [_File(path, common) for path in sorted(folder.glob("*.yaml")) if path.name != SHARED]
    pages = [page for file in files for page in file.pages()]
    faults = [fault for file in (shared, *files) for fault in file.faults.found]
    faults += _twins(pages) or list(_broken_links(pages))
    if faults:
        raise BadDocument(faults)
    return MappingProxyType({page.name: page for page in pages})


def _twins(pages: list[Page]) -> list[str]:
    names = [page.name for page in pages]
    return [f"{name}: two pages have this name: merge them" for name in dict.fromkeys(names) if names.count(name) > 1]


def _broken_links(pages: list[Page]) -> Iterator[str]:
    known = {page.name for page in pages}
    for page in pages:
        for sign in page.signs:
            if sign.page and sign.page not in known:
                yield f"{page.name}: signs: page {sign.page!r} does not exist: use one of {', '.join(sorted(known))}"
        for text in texts_of(page):
            for name in REFERENCE.findall(text):
                if name not in page.names:
                    yield f"{page.name}: @{name} is no step and no mitigation of this page: {', '.join(page.names)}"
        yield from _broken_words(page)


def _broken_words(page: Page) -> Iterator[str]:
    queries = [query.name for query in page.queries]
    for one in (*page.mitigations, *page.kubernetes_mitigations):
        if one.level and one.level not in _LEVELS:
            yield f"{page.name}: {one.name}: level is {one.level!r}: write {' or '.join(_LEVELS)}"
        for name in one.watch.split():
            if name not in queries:
                yield f"{page.name}: {one.name}: watch: no query is named {name!r}: use {', '.join(queries)}"


@dataclass(frozen=True, slots=True)
class _Shared:
    """What many pages use. `first` and `last` are the names of the steps and mitigations that every page has."""

    checks: Mapping[str, Node] = field(default_factory=dict)
    mitigations: Mapping[str, Node] = field(default_factory=dict)
    first_checks: tuple[Node, ...] = ()
    first_mitigations: tuple[Node, ...] = ()
    first_cluster: tuple[Node, ...] = ()
    over: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    queries: Mapping[str, Query] = field(default_factory=dict)
    escalate: str = ""


class _File:
    """Reads one file; after a fault it goes on, so that later faults are found too."""

    def __init__(self, path: Path, shared: _Shared) -> None:
        self.faults = Faults(path)
        self._shared = shared
        documents = read_documents(path)
        self._root = documents[0] if documents else Node("", 1)

    def shared(self) -> _Shared:
        known = ("checks", "mitigations", "always", "over", "after", "calls", "queries", "escalate")
        top = self.faults.mapping(self._root, known)
        always = self.faults.mapping(top.get("always", Node("always", 1)), ("checks", "mitigations", "kubernetes"))
        return _Shared(
            checks=self._named(top.get("checks")),
            mitigations=self._named(top.get("mitigations")),
            first_checks=self._items(always.get("checks")),
            first_mitigations=self._items(always.get("mitigations")),
            first_cluster=self._items(always.get("kubernetes")),
            over=self._lines(top.get("over")),
            after=self._lines(top.get("after")),
            calls=tuple(self._call(item) for item in self._items(top.get("calls"))),
            queries={name: self._query(name, node) for name, node in self._named(top.get("queries")).items()},
            escalate=self.faults.text(top.get("escalate"), _WRITE),
        )

    def pages(self) -> Iterator[Page]:
        top = self.faults.mapping(self._root, ("pages", "alerts"))
        if self._root.fields is not None and not top:
            self.faults.add(self._root, "missing: name each page with what is known of it", key="pages")
        for kind, key in _KINDS:
            for name, node in self._named(top.get(key)).items():
                yield self._page(name, node, kind)

    def _page(self, name: str, node: Node, kind: Kind) -> Page:
        own = self.faults.mapping(node, _PAGE)
        nothing = Node(f"{node.path}.kubernetes", node.line, fields={})
        cluster = self.faults.mapping(own.get("kubernetes", nothing), _CLUSTER)
        texts = {key: self._text(node, key) for key in ("title", "meaning", "clients")}
        lists = {key: self._lines(own.get(key)) for key in _LISTS}
        shared = self._shared
        return Page(
            name=name,
            **texts,
            checks=self._parts(Check, (*shared.first_checks, *self._items(own.get("checks")))),
            signs=tuple(self._sign(item) for item in self._items(self._required(node, "signs"))),
            mitigations=self._parts(
                Mitigation, (*shared.first_mitigations, *self._items(self._required(node, "mitigations")))
            ),
            never=lists["never"],
            over=(*lists["over"], *shared.over),
            after=(*lists["after"], *shared.after),
            kubernetes_checks=self._parts(Check, (*shared.first_cluster, *self._items(cluster.get("checks")))),
            kubernetes_mitigations=self._parts(Mitigation, self._items(cluster.get("mitigations"))),
            calls=shared.calls,
            queries=tuple(shared.queries.values()),
            kind=kind,
        )

    def _parts(self, kind: type[Part], items: tuple[Node, ...]) -> tuple[Part, ...]:
        return tuple(self._part(kind, item) for item in items)

    def _part(self, kind: type[Part], item: Node) -> Part:
        """A name of `shared.yaml`, one of it with changes, or a whole one."""
        known = self._shared.checks if kind is Check else self._shared.mitigations
        names: list[str] = [one.name for one in fields(kind)]
        given = {"use": item} if item.fields is None else dict(self.faults.mapping(item, (*names, "use")))
        used = given.pop("use", None)
        if used is not None:
            name = self.faults.one_of(used, tuple(known), f"use one of {', '.join(sorted(known))}")
            base = known.get(name)
            given = {"name": Node(used.path, used.line, name), **((base and base.fields) or {}), **given}
        values: dict[str, str] = {}
        for key in names:
            if key in given or key not in _OPTIONAL or kind is Check:
                child = given.get(key)
                if child is None and used is None:
                    self.faults.add(item, f"missing: {_WRITE}", key=key)
                values[key] = self.faults.text(child, _WRITE)
        if kind is Mitigation:
            values.setdefault("escalate", self._shared.escalate)
        return kind(**values)

    def _call(self, item: Node) -> Call:
        self.faults.mapping(item, ("when", "who", "why"))
        return Call(*(self._text(item, key) for key in ("when", "who", "why")))

    def _query(self, name: str, node: Node) -> Query:
        self.faults.mapping(node, ("title", "promql"))
        return Query(name, self._text(node, "title"), self._text(node, "promql"))

    def _sign(self, item: Node) -> Sign:
        given = self.faults.mapping(item, ("see", "means", "do", "page"))
        texts = {key: self._text(item, key) for key in ("see", "means", "do")}
        return Sign(**texts, page=self.faults.text(given.get("page"), "name another page"))

    def _text(self, node: Node, key: str) -> str:
        return self.faults.text(self.faults.required(node, key, _WRITE), _WRITE)

    def _required(self, node: Node, key: str) -> Node | None:
        return self.faults.required(node, key, "write a list")

    def _lines(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.faults.text(item, _WRITE) for item in self._items(node))

    def _items(self, node: Node | None) -> tuple[Node, ...]:
        return self.faults.list_of(node, "write a list")

    def _named(self, node: Node | None) -> Mapping[str, Node]:
        return MappingProxyType({} if node is None else dict(node.fields or {}))
