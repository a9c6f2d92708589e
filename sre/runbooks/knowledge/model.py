"""What a page knows beside its facts. Texts are Markdown; `@name` in them means a step or mitigation of the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["read-only", "mutating"]
Kind = Literal["failure", "alert"]


@dataclass(frozen=True, slots=True)
class Check:
    """A diagnosis step: a question, commands that only read, and what their output means."""

    name: str
    ask: str
    run: str
    see: str

    @property
    def is_mutating(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Something that changes the platform. `run` may be empty: then there is nothing to type.

    `check` is the verification as a command that ends with 0 when it is so; empty: a person has to judge. `undo` is the
    way back as a command. `watch` names queries, blank between them. `level` "": mutating where there is something to
    run. `escalate` says when and whom.
    """

    name: str
    title: str
    when: str
    do: str
    radius: str
    verify: str
    approval: str
    escalate: str = ""
    run: str = ""
    check: str = ""
    back: str = ""
    undo: str = ""
    level: str = ""
    watch: str = ""

    @property
    def is_mutating(self) -> bool:
        return (self.level or ("mutating" if self.run else "read-only")) == "mutating"

    @property
    def approval_level(self) -> Level:
        return "mutating" if self.is_mutating else "read-only"


@dataclass(frozen=True, slots=True)
class Sign:
    """A row of the decision table: what is seen, what it means, what to do. `page` is another page to go on with."""

    see: str
    means: str
    do: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """Something to paste into Prometheus: what it shows, and its PromQL."""

    name: str
    title: str
    promql: str


@dataclass(frozen=True, slots=True)
class Call:
    """When whom to call, by role, and what for."""

    when: str
    who: str
    why: str


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
    calls: tuple[Call, ...] = ()
    queries: tuple[Query, ...] = ()
    kind: Kind = "failure"

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

    def mitigation(self, name: str) -> Mitigation | None:
        """The one of this name, local or on Kubernetes."""
        every = (*self.mitigations, *self.kubernetes_mitigations)
        return next((one for one in every if one.name == name), None)
