"""YAML with line numbers: a tree that remembers where each value was written, and a reader that collects faults.

PyYAML's loaders forget positions. A fault without its line is a search through the file, so documents are composed into
nodes here and read through `Faults`, which gathers everything wrong with a file before anyone is told. Composed in pure
Python on purpose: libyaml's composer (`CSafeLoader`) kills the process on deeply nested input.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

import yaml

from sre.errors import BadDocument

Scalar = str | int | float | bool | None
_FEWEST_NODES = 20_000
_LONGEST_PATH = 1_000
_MOST_CHARACTERS = 4_000_000
_MOST_BITS = 10_000
_MERGE, _TEXT = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document: `fields` is set for a mapping, `items` for a list, else it is `scalar`."""

    path: str
    line: int
    scalar: Scalar = None
    fields: dict[str, Node] | None = None
    items: tuple[Node, ...] | None = None

    @property
    def kind(self) -> str:
        """What a person calls this value."""
        if self.fields is not None:
            return "a mapping"
        if self.items is not None:
            return "a list"
        return "nothing" if self.scalar is None else _short(repr(self.scalar))


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


class LineLoader(yaml.SafeLoader):
    """PyYAML's safe loader, asked for Nodes instead of plain objects. Dates stay text."""

    _converted = 0
    _most_nodes = _FEWEST_NODES

    def documents(self) -> list[Node]:
        """One Node for each non-empty document of the stream."""
        found = []
        while self.check_node():
            node = self.get_node()
            if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value == ""):
                found.append(self._convert(node, ""))
        return found

    def allow_nodes(self, characters: int) -> None:
        """A node takes two characters at least, unless aliases repeat it: more nodes than text is a bomb."""
        self._most_nodes = max(_FEWEST_NODES, characters)

    def _convert(self, node: yaml.Node, path: str) -> Node:
        self._refuse_bombs(node, path)
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return Node(path, line, fields=self._fields(node, path))
        if isinstance(node, yaml.SequenceNode):
            return Node(path, line, items=tuple(self._convert(n, f"{path}[{i}]") for i, n in enumerate(node.value)))
        if node.tag == "tag:yaml.org,2002:timestamp":
            return Node(path, line, scalar=node.value)
        return Node(path, line, scalar=self._scalar(node))

    def _scalar(self, node: yaml.Node) -> Scalar:
        """A tag may promise what the text is not (`!!int x`), and `0x_` looks like a number to the resolver only."""
        kind = node.tag.rpartition(":")[2]
        try:
            value = node.value if node.tag == _TEXT else self.construct_object(node)
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            raise yaml.MarkedYAMLError(problem=f"this is no {kind}", problem_mark=node.start_mark) from error
        if value is not None and not isinstance(value, str | int | float):
            raise yaml.MarkedYAMLError(problem=f"{kind} is not read here: write text", problem_mark=node.start_mark)
        if isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise yaml.MarkedYAMLError(problem="this is no int of a sane size", problem_mark=node.start_mark)
        if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise yaml.MarkedYAMLError(problem="this is no text: half a character", problem_mark=node.start_mark)
        return value

    def _refuse_bombs(self, node: yaml.Node, path: str) -> None:
        """A tree written out from aliases may be endless (an alias inside its own anchor) or merely enormous."""
        self._converted += 1
        if self._converted > self._most_nodes or len(path) > _LONGEST_PATH:
            problem = "is nested too deep or repeats itself through aliases"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve `<<`. What it brings in comes first: a key written here overrides it. Twins go at every level, or
        merges of merges would multiply."""
        self._refuse_twins(node)
        super().flatten_mapping(node)
        node.value = list({key.value: (key, value) for key, value in node.value}.values())

    def _fields(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        self.flatten_mapping(node)
        fields: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            shown = _short(key if key.isprintable() else repr(key))
            child = self._convert(value_node, f"{path}.{shown}" if path else shown)
            # a block below its key is reported at the key: that is the line a person looks for
            fields[key] = Node(child.path, key_node.start_mark.line + 1, child.scalar, child.fields, child.items)
        return fields

    def _refuse_twins(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key_node.start_mark)
            if key_node.value in seen and key_node.tag != _MERGE:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{_short(key_node.value)}` stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key_node.value)


def read_documents(path: Path) -> list[Node]:
    """The documents of a YAML file. Raises BadDocument when it cannot be read or is not YAML."""
    text = _text_of(path)
    try:
        loader = LineLoader(text)
    except yaml.YAMLError as error:
        raise BadDocument([f"{path}: holds control characters: save it as plain text in UTF-8"]) from error
    loader.allow_nodes(len(text))
    try:
        return loader.documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadDocument([f"{path}:{line}: not YAML: {error.problem or error.context}: mend the syntax"]) from error
    except RecursionError as error:
        raise BadDocument([f"{path}: not YAML: is nested too deep: mend the syntax"]) from error
    except (ValueError, OverflowError) as error:  # an escape beyond Unicode, seen by PyYAML's scanner only
        problem = f"{path}:{loader.line + 1}: not YAML: an escape that is no character: mend the syntax"
        raise BadDocument([problem]) from error
    finally:
        loader.dispose()


def _text_of(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_MOST_CHARACTERS + 1)
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): check the path"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text: save it as UTF-8"]) from error
    except ValueError as error:  # a zero byte in the name
        raise BadDocument([f"{str(path)!r}: cannot be read ({error}): check the path"]) from error
    if len(text) > _MOST_CHARACTERS:
        raise BadDocument([f"{path}: is longer than {_MOST_CHARACTERS:,} characters: split it into several files"])
    return text


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong, at a line. Ordered by place; `text` is the whole message, `file:line: path: what: mend`."""

    file: str
    line: int
    text: str


