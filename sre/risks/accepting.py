"""An acceptance as lines of `risks.yaml`, put in without touching anything else: comments and order stay.

The new text is read back and compared: nothing but this one risk may differ, else it is refused. Who writes it into the
file is another matter: the register is a document, and documents are agreed on in a review.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from difflib import unified_diff
from pathlib import Path

from sre.errors import BadDocument, SreError
from sre.risks.model import Acceptance, Entry
from sre.risks.register import FILE, read_register

_STATUS = re.compile(r"(?P<before>(?P<indent>[ ]*)(?P<dash>-[ ]+)?status:[ ]*)(?P<word>\w+)(?P<after>[ ]*(?:#.*)?)")


def acceptance_lines(accepted: Acceptance, indent: str = "") -> list[str]:
    """The block, a line each."""
    texts = {"approver": accepted.approver, "role": accepted.role}
    rows = [f"{key}: {_quoted(text)}" for key, text in texts.items()]
    rows += [f"on: {accepted.on}", f"expires: {accepted.expires}", f"reason: {_quoted(accepted.reason)}"]
    return [f"{indent}acceptance:", *(f"{indent}  {row}" for row in rows)]


def accepted_register(path: Path, risk_id: str, accepted: Acceptance) -> str:
    """The whole text of the register with this acceptance in it. Raises SreError, with the block, where it cannot be
    put in safely; BadDocument when the register is malformed.
    """
    register = read_register(path)
    entry = entry_named(register, risk_id)
    if entry.assessment is None:
        raise SreError(f"{path}: {risk_id} is not assessed: nobody can accept what is not known")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = _STATUS.fullmatch(lines[entry.lines["status"] - 1])
    if found is None:
        raise _by_hand(path, risk_id, accepted)
    indent = found["indent"] + " " * len(found["dash"] or "")
    lines[entry.lines["status"] - 1] = f"{found['before']}accepted{found['after']}"
    kept = _without_old(lines, entry)
    at = entry.lines["status"] - len([n for n in _old(entry, len(lines)) if n < entry.lines["status"]])
    text = "\n".join([*kept[:at], *acceptance_lines(accepted, indent), *kept[at:]]) + "\n"
    _require_only(text, register, risk_id, accepted, path)
    return text


def entry_named(register: Sequence[Entry], risk_id: str) -> Entry:
    """Raises SreError, listing what there is."""
    for entry in register:
        if entry.id == risk_id:
            return entry
    raise SreError(f"{risk_id} is not in {FILE}: it has {', '.join(e.id for e in register) or 'none'}")


def difference(path: Path, text: str) -> str:
    """What a reviewer sees, as a unified diff that `git apply` takes."""
    old = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(unified_diff(old, text.splitlines(keepends=True), f"a/{FILE}", f"b/{FILE}"))


def _old(entry: Entry, total: int) -> range:
    """Line numbers of the acceptance that is there already: up to the entry's next key, or five more. May be empty."""
    begin = entry.lines.get("acceptance")
    if begin is None:
        return range(0)
    later = [line for key, line in entry.lines.items() if key and line > begin]
    return range(begin, min(later, default=min(begin + 6, total + 1)))


def _without_old(lines: Sequence[str], entry: Entry) -> list[str]:
    gone = _old(entry, len(lines))
    return [line for number, line in enumerate(lines, 1) if number not in gone]


def _require_only(text: str, before: Sequence[Entry], risk_id: str, accepted: Acceptance, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tried = Path(folder) / FILE
        tried.write_text(text, encoding="utf-8")
        try:
            after = read_register(tried)
        except BadDocument:
            raise _by_hand(path, risk_id, accepted) from None
    if after != tuple(_accepted(entry, accepted) if entry.id == risk_id else entry for entry in before):
        raise _by_hand(path, risk_id, accepted)


def _accepted(entry: Entry, accepted: Acceptance) -> Entry:
    assert entry.assessment is not None  # noqa: S101  (asked by the caller)
    return Entry(replace(entry.risk, status="accepted"), replace(entry.assessment, acceptance=accepted))


def _by_hand(path: Path, risk_id: str, accepted: Acceptance) -> SreError:
    block = "; ".join(line.strip() for line in acceptance_lines(accepted)[1:])
    return SreError(f"{path}: {risk_id} is written so that it cannot be edited safely: put in by hand: {block}")


def _quoted(text: str) -> str:
    """A double-quoted scalar: JSON's strings are YAML's."""
    return json.dumps(" ".join(text.split()), ensure_ascii=False)
