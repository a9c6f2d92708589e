"""What is written into an incident of a walk through a runbook: a link to the page, and each step as it was."""

from __future__ import annotations

from sre.incidents.case import Case
from sre.incidents.events import Draft, Linked
from sre.runbooks.walk import Walked

SOURCE = "sre runbook exec"
FOLDER = "runbooks"


def link_draft(page: str, case: Case, *, at: float, actor: str) -> tuple[Draft, ...]:
    """The link from the incident to the page; none where it has it."""
    target = f"{FOLDER}/{page}.md"
    if any(link.rel == "runbook" and link.target.endswith(target) for link in case.links):
        return ()
    return (Draft(at, Linked("runbook", target, page), f"runbook {page} is walked", SOURCE, actor),)


def step_draft(walked: Walked, *, actor: str) -> Draft:
    """The step as an event at its end."""
    step = walked.step
    given = f" ({', '.join(f'{name}={value}' for name, value in walked.values)})" if walked.values else ""
    said = f": {walked.why}" if walked.why else ""
    text = f"{step.page} {step.step}, {walked.stop.title}{given}: {step.verdict}{said}"
    return Draft(walked.ended_at, step, text, SOURCE, actor)
