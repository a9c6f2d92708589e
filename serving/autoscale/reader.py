"""Typed values out of YAML nodes: every fault of a document at once, each with file:line, the field and the mend.

Nodes are read instead of Python values because only they know their line. A faulty value is replaced by a harmless one
so that reading goes on; what nobody asked for is refused, since a field that is silently ignored is a policy that does
something else than it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import yaml

from serving.autoscale.quantity import parse_quantity
from serving.errors import BadInput

_NULL = "tag:yaml.org,2002:null"


class Faults:
    """What is wrong with one document."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.lines: list[str] = []

    def add(self, node: yaml.Node | None, path: str, what: str, mend: str) -> None:
        place = f"{self.where}:{node.start_mark.line + 1}" if node is not None else self.where
        self.lines.append(f"{place}: {path}: {what}: {mend}" if path else f"{place}: {what}: {mend}")

    def raise_any(self) -> None:
        if self.lines:
            raise BadInput("\n".join(self.lines))


def compose(text: str, where: str) -> yaml.Node | None:
    """The only document in `text`. Raises BadInput for text that is not YAML, or holds several documents."""
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadInput(f"{where}:{line}: not one YAML document ({error.problem or error.context}): mend it") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{where}: not YAML ({' '.join(str(error).split())}): mend the syntax") from error
    return root


class Section:
    """One mapping of the document, at `path`."""

    def __init__(self, node: yaml.Node | None, path: str, faults: Faults) -> None:
        self.node, self.path, self.faults = node, path, faults
        self._fields: dict[str, yaml.Node] = {}
        self._keys: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        self._sections: list[Section] = []
        if isinstance(node, yaml.MappingNode):
            self._learn(node)
        elif node is not None:
            faults.add(node, path, "is no mapping of keys", "write keys and values")

    def _learn(self, node: yaml.MappingNode) -> None:
        for key, value in node.value:
            name = str(key.value)
            if name in self._fields:
                self.faults.add(key, self.at(name), "is given twice", "keep one")
            self._fields[name], self._keys[name] = value, key

    def at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Whether the key is there with a value."""
        self._asked.add(key)
        node = self._fields.get(key)
        return node is not None and node.tag != _NULL

    def fault(self, key: str, what: str, mend: str) -> None:
        self.faults.add(self._fields.get(key, self.node), self.at(key), what, mend)

    def section(self, key: str, *, required: bool = False) -> Section:
        """The mapping under `key`; an empty one when it is absent."""
        found = self.has(key)
        if required and not found:
            self.fault(key, "is missing", "write it")
        section = Section(self._fields[key] if found else None, self.at(key), self.faults)
        self._sections.append(section)
        return section

    def items(self, key: str) -> list[Section]:
        """The mappings of a list under `key`; none when it is absent."""
        if not self.has(key):
            return []
        node = self._fields[key]
        if not isinstance(node, yaml.SequenceNode):
            self.fault(key, "is no list", "write one entry a line, each with a dash")
            return []
        found = [Section(item, f"{self.at(key)}[{index}]", self.faults) for index, item in enumerate(node.value)]
        self._sections += found
        return found

    def text(self, key: str, default: str | None = None, *, choices: Sequence[str] = ()) -> str:
        """A word. Without `default` it must be there."""
        need = f"write one of {', '.join(choices)}" if choices else "write text"
        value = self._scalar(key, need, required=default is None)
        if value is None:
            return default if default is not None else (choices[0] if choices else "?")
        if (choices and value not in choices) or not value:
            self.fault(key, f"is {value!r}", need)
            return choices[0] if choices else "?"
        return value

    def integer(self, key: str, default: int | None = None, *, least: int = 0, most: int = 2**31 - 1) -> int:
        need = f"write a whole number from {least} to {most}"
        value = self._scalar(key, need, required=default is None)
        if value is None:
            return least if default is None else default
        if not value.isascii() or not value.isdigit() or not least <= int(value[:12]) <= most:
            self.fault(key, f"is {value!r}", need)
            return least if default is None else default
        return int(value)

    def quantity(self, key: str, default: Fraction | None = None, *, above_zero: bool = True) -> Fraction:
        need = f"write a Kubernetes quantity {'above 0' if above_zero else 'of at least 0'} (500m, 2, 1k)"
        value = self._scalar(key, need, required=default is None)
        if value is None:
            return Fraction(1) if default is None else default
        try:
            found = parse_quantity(value)
        except ValueError:
            found = Fraction(-1)
        if found < 0 or (above_zero and found == 0):
            self.fault(key, f"is {value!r}", need)
            return Fraction(1)
        return found

    def flag(self, key: str, *, default: bool) -> bool:
        return self.text(key, str(default).lower(), choices=("true", "false")) == "true"

    def words(self, key: str) -> dict[str, str]:
        """A mapping of words to words (labels, annotations); empty when it is absent."""
        if not self.has(key):
            return {}
        section = Section(self._fields[key], self.at(key), self.faults)
        return {name: section.text(name, "") for name in section.names}

    @property
    def names(self) -> list[str]:
        return list(self._fields)

    def refuse(self, keys: Sequence[str], why: Callable[[str], tuple[str, str]]) -> None:
        """Refuse known keys that cannot be honoured; `why` gives what and mend."""
        for key in keys:
            if self.has(key):
                self.fault(key, *why(key))

    def refuse_unknown(self) -> None:
        """Refuse each key that nobody asked for, here and below."""
        for key, node in self._keys.items():
            if key not in self._asked:
                known = ", ".join(sorted(self._asked)) or "none"
                self.faults.add(node, self.at(key), "is not a known key here", f"known are {known}")
        for section in self._sections:
            section.refuse_unknown()

    def _scalar(self, key: str, need: str, *, required: bool) -> str | None:
        if not self.has(key):
            if required:
                self.fault(key, "is missing", need)
            return None
        node = self._fields[key]
        if not isinstance(node, yaml.ScalarNode):
            self.fault(key, "takes one value", need)
            return None
        return str(node.value).strip()
