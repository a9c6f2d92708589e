"""A tabletop exercise as one object: every document and the session are views of it, and `package.json` is it.

What players may read and what they may not is told apart by field, not by document: a player's page is made of `player`
texts, injects' `text` and artefacts alone. Minutes count from STARTEX of the session; instants of the drill are Unix
seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.incidents.approvals import ApproverId

RoleId = Literal["sre-lead", "on-call", "security-grc", "finance", "communications"]
ROLE_IDS: tuple[RoleId, ...] = ("sre-lead", "on-call", "security-grc", "finance", "communications")
Channel = Literal["pager", "chat", "dashboard", "phone", "status page", "email"]
Basis = Literal["drill", "exercise"]
"""Where an inject comes from: what a drill recorded, or an assumption that goes beyond it."""
Rating = Literal["P", "S", "M", "U"]
RATINGS: tuple[Rating, ...] = ("P", "S", "M", "U")
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Role:
    """Who plays: what the role `does`, and what it may decide."""

    id: RoleId
    title: str
    does: str
    decides: str


@dataclass(frozen=True, slots=True)
class Objective:
    """`player` says what is exercised; `target` is what the evaluator holds it against, and for the control side."""

    id: str
    title: str
    roles: tuple[RoleId, ...]
    player: str
    target: str


@dataclass(frozen=True, slots=True)
class Artefact:
    """What an inject shows. `text` always says it in words; `svg` is the chart, where there is one. `absent` is why
    there is nothing to show (then `text` is empty).
    """

    name: str
    title: str
    text: str
    svg: str = ""
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Improvement:
    """What to change when an inject went badly; `owner` is the role that would do it."""

    title: str
    owner: RoleId


@dataclass(frozen=True, slots=True)
class Inject:
    """One piece of information or question. Players see `at_min`, channel, sender, receiver, `text` and artefacts; the
    rest is for the control side. `drill_time` says when it was in the drill.
    """

    id: str
    key: str
    title: str
    at_min: int
    minutes: int
    channel: Channel
    sender: str
    receiver: RoleId
    text: str
    objective: str
    expected: tuple[str, ...]
    steps: tuple[str, ...]
    contingency: str
    basis: Basis
    drill_time: str
    artefacts: tuple[Artefact, ...]
    improvement: Improvement


@dataclass(frozen=True, slots=True)
class StoryRow:
    """One line of what really happened, for the control side."""

    at: str
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with where it comes from; `value` says n/a with the reason where there is none."""

    label: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """What a player who looks would have seen, for the facilitator to read out. `columns` are instants of the drill."""

    step: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The drill behind it. `manifest` is the sha256 of its manifest file; `reason` says why there is no drill."""

    report: str
    folder: str
    date: str
    verdict: str
    manifest: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """What it is, for the control side only. `terms` are the words that no player's page may hold."""

    title: str
    meaning: str
    faults: tuple[str, ...]
    protects: str
    hit: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signpost:
    """A row of the runbook's decision table."""

    see: str
    means: str
    do: str


@dataclass(frozen=True, slots=True)
class Runbook:
    """What the control side needs of the page: steps and decisions in the page's own numbering."""

    page: str
    title: str
    steps: tuple[str, ...]
    signs: tuple[Signpost, ...]
    mitigations: tuple[str, ...]
    never: tuple[str, ...]
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approval:
    """Who has to sign the after-action report, and what for."""

    role: ApproverId
    title: str
    confirms: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What every package has: rules, words, ratings. `assumptions` and `artificialities` are read by players."""

    rules: tuple[str, ...]
    assumptions: tuple[str, ...]
    artificialities: tuple[str, ...]
    glossary: tuple[tuple[str, str], ...]
    ratings: tuple[tuple[Rating, str, str], ...]
    rating_source: str
    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One package. `name` is neutral on purpose: the experiment's own name would give it away. `platform` are lines of
    what players know of the platform before play, `situation` how the day begins.
    """

    name: str
    experiment: str
    experiment_file: str
    title: str
    minutes: int
    briefing_min: int
    play_min: int
    hot_wash_min: int
    roles: tuple[Role, ...]
    objectives: tuple[Objective, ...]
    injects: tuple[Inject, ...]
    evidence: Evidence
    cause: Cause
    runbook: Runbook
    story: tuple[StoryRow, ...]
    figures: tuple[Figure, ...]
    look_ups: tuple[LookUp, ...]
    platform: tuple[tuple[str, str], ...]
    situation: str
    frame: Frame

    def inject(self, inject: str) -> Inject:
        """KeyError when there is none of this id."""
        for one in self.injects:
            if one.id == inject:
                return one
        raise KeyError(inject)

    def objective(self, objective: str) -> Objective:
        """KeyError when there is none of this id."""
        for one in self.objectives:
            if one.id == objective:
                return one
        raise KeyError(objective)

    def role_title(self, role: str) -> str:
        """A role that nobody plays is the facilitator's."""
        return next((one.title for one in self.roles if one.id == role), f"{role} (played by the facilitator)")
