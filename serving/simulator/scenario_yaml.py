"""A YAML document as plain data with the line of every value, so that a fault of its content can name its place.

Aliases and merges are followed, but a document may not grow beyond a bound by them, and a key may stand only once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from serving.autoscale.reader import compose
from serving.errors import BadInput

Place = tuple[str | int, ...]
_MOST_VALUES = 200_000
_MOST_DEPTH = 50


@dataclass(frozen=True, slots=True)
class Located:
    """`lines` has the line of each value, by the keys and indices that lead to it; () is the document."""

    where: str
    data: Any
    lines: dict[Place, int]

    def at(self, place: Place) -> str:
        """`file:line` of a value, or of the nearest one around it that is there."""
        while place not in self.lines:
            place = place[:-1]
        return f"{self.where}:{self.lines[place]}"


def read_located(text: str, where: str) -> Located:
    """The one document in `text`. Raises BadInput with file:line for what is no YAML or has a key twice."""
    try:
        root = compose(text, where)
    except RecursionError as error:
        raise BadInput(f"{where}: is nested too deep: mend the syntax") from error
    if root is None:
        raise BadInput(f"{where}: is empty: write at least groups and workload")
    reader = _Reader(where)
    data = reader.value(root, ())
    if reader.faults:
        raise BadInput("\n".join(reader.faults))
    return Located(where, data, reader.lines)


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self._values = 0
        self._constructor = yaml.constructor.SafeConstructor()
        self.lines: dict[Place, int] = {}
        self.faults: list[str] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._values += 1
        line = node.start_mark.line + 1
        if self._values > _MOST_VALUES or len(place) > _MOST_DEPTH:
            raise BadInput(f"{self._where}:{line}: is nested too deep or repeats itself through aliases: write it out")
        self.lines.setdefault(place, line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*place, index)) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self.faults.append(f"{self._where}:{line}: a key is no text: write a word")
            elif key == "<<":
                self.faults.append(f"{self._where}:{line}: `<<` is not read here: write the keys out")
            elif key in found:
                self.faults.append(f"{self._where}:{line}: `{key}` stands here twice: keep one")
            else:
                self.lines[(*place, key)] = line
                found[key] = self.value(value_node, (*place, key))
        return found

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError) as error:
            what = " ".join(str(error).split())[:80]
            self.faults.append(f"{self._where}:{node.start_mark.line + 1}: {what}: write a plain value")
            return None
