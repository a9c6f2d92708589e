"""The files of `data/`, read strictly: every fault of every file at once, each as `file:line: path: what: mend`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast, get_args

from sre.errors import BadDocument
from sre.incidents.approvals import APPROVER_IDS, ApproverId
from sre.slo.documents import Faults, Node, read_documents
from sre.tabletop.model import RATINGS, ROLE_IDS, Approval, Basis, Channel, Improvement, Rating, Role, RoleId
from sre.tabletop.scenario import (
    CHANNELS,
    CONDITIONS,
    INSTANTS,
    KINDS,
    InjectTemplate,
    Instant,
    Kind,
    Mode,
    ObjectiveTemplate,
    Scenario,
)

DATA = Path(__file__).parent / "data"
_WRITE = "write text"
_INJECT = (
    *("key", "title", "rank", "minutes", "when", "basis", "at", "channel", "from", "to", "objective", "text"),
    *("artefacts", "expected", "steps", "contingency", "improve"),
)
_MODE = ("from", "first", "herring", "refute", "worse", "answer")
_EXERCISE = (
    *("names", "roles", "objectives", "rules", "assumptions", "artificialities", "glossary"),
    *("ratings", "rating_help", "rating_source", "approvals"),
)


@functools.cache
def shipped_scenario() -> Scenario:
    """What this package ships. Raises BadDocument."""
    return load_scenario(DATA)


def load_scenario(folder: Path) -> Scenario:
    """`exercise.yaml`, `injects.yaml` and `modes.yaml` of a folder. Raises BadDocument with every fault of all."""
    exercise, injects, modes = (_File(folder / f"{name}.yaml") for name in ("exercise", "injects", "modes"))
    frame = exercise.frame()
    templates = tuple(injects.injects([one.key for one in frame.objectives]))
    said = modes.modes()
    faults = [fault for file in (exercise, injects, modes) for fault in file.faults.found]
    if not faults and "default" not in said:
        faults = [f"{folder / 'modes.yaml'}: `default` is missing: say what holds for an unknown experiment"]
    if faults:
        raise BadDocument(faults)
    return Scenario(
        names=frame.names,
        roles=frame.roles,
        objectives=frame.objectives,
        rules=frame.rules,
        assumptions=frame.assumptions,
        artificialities=frame.artificialities,
        glossary=frame.glossary,
        ratings=frame.ratings,
        rating_source=frame.rating_source,
        approvals=frame.approvals,
        injects=templates,
        modes=said,
    )


class _File:
    """One file; after a fault it goes on, so that later faults are found too."""

    def __init__(self, path: Path) -> None:
        self.faults = Faults(path)
        documents = read_documents(path)
        self._root = documents[0] if documents else Node("", 1)

    def frame(self) -> Scenario:
        """Everything but injects and modes."""
        self.faults.mapping(self._root, _EXERCISE)
        roles = tuple(self._role(name, node) for name, node in self._named(self._root, "roles").items())
        helps = self._words(self._root, "rating_help")
        rated = self._words(self._root, "ratings").items()
        ratings = tuple((cast(Rating, key), text, helps.get(key, "")) for key, text in rated)
        return Scenario(
            names=self._lines(self._root, "names"),
            roles=roles,
            objectives=tuple(self._objective(k, node) for k, node in self._named(self._root, "objectives").items()),
            rules=self._lines(self._root, "rules"),
            assumptions=self._lines(self._root, "assumptions"),
            artificialities=self._lines(self._root, "artificialities"),
            glossary=tuple(self._words(self._root, "glossary").items()),
            ratings=tuple(one for one in ratings if one[0] in RATINGS),
            rating_source=self._text(self._root, "rating_source"),
            approvals=tuple(self._approval(node) for node in self._list(self._root, "approvals")),
            injects=(),
            modes=MappingProxyType({}),
        )

    def injects(self, objectives: list[str]) -> Iterator[InjectTemplate]:
        self.faults.mapping(self._root, ("injects",))
        for node in self._list(self._root, "injects"):
            yield self._inject(node, objectives)

    def modes(self) -> Mapping[str, Mode]:
        self.faults.mapping(self._root, ("modes",))
        return MappingProxyType({name: self._mode(node) for name, node in self._named(self._root, "modes").items()})

    def _inject(self, node: Node, objectives: list[str]) -> InjectTemplate:
        fields = self.faults.mapping(node, _INJECT)
        improve = fields.get("improve", Node(f"{node.path}.improve", node.line))
        self.faults.mapping(improve, ("title", "owner"))
        basis = self.faults.one_of(fields.get("basis"), get_args(Basis), "write drill or exercise") or "drill"
        return InjectTemplate(
            key=self._text(node, "key"),
            title=self._text(node, "title"),
            rank=int(self._number(node, "rank")),
            minutes=int(self._number(node, "minutes")),
            when=tuple(self._choices(fields.get("when"), CONDITIONS)),
            basis=cast(Basis, basis),
            at=cast(Instant, self._choice(node, "at", INSTANTS)),
            channel=cast(Channel, self._choice(node, "channel", CHANNELS)),
            sender=self._text(node, "from"),
            receiver=cast(RoleId, self._choice(node, "to", ROLE_IDS)),
            objective=self._choice(node, "objective", objectives),
            text=self._text(node, "text"),
            artefacts=cast(tuple[Kind, ...], tuple(self._choices(fields.get("artefacts"), KINDS))),
            expected=self._lines(node, "expected"),
            steps=self._items(fields.get("steps")),
            contingency=self._text(node, "contingency"),
            improvement=Improvement(
                self._text(improve, "title"), cast(RoleId, self._choice(improve, "owner", ROLE_IDS))
            ),
        )

    def _mode(self, node: Node) -> Mode:
        self.faults.mapping(node, _MODE)
        sender, first, herring, refute, worse, answer = (self._text(node, key) for key in _MODE)
        return Mode(sender, first, herring, refute, worse, answer)

    def _role(self, name: str, node: Node) -> Role:
        if name not in ROLE_IDS:
            self.faults.add(node, f"no such role: use {', '.join(ROLE_IDS)}")
        self.faults.mapping(node, ("title", "does", "decides"))
        title, does, decides = (self._text(node, key) for key in ("title", "does", "decides"))
        return Role(cast(RoleId, name), title, does, decides)

    def _objective(self, key: str, node: Node) -> ObjectiveTemplate:
        fields = self.faults.mapping(node, ("title", "roles", "player", "target"))
        roles = cast(tuple[RoleId, ...], tuple(self._choices(fields.get("roles"), ROLE_IDS)))
        title, player, target = (self._text(node, name) for name in ("title", "player", "target"))
        return ObjectiveTemplate(key, title, roles, player, target)

    def _approval(self, node: Node) -> Approval:
        self.faults.mapping(node, ("role", "title", "confirms"))
        role = cast(ApproverId, self._choice(node, "role", APPROVER_IDS))
        return Approval(role, self._text(node, "title"), self._text(node, "confirms"))

    def _text(self, node: Node, key: str) -> str:
        return self.faults.text(self.faults.required(node, key, _WRITE), _WRITE)

    def _choice(self, node: Node, key: str, known: list[str] | tuple[str, ...]) -> str:
        mend = f"use one of {', '.join(known)}"
        return self.faults.one_of(self.faults.required(node, key, mend), known, mend)

    def _choices(self, node: Node | None, known: tuple[str, ...]) -> Iterator[str]:
        mend = f"use some of {', '.join(known)}"
        for item in self.faults.list_of(node, mend):
            yield self.faults.one_of(item, known, mend)

    def _number(self, node: Node, key: str) -> float:
        child = self.faults.required(node, key, "write a number")
        return 0.0 if child is None else self.faults.number(child, "write a number") or 0.0

    def _list(self, node: Node, key: str) -> tuple[Node, ...]:
        return self.faults.list_of(self.faults.required(node, key, "write a list"), "write a list")

    def _lines(self, node: Node, key: str) -> tuple[str, ...]:
        return tuple(self.faults.text(item, _WRITE) for item in self._list(node, key))

    def _items(self, node: Node | None) -> tuple[str, ...]:
        return tuple(self.faults.text(item, _WRITE) for item in self.faults.list_of(node, "write a list"))

    def _named(self, node: Node, key: str) -> Mapping[str, Node]:
        child = self.faults.required(node, key, "write a mapping")
        if child is not None and child.fields is None:
            self.faults.add(child, f"is {child.kind}: write a mapping")
        return {} if child is None else child.fields or {}

    def _words(self, node: Node, key: str) -> dict[str, str]:
        return {name: self.faults.text(child, _WRITE) for name, child in self._named(node, key).items()}
