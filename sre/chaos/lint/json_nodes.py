"""JSON with line numbers. YAML's reader would do for most of it, but refuses tabs and takes `1e3` for text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]  # the C scanner, in every CPython
from pathlib import Path

from sre.errors import BadDocument
from sre.slo.documents import Node, Scalar

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORDS: dict[str, Scalar] = {
    "true": True,
    "false": False,
    "null": None,
    "NaN": float("nan"),
    "Infinity": float("inf"),
    "-Infinity": float("-inf"),
}
_DEEPEST = 100


class NotJsonError(ValueError):
    """Where and why this is no JSON."""

    def __init__(self, problem: str, at: int) -> None:
        super().__init__(problem)
        self.problem, self.at = problem, at


def read_json(path: Path, text: str) -> Node:
    """The tree of a JSON text. Raises BadDocument with the line of what is wrong."""
    reader = _Reader(text)
    try:
        node, end = reader.value(0, "", 0)
        end = reader.space(end)
        if end != len(text):
            raise NotJsonError("something follows the value", end)
    except NotJsonError as error:
        raise BadDocument([f"{path}:{reader.line(error.at)}: not JSON: {error.problem}: mend the syntax"]) from error
    except JSONDecodeError as error:
        raise BadDocument([f"{path}:{error.lineno}: not JSON: {error.msg}: mend the syntax"]) from error
    return node


@dataclass(slots=True)
class _Reader:
    text: str
    _counted_to: int = 0
    _lines: int = 1

    def line(self, at: int) -> int:
        """The line of a place; places are mostly asked for in order."""
        if at < self._counted_to:
            return self.text.count("\n", 0, at) + 1
        self._lines += self.text.count("\n", self._counted_to, at)
        self._counted_to = at
        return self._lines

    def space(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return at if found is None else found.end()

    def value(self, at: int, path: str, depth: int) -> tuple[Node, int]:
        at = self.space(at)
        if depth > _DEEPEST:
            raise NotJsonError("is nested too deep", at)
        match self.text[at : at + 1]:
            case "{":
                return self._mapping(at, path, depth)
            case "[":
                return self._list(at, path, depth)
            case '"':
                scalar, end = scanstring(self.text, at + 1)
                return Node(path, self.line(at), scalar=scalar), end
        return self._word(at, path)

    def _word(self, at: int, path: str) -> tuple[Node, int]:
        number = _NUMBER.match(self.text, at)
        if number is not None:
            whole = number.group(1) is None and number.group(2) is None
            if whole and len(number.group()) > 1000:
                raise NotJsonError("this is no number of a sane size", at)
            value: Scalar = int(number.group()) if whole else float(number.group())
            return Node(path, self.line(at), scalar=value), number.end()
        for word, value in _WORDS.items():
            if self.text.startswith(word, at):
                return Node(path, self.line(at), scalar=value), at + len(word)
        raise NotJsonError("a value is missing here" if at < len(self.text) else "the file ends too early", at)

    def _list(self, at: int, path: str, depth: int) -> tuple[Node, int]:
        found: list[Node] = []
        line, at = self.line(at), self.space(at + 1)
        while self.text[at : at + 1] != "]":
            item, at = self.value(at, f"{path}[{len(found)}]", depth + 1)
            found.append(item)
            at = self._comma(at, "]")
        return Node(path, line, items=tuple(found)), at + 1

    def _mapping(self, at: int, path: str, depth: int) -> tuple[Node, int]:
        found: dict[str, Node] = {}
        line, at = self.line(at), self.space(at + 1)
        while self.text[at : at + 1] != "}":
            if self.text[at : at + 1] != '"':
                raise NotJsonError("a key must be text in double quotes", at)
            key_line = self.line(at)
            key, end = scanstring(self.text, at + 1)
            if key in found:
                raise NotJsonError(f"the key `{key}` stands here twice", at)
            at = self.space(end)
            if self.text[at : at + 1] != ":":
                raise NotJsonError("`:` is missing after a key", at)
            child, at = self.value(at + 1, f"{path}.{key}" if path else key, depth + 1)
            found[key] = Node(child.path, key_line, child.scalar, child.fields, child.items)
            at = self._comma(at, "}")
        return Node(path, line, fields=found), at + 1

    def _comma(self, at: int, closing: str) -> int:
        """Past the comma to the next item, or to the closing bracket."""
        at = self.space(at)
        if self.text[at : at + 1] == closing:
            return at
        if self.text[at : at + 1] != ",":
            raise NotJsonError(f"`,` or `{closing}` is missing", at)
        at = self.space(at + 1)
        if self.text[at : at + 1] == closing:
            raise NotJsonError("a comma too many", at)
        return at
