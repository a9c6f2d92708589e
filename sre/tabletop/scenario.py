"""What the package ships as data: who plays, the injects' templates, and what people say in each kind of failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sre.tabletop.model import Approval, Basis, Channel, Improvement, Rating, Role, RoleId

Instant = Literal["symptom", "alert", "worst", "over"]
INSTANTS: tuple[Instant, ...] = ("symptom", "alert", "worst", "over")
Kind = Literal["alert", "requests", "ttft", "replicas", "budget", "readings", "engines", "log", "figures"]
KINDS: tuple[Kind, ...] = ("alert", "requests", "ttft", "replicas", "budget", "readings", "engines", "log", "figures")
CHANNELS: tuple[Channel, ...] = ("pager", "chat", "dashboard", "phone", "status page", "email")
CONDITIONS = ("drill", "alerted", "silent", "failed", "unharmed", "recovered")


@dataclass(frozen=True, slots=True)
class InjectTemplate:
    """Texts are Jinja templates over the facts. `rank` 1 stays in short sessions, 3 goes first; `minutes` weigh."""

    key: str
    title: str
    rank: int
    minutes: int
    when: tuple[str, ...]
    basis: Basis
    at: Instant
    channel: Channel
    sender: str
    receiver: RoleId
    objective: str
    text: str
    artefacts: tuple[Kind, ...]
    expected: tuple[str, ...]
    steps: tuple[str, ...]
    contingency: str
    improvement: Improvement


@dataclass(frozen=True, slots=True)
class Mode:
    """What people say while it happens. `refute` and `answer` are for the control side."""

    sender: str
    first: str
    herring: str
    refute: str
    worse: str
    answer: str


@dataclass(frozen=True, slots=True)
class ObjectiveTemplate:
    """An objective, exercised when one of its roles plays."""

    key: str
    title: str
    roles: tuple[RoleId, ...]
    player: str
    target: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """Everything of `data/`. `names` are neutral names of exercises."""

    names: tuple[str, ...]
    roles: tuple[Role, ...]
    objectives: tuple[ObjectiveTemplate, ...]
    rules: tuple[str, ...]
    assumptions: tuple[str, ...]
    artificialities: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    ratings: tuple[tuple[Rating, str, str], ...]
    rating_source: str
    approvals: tuple[Approval, ...]
    injects: tuple[InjectTemplate, ...]
    modes: Mapping[str, Mode]

    def mode_of(self, *names: str) -> Mode:
        """By the first name that is known (experiment's file, runbook, failure mode); a general one for strangers."""
        return next((self.modes[name] for name in names if name in self.modes), self.modes["default"])
