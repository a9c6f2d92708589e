"""Who signs what comes out of an incident or an exercise, and what makes a word a signature.

One list for post-incident reports, after-action reports and the FinOps briefing, so that a role has one name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from sre.errors import SreError
from sre.incidents.events import Approved, Event

ApproverId = Literal["sre-lead", "security-grc", "finance"]


@dataclass(frozen=True, slots=True)
class Approver:
    """A role that signs: `id` is typed and stored, `title` is read."""

    id: ApproverId
    title: str


APPROVERS = (Approver("sre-lead", "SRE lead"), Approver("security-grc", "Security/GRC"), Approver("finance", "Finance"))
"""In the order in which they are shown."""
APPROVER_IDS: tuple[ApproverId, ...] = tuple(one.id for one in APPROVERS)


@dataclass(frozen=True, slots=True)
class Signature:
    """Who decides for which role. A rejection needs a comment."""

    role: str
    name: str
    is_rejection: bool = False
    comment: str = ""


def check_signature(signature: Signature, roles: Sequence[str]) -> None:
    """Raises SreError for a role that is none of `roles`, an empty name, and a rejection without its reason."""
    if signature.role not in roles:
        raise SreError(f"{signature.role}: approves nothing here: use {', '.join(roles)}")
    if not signature.name.strip():
        raise SreError("an approval needs a name: --name")
    if signature.is_rejection and not signature.comment.strip():
        raise SreError("a rejection needs its reason: --comment")


def word_of(signature: Signature, document: str, sha256: str) -> Approved:
    """What is kept of a signature that was checked."""
    decision: Literal["approved", "rejected"] = "rejected" if signature.is_rejection else "approved"
    return Approved(signature.role, signature.name.strip(), document, sha256, decision, signature.comment.strip())


def told_of(word: Approved) -> str:
    """The line of the store for a reader."""
    return f"{word.name} ({word.role}) {word.decision} {word.document}, sha256 {word.sha256[:12]}"


def newest_words(events: Sequence[Event]) -> Mapping[tuple[str, str], Event]:
    """The newest `Approved` of each document and role, in order of first mention."""
    found = {(e.payload.document, e.payload.role): e for e in events if isinstance(e.payload, Approved)}
    return MappingProxyType(found)


def title_of(role: str) -> str:
    """As it is read; a role that is not in the list keeps the name it was stored under."""
    return next((one.title for one in APPROVERS if one.id == role), role)
