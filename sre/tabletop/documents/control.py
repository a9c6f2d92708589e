"""What facilitator and evaluator get: the truth, the run sheet, what to answer, and what to look for."""

from __future__ import annotations

from collections.abc import Iterator

from sre.tabletop.documents.model import Blank, Block, Card, Document, Grid, Heading, Items, Part, Text
from sre.tabletop.model import Exercise, Inject, LookUp

_BEFORE = (
    "Send the player manual two working days ahead, to players only. This handbook and the inject list stay with you.",
    "Book a room for play and, for those who join from afar, one call with everybody visible.",
    "Name one evaluator for each two objectives; give them the evaluation guide and no other task.",
    "Print the handouts on one side, or have them ready to share one by one.",
    "Try `sre tabletop run` with this package once, on the machine and the screen of the day.",
    "Tell operations that an exercise takes place, and how a real incident reaches you meanwhile.",
    "Agree with the sponsor who approves the after-action report, and that nobody is appraised by it.",
)
_BRIEFING = (
    "Welcome, why we do this, ground rules (read them aloud), roles and who plays them.",
    "The platform and how the day begins, from the player manual.",
    "Questions. Then say the time, and `STARTEX`.",
)
_PLAY = (
    "Bring each inject in at its time, or when the one before is answered. Pause the clock for a good talk.",
    "Answer look-ups from the tables of this handbook. What is not there: 'you see nothing unusual'.",
    "Let people go wrong. Use the contingency when they leave the way for more than two minutes.",
    "Ask 'who decides that?' and 'how would you know?' more often than anything else.",
    "Play those who are not in the room, briefly and as they would be.",
    "Keep the last three minutes of play for the last inject, then say `ENDEX`.",
)
_HOT_WASH = (
    "Each role in turn: one thing that helped, one that was missing. No discussion in the first round.",
    "What it was, in three sentences, from this handbook. Now the cause may be named.",
    "What surprised: in the drill, in the room. Where do both differ?",
    "Improvements: title, owner, date. At most seven. Read them back.",
    "Feedback forms, thanks. Evaluators stay ten minutes and agree on the ratings.",
)


def handbook(exercise: Exercise) -> Document:
    """For the facilitator and the evaluators."""
    return Document(
        "facilitator-handbook",
        f"Facilitator and evaluator handbook: {exercise.name}",
        f"{exercise.experiment}: {exercise.title}",
        "control",
        tuple(_handbook(exercise)),
    )


def _handbook(exercise: Exercise) -> Iterator[Block]:
    yield Heading("What it is")
    yield Text(f"Not to be read by players. The cause: {exercise.cause.title}.", "warning")
    yield Text(exercise.cause.meaning)
    yield Grid(("", ""), _truth(exercise), (24, 76))
    yield Heading("What the drill measured")
    yield Grid(("What", "Value", "Source"), tuple((f.label, f.value, f.source) for f in exercise.figures), (34, 46, 20))
    yield Heading("Run sheet", starts_page=True)
    yield Text(
        f"{exercise.briefing_min} minutes of briefing, {exercise.play_min} of play, {exercise.hot_wash_min} of hot "
        "wash. Times below are minutes after STARTEX. Their order is the drill's, their distance how much there is to "
        "talk about."
    )
    yield Grid(
        ("After", "For", "Inject", "Channel", "To", "Objective"), tuple(_run_sheet(exercise)), (9, 8, 35, 15, 21, 12)
    )
    yield Text(
        "On screen: `sre tabletop run <package>` keeps time, shows each inject and records answers and ratings; "
        "`sre tabletop close` makes the after-action report from them."
    )
    yield Heading("Before the day")
    yield Items(_BEFORE, "boxes")
    yield Heading(f"Briefing, {exercise.briefing_min} minutes")
    yield Items(_BRIEFING, "boxes")
    yield Heading("While it runs")
    yield Items(_PLAY)
    yield Heading(f"Hot wash, {exercise.hot_wash_min} minutes")
    yield Items(_HOT_WASH, "boxes")
    yield Heading("What really happened")
    yield Text("Times count from the fault. The same rows, with all evidence, are in the drill's report.", "note")
    story = tuple((row.at, row.text, row.source) for row in exercise.story)
    yield Grid(("Time", "What", "Source"), story, (14, 66, 20), empty=_no_story(exercise))
    yield from _page(exercise)
    yield from _look_ups(exercise.look_ups)
    yield Heading("For evaluators")
    yield Text(
        "Sit where you see everybody, and do not speak during play. Write down what was said and decided, by which "
        "role, at which minute; judge afterwards. Rate each inject, then each objective, against its target in the "
        "evaluation guide. An objective's rating is the worst of its injects unless you give it one of its own."
    )
    ratings = tuple((rating, name, text) for rating, name, text in exercise.frame.ratings)
    yield Grid(("", "Rating", "When"), ratings, (6, 28, 66))
    yield Text(exercise.frame.rating_source, "note")


