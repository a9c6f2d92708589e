"""YAML with line numbers: a tree that remembers where each value was written, and a reader that collects faults.

PyYAML's loaders forget positions. A fault without its line is a search through the file, so documents are composed into
nodes here and read through `Faults`, which gathers everything wrong with a file before anyone is told.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sre.errors import BadDocument

Scalar = str | int | float | bool | None
_MOST_NODES = 20_000
_LONGEST_PATH = 1_000


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
        return "nothing" if self.scalar is None else repr(self.scalar)


class LineLoader(yaml.SafeLoader):
    """PyYAML's safe loader, asked for Nodes instead of plain objects. Dates stay text."""

    _converted = 0

    def documents(self) -> list[Node]:
        """One Node for each non-empty document of the stream."""
        found = []
        while self.check_node():
            node = self.get_node()
            if node is not None and not (isinstance(node, yaml.ScalarNode) and node.value == ""):
                found.append(self._convert(node, ""))
        return found

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
        try:
            value: Scalar = self.construct_object(node)
        except (ValueError, KeyError, OverflowError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.MarkedYAMLError(problem=f"this is no {kind}", problem_mark=node.start_mark) from error
        return value

    def _refuse_bombs(self, node: yaml.Node, path: str) -> None:
        """A tree written out from aliases may be endless (an alias inside its own anchor) or merely enormous."""
        self._converted += 1
        if self._converted > _MOST_NODES or len(path) > _LONGEST_PATH:
            problem = "is nested too deep or repeats itself through aliases"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)

    def _fields(self, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        self._refuse_twins(node)
        self.flatten_mapping(node)  # puts what `<<` brings in first: a key written here overrides it
        node.value = list({str(key.value): (key, value) for key, value in node.value}.values())
        fields: dict[str, Node] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            child = self._convert(value_node, f"{path}.{key}" if path else key)
            # a block below its key is reported at the key: that is the line a person looks for
            fields[key] = Node(child.path, key_node.start_mark.line + 1, child.scalar, child.fields, child.items)
        return fields

    def _refuse_twins(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key `{key}` stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)


def read_documents(path: Path) -> list[Node]:
    """The documents of a YAML file. Raises BadDocument when it cannot be read or is not YAML."""
    try:
        loader = LineLoader(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): check the path"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text: save it as UTF-8"]) from error
    except yaml.YAMLError as error:
        raise BadDocument([f"{path}: holds control characters: save it as plain text in UTF-8"]) from error
    try:
        return loader.documents()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadDocument([f"{path}:{line}: not YAML: {error.problem or error.context}: mend the syntax"]) from error
    except RecursionError as error:
        raise BadDocument([f"{path}: not YAML: is nested too deep: mend the syntax"]) from error
    finally:
        loader.dispose()


@dataclass(slots=True)
class Faults:
    """Everything wrong with one file, each as `file:line: path: what: mend`."""

    file: Path
    found: list[str] = field(default_factory=list)

    def add(self, node: Node, problem: str, *, key: str | None = None) -> None:
        """Record a fault of `node`, or of its field `key`."""
        path = ".".join(part for part in (node.path, key) if part) or "document"
        self.found.append(f"{self.file}:{node.line}: {path}: {problem}")

    def mapping(self, node: Node, known: Collection[str], *, mend: str = "remove it") -> dict[str, Node]:
        """The fields of a mapping with keys among `known`; {} when it is something else."""
        if node.fields is None:
            self.add(node, f"is {node.kind}: write a mapping with {_list(known)}")
            return {}
        for key, child in node.fields.items():
            if key not in known:
                self.add(child, f"unknown key: {mend}, or use one of {_list(known)}")
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


def _list(keys: Collection[str]) -> str:
    return ", ".join(sorted(keys))
