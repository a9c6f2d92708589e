"""`@name` in the texts of a page: what a reader finds there instead, `step 3` or `mitigation B`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TypeVar

from sre.runbooks.knowledge.model import Check, Mitigation, Page, Sign

REFERENCE = re.compile(r"(?<![\w@])@([a-z][a-z-]*)")
_NO_TEXT = ("name", "run", "check", "undo", "page", "level", "watch")
Part = TypeVar("Part", Check, Mitigation, Sign)


def resolved(page: Page) -> Page:
    """The page with every reference in words."""
    names = page.names

    def said(text: str) -> str:
        return REFERENCE.sub(lambda found: names.get(found.group(1), found.group(0)), text)

    return replace(
        page,
        meaning=said(page.meaning),
        clients=said(page.clients),
        checks=_each(page.checks, said),
        signs=_each(page.signs, said),
        mitigations=_each(page.mitigations, said),
        never=tuple(map(said, page.never)),
        over=tuple(map(said, page.over)),
        after=tuple(map(said, page.after)),
        kubernetes_checks=_each(page.kubernetes_checks, said),
        kubernetes_mitigations=_each(page.kubernetes_mitigations, said),
    )


def texts_of(page: Page) -> Iterator[str]:
    """Every text in which a reference may stand."""
    yield from (page.meaning, page.clients, *page.never, *page.over, *page.after)
    for part in (*page.commands, *page.signs):
        yield from (str(getattr(part, one.name)) for one in fields(part) if one.name not in _NO_TEXT)


def _each(parts: tuple[Part, ...], said: Callable[[str], str]) -> tuple[Part, ...]:
    return tuple(_part(part, said) for part in parts)


def _part(part: Part, said: Callable[[str], str]) -> Part:
    texts = {one.name: said(str(getattr(part, one.name))) for one in fields(part) if one.name not in _NO_TEXT}
    return replace(part, **texts)
