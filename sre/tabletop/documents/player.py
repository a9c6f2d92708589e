"""What players get: the manual before play, a page for each inject while it runs, the form afterwards.

Nothing here reads the fields that belong to the control side; what artefacts hold was cleared when they were made.
"""

from __future__ import annotations

from collections.abc import Iterator

from sre.tabletop.documents.model import Blank, Block, Document, Grid, Heading, Items, Shown, Text
from sre.tabletop.model import Exercise, Inject

_CHANNELS = (
    ("pager", "a message of the monitoring, to the on-call engineer"),
    ("dashboard", "what the screens show to whoever looks"),
    ("chat", "a message in the team's channels"),
    ("phone", "a call: answer it now"),
    ("email", "mail: answer it in the time it names"),
    ("status page", "something is to be said to customers"),
)
_SCALE = "1 (no) to 5 (yes)"
_QUESTIONS = (
    "The scenario was plausible for our platform.",
    "I knew what was expected of my role.",
    "The objectives were the right ones for us.",
    "I had the pages, rights and contacts that I needed.",
    "The pace left enough time to think and to speak.",
    "Charts, logs and messages were like those of a real day.",
    "Everybody was heard.",
    "I would do my part better tomorrow than yesterday.",
)


def player_manual(exercise: Exercise) -> Document:
    """For everybody who plays, to be read before the day."""
    return Document(
        "player-manual",
        f"Player manual: {exercise.name}",
        f"A tabletop exercise of {exercise.minutes} minutes",
        "players",
        tuple(_manual(exercise)),
    )


def _manual(exercise: Exercise) -> Iterator[Block]:
    yield Grid(("", ""), tuple((what, "") for what in ("Date", "Place or call", "Facilitator", "Evaluator")), (30, 70))
    yield Heading("Why we do this")
    yield Text(
        "On a quiet day we take an hour to go through a bad one. We talk through an incident of our platform, from the "
        "first sign to the last message, each in the own role, and see whether pages, rights and arrangements hold. "
        "Afterwards we know what to mend, who mends it and by when."
    )
    yield Heading("What is exercised")
    roles = [", ".join(exercise.role_title(role) for role in one.roles) for one in exercise.objectives]
    rows = tuple((o.id, o.title, o.player, r) for o, r in zip(exercise.objectives, roles, strict=True))
    yield Grid(("", "Objective", "What it is about", "Whose"), rows, (6, 20, 48, 26))
    yield Heading("Schedule")
    yield Grid(("From", "Minutes", "What"), _schedule(exercise), (14, 14, 72))
    yield Heading("Ground rules")
    yield Items(exercise.frame.rules, "numbered")
    yield Heading("Roles")
    roles_rows = tuple((r.title, r.does, r.decides, "") for r in exercise.roles)
    yield Grid(("Role", "Does", "Decides", "Who"), roles_rows, (18, 40, 26, 16))
    yield Text(
        "The facilitator keeps time, brings the injects in and plays everybody who is not in the room. The evaluator "
        "writes down and does not speak. Observers listen.",
        "note",
    )
    yield Heading("How information reaches you")
    yield Grid(("Channel", "What it is"), _CHANNELS, (20, 80))
    yield Text(
        "Say to whom you would speak, and through which channel. When you look something up (a page, a log, a metric), "
        "say what you look for; the facilitator tells you what you would have seen."
    )
    yield Heading("Assumptions and what is artificial")
    yield Items(exercise.frame.assumptions)
    yield Items(exercise.frame.artificialities)
    yield Heading("The platform")
    yield Grid(("", ""), exercise.platform, (24, 76))
    yield Text(
        "You have what you have on a working day: `sre status` (what runs and gets work), `sre slo status` (objectives "
        "and budgets), the gateway's metrics page, logs of all parts, the runbooks, the status page, the phone list."
    )
    yield Heading("How the day begins")
    yield Text(exercise.situation, "quote")
    yield Heading("Words")
    yield Grid(("Word", "Meaning"), exercise.frame.glossary, (24, 76))
    yield Heading("Your notes", starts_page=True)
    yield Blank("What do I know, since when, from where?", 7)
    yield Blank("What did I decide or say, and when?", 7)
    yield Blank("What was missing: a page, a right, a number, a person?", 7)


def _schedule(exercise: Exercise) -> tuple[tuple[str, str, str], ...]:
    play, end = exercise.briefing_min, exercise.briefing_min + exercise.play_min
    return (
        ("0:00", str(exercise.briefing_min), "Welcome, ground rules, roles, questions"),
        (_clock(play), str(exercise.play_min), "STARTEX: play"),
        (_clock(end), str(exercise.hot_wash_min), "ENDEX: hot wash, then the feedback form"),
    )


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02d}"


def handouts(exercise: Exercise) -> Document:
    """One page an inject, to be handed out or shown when it comes."""
    blocks: list[Block] = [Text("Facilitator: hand out one page at a time, when its inject comes. Print on one side.")]
    for inject in exercise.injects:
        blocks += handout(exercise, inject)
    return Document(
        "handouts", f"Handouts: {exercise.name}", "For players, one page at a time", "players", tuple(blocks)
    )


def handout(exercise: Exercise, inject: Inject) -> Iterator[Block]:
    """What players see of one inject."""
    yield Heading(f"{inject.id}: {inject.channel}", starts_page=True)
    yield Grid(("From", "To"), ((inject.sender, exercise.role_title(inject.receiver)),), (50, 50))
    yield Text(inject.text, "quote")
    for artefact in inject.artefacts:
        yield Shown(artefact)
    yield Blank("Answer", 3)


def feedback_form(exercise: Exercise) -> Document:
    """For everybody in the room, directly after the hot wash."""
    blocks: tuple[Block, ...] = (
        Text("Five minutes, before you leave. It is about the exercise, not about people; a name is not needed."),
        Blank("My role"),
        Heading("How was it?"),
        Grid(("", _SCALE), tuple((question, "1   2   3   4   5") for question in _QUESTIONS), (74, 26)),
        Heading("In your words"),
        Blank("Three things that went well, and thanks to what", 3),
        Blank("Three things to change, and who could", 3),
        Blank("What I could not do because something was missing (page, right, number, person)", 2),
        Blank("What the next exercise should be about", 2),
        Blank("Anything about preparation, scenario or facilitation", 2),
    )
    return Document("feedback-form", f"Feedback: {exercise.name}", "For everybody who took part", "players", blocks)
