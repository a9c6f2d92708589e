"""From an experiment, its runbook and a drill to one exercise.

The order is the drill's; minutes follow how much there is to talk about, because what took a platform two seconds takes
people ten minutes. Each inject says when it was in the drill. Same inputs, same exercise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.model import Drill
from sre.reports.facts import zero
from sre.reports.formats import clock, offset
from sre.reports.model import DrillReport
from sre.runbooks.knowledge.model import Page
from sre.slo.model import Slo
from sre.tabletop.artefacts import Recording, artefacts_of
from sre.tabletop.choosing import Wanted, choose, schedule
from sre.tabletop.drills import Found
from sre.tabletop.facts import Facts, facts_of, figures_of, platform_of
from sre.tabletop.known import Known
from sre.tabletop.look_ups import look_ups_of
from sre.tabletop.model import Cause, Exercise, Frame, Improvement, Inject, Objective, RoleId, StoryRow
from sre.tabletop.scenario import InjectTemplate, Scenario
from sre.tabletop.secrecy import found_in, terms_of

Phrase = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Making:
    """What every inject is made with."""

    phrase: Phrase
    known: Known
    recording: Recording | None
    terms: tuple[str, ...]
    objectives: Mapping[str, str]


def plan(
    drill: Drill, page: Page, slos: tuple[Slo, ...], found: Found, *, scenario: Scenario, wanted: Wanted
) -> Exercise:
    """The exercise. Raises SreError for a length or roles that cannot be played."""
    wanted.check()
    recording = found.recording
    report = None if recording is None else recording.report
    known = Known(page, () if report is None else _proven(report))
    facts, terms = facts_of(drill, slos, report), terms_of(drill, page, report)
    chosen = choose(scenario.injects, facts, wanted)
    objectives = _objectives(scenario, chosen, wanted.roles)
    briefing, play, hot_wash = wanted.parts
    phrase = _phrasing(
        {"f": facts, "m": scenario.mode_of(drill.path.stem, drill.runbook, drill.failure_mode), "k": known}
    )
    making = _Making(phrase, known, recording, terms, {key: one.id for key, one in objectives.items()})
    return Exercise(
        name=_name(drill, scenario),
        experiment=drill.id,
        experiment_file=drill.path.name,
        title=drill.title,
        minutes=wanted.minutes,
        briefing_min=briefing,
        play_min=play,
        hot_wash_min=hot_wash,
        roles=tuple(role for role in scenario.roles if role.id in wanted.roles),
        objectives=tuple(objectives.values()),
        injects=tuple(
            _inject(one, number, slot, making)
            for number, (one, slot) in enumerate(zip(chosen, schedule(chosen, play), strict=True), 1)
        ),
        evidence=found.evidence,
        cause=_cause(drill, page, facts, terms),
        runbook=known.runbook(),
        story=_story(recording),
        figures=figures_of(report),
        look_ups=look_ups_of(recording),
        platform=platform_of(drill, report),
        situation=_situation(facts),
        frame=_frame(scenario, terms),
    )


def _proven(report: DrillReport) -> tuple[str, ...]:
    """The mitigations that helped in the drill."""
    return tuple(one.mitigation for one in report.mitigations if one.verified_at is not None)


def _objectives(scenario: Scenario, chosen: Sequence[InjectTemplate], roles: Sequence[RoleId]) -> dict[str, Objective]:
    """Those that an inject is about, numbered."""
    used = {one.objective for one in chosen}
    kept = [one for one in scenario.objectives if one.key in used]
    return {
        one.key: Objective(
            f"O{number}", one.title, tuple(role for role in one.roles if role in roles), one.player, one.target
        )
        for number, one in enumerate(kept, 1)
    }


def _inject(template: InjectTemplate, number: int, slot: tuple[int, int], making: _Making) -> Inject:
    inject, phrase, known = f"I{number:02d}", making.phrase, making.known
    return Inject(
        id=inject,
        key=template.key,
        title=template.title,
        at_min=slot[0],
        minutes=slot[1],
        channel=template.channel,
        sender=phrase(template.sender),
        receiver=template.receiver,
        text=phrase(template.text),
        objective=making.objectives[template.objective],
        expected=tuple(phrase(text) for text in template.expected),
        steps=tuple(known.step_line(name) for name in template.steps if known.has(name)),
        contingency=phrase(template.contingency),
        basis=template.basis,
        drill_time=_drill_time(template, making.recording),
        artefacts=artefacts_of(template, inject, making.recording, making.terms),
        improvement=Improvement(phrase(template.improvement.title), template.improvement.owner),
    )


def _drill_time(template: InjectTemplate, recording: Recording | None) -> str:
    if template.basis == "exercise":
        return "n/a (goes beyond the drill)"
    if recording is None:
        return "n/a (no drill)"
    at = recording.instants.at(template.at)
    return f"{offset(at, zero(recording.report))} from the fault, {clock(at)} UTC"


def _phrasing(names: Mapping[str, object]) -> Phrase:
    environment = Environment(undefined=StrictUndefined, autoescape=False)  # noqa: S701  (plain text; pages escape it)
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]

    def phrase(template: str) -> str:
        text = environment.from_string(template).render(names)
        return re.sub(r"[ \t]+", " ", re.sub(r"\n{3,}", "\n\n", text)).strip()

    return phrase


def _name(drill: Drill, scenario: Scenario) -> str:
    """Neutral, and the same for the same experiment."""
    digits = re.sub(r"\D", "", drill.id)
    number = int(digits) - 1 if digits else int(hashlib.sha256(drill.id.encode()).hexdigest()[:8], 16)
    return scenario.names[number % len(scenario.names)]


def _cause(drill: Drill, page: Page, facts: Facts, terms: tuple[str, ...]) -> Cause:
    classes = [fault_class(name) for name in dict.fromkeys(drill.faults)]
    return Cause(
        title=page.title,
        meaning=" ".join(page.meaning.split()),
        faults=tuple(dict.fromkeys(drill.faults)),
        protects="; ".join(dict.fromkeys(one.protects for one in classes)),
        hit=facts.component,
        terms=terms,
    )


def _story(recording: Recording | None) -> tuple[StoryRow, ...]:
    """The drill's own timeline from shortly before the fault."""
    if recording is None:
        return ()
    report, begin = recording.report, recording.instants.calm
    rows = (row for row in report.incident.timeline if row.at >= begin and row.at <= report.ended_at)
    return tuple(StoryRow(offset(row.at, zero(report)), row.text, row.source) for row in rows)


def _situation(facts: Facts) -> str:
    return (
        f"It is a working day, mid-morning. The platform serves about {facts.rate} requests a second on "
        f"{facts.replicas} replicas, as it has all week. No change is on the calendar that you know of, all objectives "
        "were met yesterday, and the last hand-over said: nothing special. The on-call engineer has the pager; "
        "everybody else is at work."
    )


def _frame(scenario: Scenario, terms: tuple[str, ...]) -> Frame:
    """Words of the glossary that would tell what it is are left out."""
    told = tuple(entry for entry in scenario.glossary if not found_in(" ".join(entry), terms))
    return Frame(
        rules=scenario.rules,
        assumptions=scenario.assumptions,
        artificialities=scenario.artificialities,
        glossary=told,
        ratings=scenario.ratings,
        rating_source=scenario.rating_source,
        approvals=scenario.approvals,
    )
