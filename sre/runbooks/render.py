"""Facts to a runbook in Markdown, and the check whether a runbook still says what the facts say.

The hash covers the facts, not the wording: better wording does not make a tested runbook stale, a new measurement does.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import asdict

from jinja2 import Environment, PackageLoader, StrictUndefined

from sre.errors import BadDocument
from sre.runbooks.model import MeasureFact, RunbookFacts

FAILURE_MODES = ("replica-crash",)
_EVIDENCE = re.compile(r"^Evidence: `sha256:([0-9a-f]{64})`", re.MULTILINE)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def render_runbook(facts: RunbookFacts) -> str:
    """The runbook of `facts.failure_mode`; raises BadDocument when there is no template for it."""
    require_template(facts.failure_mode)
    template = _environment().get_template(f"{facts.failure_mode}.md.j2")
    text = template.render(facts=facts, drill=facts.drill, impact=facts.impact, evidence=evidence_hash(facts))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def has_template(failure_mode: str) -> bool:
    """Whether a runbook can be rendered for this failure mode."""
    return failure_mode in FAILURE_MODES


def require_template(failure_mode: str) -> None:
    """Raises BadDocument, naming those there are, when no runbook can be rendered for this failure mode."""
    if not has_template(failure_mode):
        known = ", ".join(FAILURE_MODES)
        raise BadDocument([f"no runbook template for failure mode '{failure_mode}'; there are: {known}"])


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


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sre.runbooks"),
        autoescape=False,  # noqa: S701  (this is not HTML; `md` and `sh` escape what comes from outside)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        md=_markdown, sh=_shell, code=_code, measured=_measured, elapsed=_elapsed, window=_window
    )
    return environment


def _markdown(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _shell(text: str) -> str:
    """One shell word that cannot leave its line or its code fence."""
    return shlex.quote(_code(text))


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
