"""Secrets written into the file. A guess, so a warning: a file in a repository is read by many."""

from __future__ import annotations

import re

from sre.chaos.lint.model import Notes
from sre.chaos.lint.tree import walk
from sre.slo.documents import Node

_NAMES = re.compile(
    r"(?:^|_|-)(?:password|passwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key)$", re.IGNORECASE
)
_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bsk-[A-Za-z0-9_-]{20,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}|\bBearer\s+[A-Za-z0-9._~+/-]{16,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\."
    r"|://[^/\s:@]+:[^/\s:@$]+@"
)
_MEND = "read it from the environment with {type: env, key: NAME} below `secrets`"


def check_leaks(root: Node, notes: Notes) -> None:
    for node in walk(root):
        value = node.scalar
        if not isinstance(value, str) or not value or value.startswith("${"):
            continue
        key = node.path.rpartition(".")[2]
        kept_here = node.path.startswith("secrets.") and key not in ("type", "key", "path")
        if kept_here or _NAMES.search(key) or _VALUES.search(value):
            notes.warnings.add(node, f"looks like a secret in plain text: {_MEND}")
