"""A runbook's knowledge as injects use it: steps and mitigations in the page's own numbering, references resolved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sre.runbooks.knowledge.model import Mitigation, Page
from sre.runbooks.knowledge.references import REFERENCE
from sre.tabletop.model import Runbook, Signpost

_DRILL_ENDS = "heal"
_EMPHASIS = re.compile(r"(?<![\w*`])\*{1,2}([^*`]+)\*{1,2}(?![\w*`])")
_NOTHING = "n/a (the page has no second mitigation)"


@dataclass(frozen=True, slots=True)
class KnownMitigation:
    """A mitigation in words; `letter` is how the page calls it."""

    letter: str
    title: str
    when: str
    do: str
    radius: str
    verify: str
    back: str
    approval: str


class Known:
    """What templates may ask of a page, as `k`. Ending the drill is no mitigation here: to players it is real."""

    def __init__(self, page: Page, proven: Sequence[str] = ()) -> None:
        """`proven` are mitigations that the drill carried out: they come first."""
        self._page = page
        known = [one for one in page.mitigations if one.name != _DRILL_ENDS]
        real = sorted(known, key=lambda one: one.name not in proven)
        self.first = self._mitigation(real[0]) if real else _no_mitigation()
        self.second = self._mitigation(real[1]) if len(real) > 1 else _no_mitigation()
        self.sign = self.signs[0]
        self.never = self._said(page.never[0]) if page.never else "n/a"
        self.over = " ".join(self._said(text) for text in page.over)
        self.after = self._said(page.after[0]) if page.after else "n/a"

    @property
    def signs(self) -> tuple[Signpost, ...]:
        """The decision table."""
        rows = self._page.signs
        return tuple(
            Signpost(self._said(s.see), self._said(s.means), self._said(f"{s.do} {s.page}".strip())) for s in rows
        )

    @property
    def last_step(self) -> str:
        """The last step of the local diagnosis, by its number and question."""
        check = self._page.checks[-1]
        return f"{self._page.names[check.name]}: {self._said(check.ask)}"

    def step(self, name: str) -> str:
        """`step 4` or `mitigation B`; the name itself where the page has no such step."""
        return self._page.names.get(name, f"the step `{name}`")

    def has(self, name: str) -> bool:
        return name in self._page.names

    def step_line(self, name: str) -> str:
        """`step 4: Do users fail now?`"""
        asked = {check.name: check.ask for check in self._page.checks}
        return f"{self.step(name)}: {self._said(asked.get(name, ''))}".rstrip(": ")

    def runbook(self) -> Runbook:
        """The page for the control side."""
        page = self._page
        return Runbook(
            page=page.name,
            title=page.title,
            steps=tuple(f"{page.names[c.name]}: {self._said(c.ask)} `{_first_line(c.run)}`" for c in page.checks),
            signs=self.signs,
            mitigations=tuple(self._line(self._mitigation(one)) for one in page.mitigations if one.name != _DRILL_ENDS),
            never=tuple(self._said(text) for text in page.never),
            over=tuple(self._said(text) for text in page.over),
        )

    def _mitigation(self, one: Mitigation) -> KnownMitigation:
        texts = (one.title, one.when, one.do, one.radius, one.verify, one.back, one.approval)
        title, when, do, radius, verify, back, approval = (_ended(self._said(text or "none")) for text in texts)
        return KnownMitigation(self._page.names[one.name], title.rstrip("."), when, do, radius, verify, back, approval)

    def _line(self, one: KnownMitigation) -> str:
        return f"{one.letter}, {one.title}. When: {one.when} Do: {one.do} Approval: {one.approval}"

    def _said(self, text: str) -> str:
        """On one line, without Markdown's emphasis."""
        names, plain = self._page.names, _EMPHASIS.sub(r"\1", " ".join(text.split()))
        return REFERENCE.sub(lambda match: names.get(match.group(1), match.group(0)), plain)


def _ended(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _first_line(command: str) -> str:
    lines = command.strip().splitlines()
    return lines[0] + (" ..." if len(lines) > 1 else "")


def _no_mitigation() -> KnownMitigation:
    return KnownMitigation(*([_NOTHING] * 8))
