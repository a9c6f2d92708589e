"""Facts and knowledge to a runbook in Markdown, and the check whether a runbook still says what the facts say.

The hash covers the facts, not the wording: better wording does not make a tested runbook stale, a new measurement does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined

from sre.errors import BadDocument
from sre.runbooks.knowledge import Page, shipped_knowledge
from sre.runbooks.knowledge.reader import REFERENCE
from sre.runbooks.model import MeasureFact, RunbookFacts

_EVIDENCE = re.compile(r"^Evidence: `sha256:([0-9a-f]{64})`", re.MULTILINE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "REPLICA": "the replica in question, such as llm-1: the steps below find it",
        "NS": "its namespace",
        "SELECTOR": "what its pods are labelled with, such as app.kubernetes.io/name=llm",
        "WORKLOAD": "what makes its pods, such as deployment/llm",
        "POD": "the pod in question, from step K1",
        "NODE": "its node, from step K1",
    }
)
"""What a reader fills in once, so that commands can be pasted as they are. Empty at first on purpose: a command that
would change something refuses to run without, instead of hitting an example.
"""


def render_runbook(facts: RunbookFacts, knowledge: Mapping[str, Page] | None = None) -> str:
    """The page `facts.page`; raises BadDocument when nothing is known of it."""
    page = page_of(facts.page, knowledge)
    text = (
        _environment(page)
        .get_template("runbook.md.j2")
        .render(facts=facts, page=page, evidence=evidence_hash(facts), variables=VARIABLES, uses=_uses(page))
    )
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def has_page(page: str) -> bool:
    """Whether a runbook of this name can be rendered."""
    return page in shipped_knowledge()


def page_of(page: str, knowledge: Mapping[str, Page] | None = None) -> Page:
    """What is known; raises BadDocument, naming the pages there are."""
    known = shipped_knowledge() if knowledge is None else knowledge
    if page not in known:
        raise BadDocument(
            [f"nothing is known of a runbook '{page}': write it into sre/runbooks/knowledge, or use {', '.join(known)}"]
        )
    return known[page]


def evidence_hash(facts: RunbookFacts) -> str:
    """sha256 of the facts as canonical JSON."""
    canonical = json.dumps(asdict(facts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def evidence_in(text: str) -> str | None:
    """The hash a rendered runbook carries; None when it carries none."""
    found = _EVIDENCE.search(text)
    return None if found is None else found.group(1)


def is_stale(text: str, facts: RunbookFacts) -> bool:
    """Whether the runbook was rendered from other facts than these."""
    return evidence_in(text) != evidence_hash(facts)


def _uses(page: Page) -> Mapping[str, bool]:
    """Which variables the page's commands need."""
    text = "\n".join(f"{part.run}\n{getattr(part, 'back', '')}" for part in page.commands)
    return {name: re.search(rf"\$\{{?{name}\b", text) is not None for name in VARIABLES}


def _environment(page: Page) -> Environment:
    environment = Environment(
        loader=PackageLoader("sre.runbooks"),
        autoescape=False,  # noqa: S701  (this is not HTML; `md` and `code` escape what comes from outside)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = page.names

    def said(text: str) -> str:
        """A text of the knowledge on one line, its references resolved."""
        return REFERENCE.sub(lambda match: names.get(match.group(1), match.group(0)), " ".join(text.split()))

    environment.filters.update(
        md=_markdown,
        code=_code,
        said=said,
        sentence=lambda text: _capital(said(text)),
        cell=lambda text: re.sub(r"(?<!\\)\|", r"\\|", said(text)),
        measured=_measured,
        elapsed=_elapsed,
        window=_window,
    )
    return environment


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _markdown(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Text for between backticks, which it cannot close."""
    return " ".join(text.replace("`", "").split())


def _measured(measure: MeasureFact) -> str:
    if measure.seconds is None:
        return f"n/a ({_markdown(measure.reason or 'no reason given')})"
    doubt = f" ± {_elapsed(measure.uncertainty_s)}" if measure.uncertainty_s else ""
    return _elapsed(measure.seconds) + doubt


def _elapsed(seconds: float | None) -> str:
    return "n/a" if seconds is None else f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"


def _window(seconds: float) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"