def _truth(exercise: Exercise) -> tuple[tuple[str, str], ...]:
    evidence = exercise.evidence
    drill = (
        f"{evidence.report}, {evidence.verdict}, in reports/{evidence.folder}" if evidence.report else evidence.reason
    )
    return (
        ("Experiment", f"{exercise.experiment}, `experiments/{exercise.experiment_file}`"),
        ("Fault", ", ".join(exercise.cause.faults)),
        ("Hits", exercise.cause.hit),
        ("What should protect", exercise.cause.protects),
        ("Runbook", f"`runbooks/{exercise.runbook.page}.md`"),
        ("Drill", drill),
        ("sha256 of its manifest", evidence.manifest or "n/a (no drill)"),
    )


def _no_story(exercise: Exercise) -> str:
    return exercise.evidence.reason or "The drill's timeline is empty."


def _run_sheet(exercise: Exercise) -> Iterator[tuple[str, ...]]:
    for one in exercise.injects:
        mark = " (assumption)" if one.basis == "exercise" else ""
        yield (
            f"{one.at_min} min",
            f"{one.minutes} min",
            f"{one.id} {one.title}{mark}",
            one.channel,
            exercise.role_title(one.receiver),
            one.objective,
        )


def _page(exercise: Exercise) -> Iterator[Block]:
    runbook = exercise.runbook
    yield Heading(f"The runbook: {runbook.page}")
    yield Heading("Diagnosis", 3)
    yield Items(runbook.steps)
    yield Heading("Decide", 3)
    yield Grid(("They see", "It means", "Do"), tuple((s.see, s.means, s.do) for s in runbook.signs), (42, 24, 34))
    yield Heading("Mitigation", 3)
    yield Items(runbook.mitigations)
    yield Heading("Do not", 3)
    yield Items(runbook.never)
    yield Heading("It is over when", 3)
    yield Items(runbook.over)


def _look_ups(tables: tuple[LookUp, ...]) -> Iterator[Block]:
    yield Heading("Look-ups: what players would have seen")
    if not tables:
        yield Text("n/a: there are no samples of a drill. Answer from the runbook's expected outputs.", "note")
    for table in tables:
        yield Heading(table.step, 3)
        yield Grid(table.columns, table.rows, (52, 12, 12, 12, 12))


def inject_list(exercise: Exercise) -> Document:
    """The master list: everything of each inject."""
    blocks: list[Block] = [
        Text("Not to be read by players.", "warning"),
        Grid(
            ("After", "For", "Inject", "Channel", "To", "Objective"),
            tuple(_run_sheet(exercise)),
            (9, 8, 35, 15, 21, 12),
        ),
    ]
    blocks += [Card(tuple(_inject(exercise, inject))) for inject in exercise.injects]
    return Document(
        "inject-list",
        f"Inject list: {exercise.name}",
        f"{exercise.experiment}: {exercise.title}",
        "control",
        tuple(blocks),
    )


