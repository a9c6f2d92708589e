"""What a page knows beside its facts. Texts are Markdown; `@name` in them means a step or mitigation of the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A diagnosis step: a question, commands that only read, and what their output means."""

    name: str
    ask: str
    run: str
    see: str


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Something that changes the platform. `run` may be empty: then there is nothing to type."""

    name: str
    title: str
    when: str
    do: str
    radius: str
    verify: str
    approval: str
    run: str = ""
    back: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """A row of the decision table: what is seen, what it means, what to do. `page` is another page to go on with."""

    see: str
    means: str
    do: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One runbook. `never` are wrong turns, `over` says when it has ended, `after` what to look at then."""

    name: str
    title: str
    meaning: str
    clients: str
    checks: tuple[Check, ...]
    signs: tuple[Sign, ...]
    mitigations: tuple[Mitigation, ...]
    never: tuple[str, ...]
    over: tuple[str, ...]
    after: tuple[str, ...]
    kubernetes_checks: tuple[Check, ...]
    kubernetes_mitigations: tuple[Mitigation, ...]

    @property
    def commands(self) -> tuple[Check | Mitigation, ...]:
        """Everything with something to type."""
        return (*self.checks, *self.mitigations, *self.kubernetes_checks, *self.kubernetes_mitigations)

    @property
    def names(self) -> dict[str, str]:
        """How a reader finds what `@name` refers to."""
        steps = {check.name: f"step {number}" for number, check in enumerate(self.checks, 1)}
        letters = {one.name: f"mitigation {chr(65 + number)}" for number, one in enumerate(self.mitigations)}
        cluster = {check.name: f"step K{number}" for number, check in enumerate(self.kubernetes_checks, 1)}
        return {**cluster, **steps, **letters}
