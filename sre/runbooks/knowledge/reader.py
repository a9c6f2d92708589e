"""Knowledge files, read strictly: every fault of every file at once, each as `file:line: path: what: mend`.

`shared.yaml` holds steps and mitigations that many pages use by name, and what every page begins and ends with. A page
that uses one may change parts of it: `{use: wait, when: ...}`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from sre.errors import BadDocument
from sre.runbooks.knowledge.model import Check, Mitigation, Page, Sign
from sre.slo.documents import Faults, Node, read_documents

DATA = Path(__file__).parent / "data"
SHARED = "shared.yaml"
REFERENCE = re.compile(r"(?<![\w@])@([a-z][a-z-]*)")
_WRITE = "write text"
_PAGE = ("title", "meaning", "clients", "checks", "signs", "mitigations", "never", "over", "after", "kubernetes")
_CLUSTER = ("checks", "mitigations")
_LISTS = ("never", "over", "after")
_OPTIONAL = ("run", "back")
Part = TypeVar("Part", Check, Mitigation)


@functools.cache
def shipped_knowledge() -> Mapping[str, Page]:
    """The pages of this package by name, in the files' order. Raises BadDocument."""
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
        for text in _texts(page):
            for name in REFERENCE.findall(text):
                if name not in page.names:
                    yield f"{page.name}: @{name} is no step and no mitigation of this page: {', '.join(page.names)}"


def _texts(page: Page) -> Iterator[str]:
    yield from (page.meaning, page.clients, *page.never, *page.over, *page.after)
    for part in (*page.commands, *page.signs):
        yield from (str(getattr(part, one.name)) for one in fields(part) if one.name != "run")


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


class _File:
    """Reads one file; after a fault it goes on, so that later faults are found too."""

    def __init__(self, path: Path, shared: _Shared) -> None:
        self.faults = Faults(path)
        self._shared = shared
        documents = read_documents(path)
        self._root = documents[0] if documents else Node("", 1)

    def shared(self) -> _Shared:
        known = ("checks", "mitigations", "always", "over", "after")
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
        )

    def pages(self) -> Iterator[Page]:
        top = self.faults.mapping(self._root, ("pages",))
        listed = self.faults.required(self._root, "pages", "name each page with what is known of it")
        if listed is None or not top:
            return
        for name, node in (listed.fields or {}).items():
            yield self._page(name, node)

    def _page(self, name: str, node: Node) -> Page:
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
        return kind(**values)

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