def _inject(exercise: Exercise, inject: Inject) -> Iterator[Part]:
    objective = exercise.objective(inject.objective)
    yield Heading(f"{inject.id}. {inject.title}")
    shown = ", ".join(f"{a.name}{' (n/a)' if a.absent else ''}" for a in inject.artefacts) or "none"
    basis = "the drill" if inject.basis == "drill" else "an assumption, beyond the drill"
    yield Grid(
        ("", "", "", ""),
        (
            ("Time", f"{inject.at_min} min, for {inject.minutes} min", "In the drill", inject.drill_time),
            ("From", f"{inject.sender} ({inject.channel})", "To", exercise.role_title(inject.receiver)),
            ("Objective", f"{objective.id} {objective.title}", "Basis", basis),
            ("Artefacts", shown, "Runbook", "; ".join(inject.steps) or "no step of its own"),
        ),
        (11, 35, 13, 41),
    )
    yield Text(inject.text, "quote")
    yield Heading("Expected action", 3)
    yield Items(inject.expected, "boxes")
    yield Text(f"If players go elsewhere: {inject.contingency}")


def evaluation_guide(exercise: Exercise) -> Document:
    """A page an objective: what to look for, room for what was seen, and the rating."""
    return Document(
        "evaluation-guide",
        f"Evaluation guide: {exercise.name}",
        f"{exercise.experiment}: {exercise.title}",
        "control",
        tuple(_guide(exercise)),
    )


def _guide(exercise: Exercise) -> Iterator[Block]:
    yield Text("Not to be read by players.", "warning")
    ratings = tuple((rating, name, text) for rating, name, text in exercise.frame.ratings)
    yield Grid(("", "Rating", "When"), ratings, (6, 28, 66))
    yield Text(exercise.frame.rating_source, "note")
    yield Blank("Evaluator")
    for objective in exercise.objectives:
        yield Heading(f"{objective.id}. {objective.title}", starts_page=True)
        yield Text(f"Target: {objective.target}")
        yield Text(f"Roles: {', '.join(exercise.role_title(role) for role in objective.roles)}", "note")
        for inject in (one for one in exercise.injects if one.objective == objective.id):
            yield Heading(f"{inject.id}, {inject.at_min} min: {inject.title}", 3)
            yield Items(inject.expected, "boxes")
            yield Blank("Seen and heard (who, what, minute)", 3)
            yield Text("Rating: P   S   M   U")
        yield Heading("The objective", 3)
        yield Blank("Strength", 2)
        yield Blank("Area for improvement, and why it came so", 2)
        yield Text("Rating: P   S   M   U")


def sign_off_sheet(exercise: Exercise) -> Document:
    """For those who approve the after-action report, by hand beside the recorded approval."""
    roles = exercise.frame.approvals
    blocks: list[Block] = [
        Text(
            "Signed after the after-action report is written. What counts is the recorded approval, which holds the "
            "time and the document's sha256: `sre tabletop approve <TTX id> --role <role> --name <name>`. This sheet "
            "is for those who keep paper."
        ),
        Grid(
            ("", ""),
            (
                ("Exercise", f"{exercise.name} ({exercise.experiment})"),
                ("Session (TTX id)", ""),
                ("Date of the exercise", ""),
                ("sha256 of after-action.json", ""),
            ),
            (36, 64),
        ),
    ]
    for one in roles:
        blocks += [
            Heading(one.title),
            Text(f"Role `{one.role}`. Confirms {one.confirms}."),
            Items(("approved", "rejected, because:"), "boxes"),
            Blank("Comment", 2),
            Grid(("Name", "Date and time (UTC)", "Signature"), (("", "", ""),), (34, 28, 38)),
        ]
    return Document("sign-off-sheet", f"Sign-off: {exercise.name}", "After-action report", "control", tuple(blocks))
