"""What a facilitator types while a session runs. A word or its first letter, then what belongs to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Literal

from sre.errors import SreError
from sre.tabletop.model import RATINGS, ROLE_IDS

Verb = Literal["next", "pause", "answer", "rate", "note", "item", "skip", "view", "end", "quit", "help"]
_LETTERS: Mapping[str, Verb] = MappingProxyType(
    {
        "": "next",
        "n": "next",
        "p": "pause",
        "a": "answer",
        "r": "rate",
        "t": "note",
        "i": "item",
        "s": "skip",
        "v": "view",
        "e": "end",
        "q": "quit",
        "h": "help",
        "?": "help",
    }
)
_VERBS: Mapping[str, Verb] = MappingProxyType({**_LETTERS, **{verb: verb for verb in _LETTERS.values()}})
_ABOUT = re.compile(r"^([IO]\d+)\b\s*", re.IGNORECASE)
_BY = re.compile(rf"^({'|'.join(ROLE_IDS)})\s*:\s*")
HELP = (
    ("Enter, n", "release the next inject now"),
    ("a [I03] [role:] TEXT", "note an answer to the newest inject, or to I03; the role is the receiver's unless named"),
    ("r [I03|O2] P|S|M|U [REMARK]", "rate the newest inject, I03, or objective O2"),
    ("t TEXT", "note something that happened"),
    ("i TITLE | OWNER | DUE", "an action for the improvement plan, due as 2026-12-31"),
    ("p", "pause the clock, and let it go on"),
    ("s [I03]", "skip the next inject, or I03"),
    ("v [I03]", "show an inject again"),
    ("e", "ENDEX: end of play"),
    ("q", "leave; `sre tabletop run --resume` goes on"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """`about` is an inject or objective, "" for the newest; `by` a role, "" for the receiver; `text` the rest."""

    verb: Verb
    about: str = ""
    by: str = ""
    text: str = ""


def parse(line: str) -> Command:
    """Raises SreError with one line on what cannot be read."""
    word, _, rest = line.strip().partition(" ")
    verb = _VERBS.get(word.lower())
    if verb is None:
        raise SreError(f"`{word}` is no command: type ? for help, or `a {line.strip()}` to note it as an answer")
    about, rest = _taken(_ABOUT, rest.strip())
    if verb == "answer":
        by, text = _taken(_BY, rest)
        return _with_text(Command(verb, about.upper(), by, text), "a TEXT")
    if verb == "rate":
        return _rating(about.upper(), rest)
    command = Command(verb, about.upper(), text=rest.strip())
    return _with_text(command, f"{verb} TEXT") if verb in ("note", "item") else command


def item_parts(text: str) -> tuple[str, str, str | None]:
    """Title, owner and due day of `TITLE | OWNER | DUE`; raises SreError."""
    title, owner, due = ([part.strip() for part in text.split("|")] + ["", ""])[:3]
    if not title or not owner:
        raise SreError("an action needs a title and an owner: i TITLE | OWNER | DUE")
    if due and not _is_day(due):
        raise SreError(f"{due}: is no day: write it as 2026-12-31")
    return title, owner, due or None


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _rating(about: str, rest: str) -> Command:
    word, _, remark = rest.partition(" ")
    if word.upper() not in RATINGS:
        raise SreError(f"`{word}` is no rating: use {', '.join(RATINGS)}, as in `r I03 S late but right`")
    return Command("rate", about, word.upper(), remark.strip())


def _with_text(command: Command, usage: str) -> Command:
    if not command.text:
        raise SreError(f"nothing to write down: {usage}")
    return command


def _taken(pattern: re.Pattern[str], text: str) -> tuple[str, str]:
    found = pattern.match(text)
    return ("", text) if found is None else (found.group(1), text[found.end() :])
