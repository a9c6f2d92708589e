"""A file into one tree: YAML or JSON by the ending of its name, as Chaos Toolkit has it."""

from __future__ import annotations

from pathlib import Path

from sre.chaos.lint.json_nodes import read_json
from sre.errors import BadDocument
from sre.slo.documents import Node, read_documents

ENDINGS = (".yaml", ".yml", ".json")
_MOST_BYTES = 4_000_000


def read_experiment(path: Path) -> Node:
    """The mapping that is the experiment. Raises BadDocument when the file is none."""
    if path.suffix not in ENDINGS:
        raise BadDocument([f"{path}: Chaos Toolkit reads {', '.join(ENDINGS)} only: rename it"])
    root = read_json(path, _text_of(path)) if path.suffix == ".json" else _only_document(path)
    if root.fields is None:
        raise BadDocument([f"{path}:{root.line}: document: is {root.kind}: write an experiment"])
    return root


def _only_document(path: Path) -> Node:
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: document: holds {len(documents)} documents: write exactly one experiment"])
    return documents[0]


def _text_of(path: Path) -> str:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise BadDocument([f"{path}: cannot be read ({getattr(error, 'strerror', error)}): check the path"]) from error
    if len(content) > _MOST_BYTES:
        raise BadDocument([f"{path}: is longer than {_MOST_BYTES:,} bytes: split it into several files"])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text: save it as UTF-8"]) from error
