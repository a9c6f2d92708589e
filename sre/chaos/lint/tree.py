"""Ways into a document's tree that say nothing about what is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from sre.chaos.lint.model import Notes
from sre.slo.documents import Node


def field(node: Node | None, key: str) -> Node | None:
    return None if node is None or node.fields is None else node.fields.get(key)


def items(node: Node | None) -> tuple[Node, ...]:
    return () if node is None or node.items is None else node.items


def text(node: Node | None, key: str) -> str:
    """The text of a field, "" when it is absent or no text."""
    child = field(node, key)
    return child.scalar if child is not None and isinstance(child.scalar, str) else ""


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, in the order of the file."""
    yield node
    for child in (*(node.fields or {}).values(), *(node.items or ())):
        yield from walk(child)


def plain(node: Node) -> object:
    """The node as Python objects."""
    if node.fields is not None:
        return {key: plain(child) for key, child in node.fields.items()}
    if node.items is not None:
        return [plain(item) for item in node.items]
    return node.scalar


def is_nothing(node: Node) -> bool:
    return node.fields is None and node.items is None and node.scalar is None


def known_fields(node: Node, known: Collection[str], notes: Notes) -> dict[str, Node]:
    """The fields of a mapping with keys among `known`. A key without a value is an error: where Chaos Toolkit asks for
    `.get(key, {})`, it gets None and ends with a traceback.
    """
    fields = notes.errors.mapping(node, known)
    return {key: child for key, child in fields.items() if not _without_value(child, notes)}


def required_list(node: Node, key: str, mend: str, notes: Notes) -> tuple[Node, ...]:
    """The items of a list that must be there and hold something."""
    child = notes.errors.required(node, key, mend)
    if child is None or is_nothing(child):
        return ()
    if child.items is None or not child.items:
        notes.errors.add(child, f"is {'empty' if child.items is not None else child.kind}: write a list")
        return ()
    return child.items


def did_you_mean(word: object, known: Collection[str], otherwise: str) -> str:
    near = get_close_matches(str(word), known, n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise


def _without_value(child: Node, notes: Notes) -> bool:
    if not is_nothing(child):
        return False
    notes.errors.add(child, "is nothing: give it a value, or remove the key")
    return True
