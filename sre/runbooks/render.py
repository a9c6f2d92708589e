"""Facts and knowledge to a runbook in Markdown, and the check whether a runbook still says what the facts say.

The hash covers the facts, not the wording: better wording does not make a tested runbook stale, a new measurement does.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches

from jinja2 import Environment, PackageLoader, StrictUndefined

from sre.errors import BadDocument
from sre.incidents.visible import visible
from sre.runbooks.alert_model import AlertFacts
from sre.runbooks.knowledge import Page, shipped_alerts, shipped_knowledge
from sre.runbooks.knowledge.references import resolved
from sre.runbooks.model import MeasureFact, RunbookFacts
from sre.runbooks.variables import CLUSTER, VARIABLES, variables_on

_EVIDENCE = re.compile(r"^Evidence: `sha256:([0-9a-f]{64})`", re.MULTILINE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
Facts = RunbookFacts | AlertFacts


@dataclass(frozen=True, slots=True)
class Now:
    """What only holds at the moment of rendering: (what, value) rows, and the gateway's address where a platform is up.
    Never part of a page that is kept.
    """

    at: str
    rows: tuple[tuple[str, str], ...]
    gateway: str = ""


def render_runbook(facts: RunbookFacts, knowledge: Mapping[str, Page] | None = None, *, now: Now | None = None) -> str:
    """The page `facts.page`; raises BadDocument when nothing is known of it."""
    page = page_of(facts.page, knowledge)
    queries = tuple(query for slo in facts.slos for query in slo_queries(slo.name))
    return _rendered("runbook.md.j2", page, facts, now, slo_queries=queries)


def render_alert(facts: AlertFacts, knowledge: Mapping[str, Page] | None = None, *, now: Now | None = None) -> str:
    """The page of an alert; raises BadDocument when nothing is known of alerts of its kind."""
    return _rendered("alert.md.j2", alert_page_of(facts.page, knowledge), facts, now)


def any_page_of(name: str) -> Page:
    """A failure's or an alert's page, under the name that was asked for. Raises BadDocument, naming the nearest."""
    failures = shipped_knowledge()
    if name in failures:
        return failures[name]
    try:
        return replace(alert_page_of(name), name=name)
    except BadDocument:
        known = (*failures, *shipped_alerts())
        near = get_close_matches(name, known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
        raise BadDocument([f"there is no runbook {name!r}: {mend}"]) from None


def slo_queries(name: str) -> tuple[tuple[str, str], ...]:
    """What to ask Prometheus of an SLO, by the series that `sre slo rules` records: what it shows, PromQL."""
    return (
        (f"{name}: budget left, 1 is all of it", f'slo:error_budget_remaining:ratio{{slo="{name}"}}'),
        (f"{name}: burn in every window, 1 is as fast as allowed", f'slo:burn_rate:ratio{{slo="{name}"}}'),
        (f"{name}: share of bad events in every window", f'slo:error_ratio:ratio{{slo="{name}"}}'),
    )


def alert_page_of(alert: str, knowledge: Mapping[str, Page] | None = None) -> Page:
    """What is known of an alert, of its own or of all whose name ends so. Raises BadDocument."""
    known = shipped_alerts() if knowledge is None else knowledge
    name = next((one for one in (alert, *known) if one in known and alert.endswith(one)), None)
    if name is None:
        raise BadDocument([f"nothing is known of an alert {alert!r}: write it into sre/runbooks/knowledge"])
    return known[name]


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


def evidence_hash(facts: Facts) -> str:
    """sha256 of the facts as canonical JSON."""
    canonical = json.dumps(asdict(facts), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()


def evidence_in(text: str) -> str | None:
    """The hash a rendered runbook carries; None when it carries none."""
    found = _EVIDENCE.search(text)
    return None if found is None else found.group(1)


def is_stale(text: str, facts: Facts) -> bool:
    """Whether the runbook was rendered from other facts than these."""
    return evidence_in(text) != evidence_hash(facts)


def _rendered(template: str, page: Page, facts: Facts, now: Now | None, **more: object) -> str:
    text = (
        _environment()
        .get_template(template)
        .render(
            facts=facts,
            page=resolved(page),
            evidence=evidence_hash(facts),
            now=now,
            variables=VARIABLES,
            cluster_names=CLUSTER,
            uses=variables_on(page),
            queries={query.name: query for query in page.queries},
            **more,
        )
    )
    return visible(re.sub(r"\n{3,}", "\n\n", text).rstrip()) + "\n"


@functools.cache
def _environment() -> Environment:
    """Made once: compiling the templates takes longer than rendering a page."""
    environment = Environment(
        loader=PackageLoader("sre.runbooks"),
        autoescape=False,  # noqa: S701  (this is not HTML; `md` and `code` escape what comes from outside)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        md=_markdown,
        code=_code,
        said=_line,
        sentence=lambda text: _capital(_line(text)),
        cell=lambda text: re.sub(r"(?<!\\)\|", r"\\|", _line(text)),
        measured=_measured,
        elapsed=_elapsed,
        window=_window,
        lasts=_lasts,
    )
    return environment


def _line(text: str) -> str:
    return " ".join(text.split())


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


def _lasts(seconds: float) -> str:
    """Days and hours, to the hour: how long a budget lasts."""
    hours = round(seconds / 3600)
    days, rest = divmod(hours, 24)
    return " ".join(part for part in (f"{days} d" if days else "", f"{rest} h" if rest or not days else "") if part)