@dataclass(slots=True)
class Faults:
    """Everything wrong with one file, each as `file:line: path: what: mend`."""

    file: Path
    all: list[Fault] = field(default_factory=list)

    @property
    def found(self) -> list[str]:
        """The messages, in the order in which the faults were seen."""
        return [fault.text for fault in self.all]

    def add(self, node: Node, problem: str, *, key: str | None = None) -> None:
        """Record a fault of `node`, or of its field `key`."""
        path = ".".join(part for part in (node.path, key) if part) or "document"
        self.all.append(Fault(str(self.file), node.line, f"{self.file}:{node.line}: {path}: {problem}"))

    def mapping(self, node: Node, known: Collection[str], *, mend: str = "remove it") -> dict[str, Node]:
        """The fields of a mapping with keys among `known`; {} when it is something else."""
        if node.fields is None:
            self.add(node, f"is {node.kind}: write a mapping with {_list(known)}")
            return {}
        for key, child in node.fields.items():
            if key not in known:
                near = get_close_matches(key, known, n=1)
                said = f"did you mean `{near[0]}`?" if near else f"{mend}, or use one of {_list(known)}"
                self.add(child, f"unknown key: {said}")
        return node.fields

    def required(self, node: Node, key: str, mend: str) -> Node | None:
        """A field that must be there."""
        child = (node.fields or {}).get(key)
        if child is None and node.fields is not None:
            self.add(node, f"missing: {mend}", key=key)
        return child

    def text(self, node: Node | None, mend: str) -> str:
        """A non-empty string; "" after a fault or when the node is absent."""
        if node is None:
            return ""
        if not isinstance(node.scalar, str) or not node.scalar.strip():
            self.add(node, f"is {node.kind}: {mend}")
            return ""
        return node.scalar.strip()

    def constant(self, node: Node | None, expected: Scalar, mend: str) -> None:
        """A value that only this kit's supported one may have."""
        if node is not None and (node.scalar != expected or type(node.scalar) is not type(expected)):
            self.add(node, f"is {node.kind}: {mend}")

    def one_of(self, node: Node | None, known: Collection[str], mend: str) -> str:
        """One of the words of `known`; "" after a fault or when the node is absent."""
        if node is None:
            return ""
        if isinstance(node.scalar, str) and node.scalar in known:
            return node.scalar
        near = get_close_matches(str(node.scalar), known, n=1) if node.scalar is not None else []
        self.add(node, f"is {node.kind}: {f'did you mean `{near[0]}`?' if near else mend}")
        return ""

    def boolean(self, node: Node | None, mend: str, *, default: bool = False) -> bool:
        """True or false; `default` after a fault or when the node is absent."""
        if node is None:
            return default
        if not isinstance(node.scalar, bool):
            self.add(node, f"is {node.kind}: {mend}")
            return default
        return node.scalar

    def number(self, node: Node, mend: str) -> float | None:
        """A number, None after a fault. Booleans are not numbers."""
        if isinstance(node.scalar, bool) or not isinstance(node.scalar, int | float):
            self.add(node, f"is {node.kind}: {mend}")
            return None
        try:
            return float(node.scalar)
        except OverflowError:
            self.add(node, f"is far too large: {mend}")
            return None

    def list_of(self, node: Node | None, mend: str) -> tuple[Node, ...]:
        """The items of a list; () after a fault or when the node is absent."""
        if node is None:
            return ()
        if node.items is None:
            self.add(node, f"is {node.kind}: {mend}")
            return ()
        return node.items


def _list(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys))
