"""What lies between pages and the rest: alerts that lead to no page, experiments that carry out what no page says."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.functions import called_name
from sre.chaos.lint.tree import field, items, text
from sre.errors import BadDocument, SreError
from sre.reports.alert_facts import generated_rules
from sre.reports.runbook_pages import Workspace
from sre.runbooks.checking import Finding
from sre.runbooks.proving import ACTION, mitigation_of
from sre.slo.documents import Node, read_documents


def alerts_without_page(root: Path, known: Container[str]) -> Iterator[Finding]:
    """Alerts of the generated rules whose link leads to no page, and alerts of no SLO (`known` are their names)."""
    for path in generated_rules(root):
        try:
            documents = read_documents(path)
        except BadDocument as error:
            yield Finding(str(path), 1, "error", "unreadable", str(error), "run `sre slo rules`")
            continue
        for rule in (rule for document in documents for rule in _alert_rules(document)):
            yield from _without_page(rule, path, root, known)


def experiments_without_mitigation(workspace: Workspace) -> Iterator[Finding]:
    """Experiments that carry out a mitigation that their own runbook does not have, or has not as a command."""
    for drill in workspace.drills:
        for node in items(field(read_experiment(drill.path), "method")):
            provider = field(node, "provider")
            if called_name(provider) == ACTION:
                yield from _misfit(field(provider, "arguments") or node, drill.path, drill.runbook)


def _alert_rules(document: Node) -> Iterator[Node]:
    for group in items(field(document, "groups")):
        yield from (rule for rule in items(field(group, "rules")) if text(rule, "alert"))


def _without_page(rule: Node, path: Path, root: Path, known: Container[str]) -> Iterator[Finding]:
    name = text(rule, "alert")
    url = text(field(rule, "annotations"), "runbook_url")
    again = "run `sre slo rules` again, then `sre runbook build`"
    if name not in known:
        yield Finding(str(path), rule.line, "error", "no-page", f"alert {name} belongs to no SLO of this folder", again)
    elif not url:
        mend = f"write `sre/runbook: runbooks/{name}.md` into the SLO, then {again}"
        yield Finding(str(path), rule.line, "error", "no-page", f"alert {name} has no runbook_url", mend)
    elif "://" not in url and not (root / url).is_file():
        yield Finding(str(path), rule.line, "error", "dead-link", f"alert {name} links to {url}: no such file", again)


def _misfit(arguments: Node, path: Path, runbook: str) -> Iterator[Finding]:
    page, mitigation = text(arguments, "page"), text(arguments, "mitigation")
    if page != runbook:
        what = f"it carries out {page}'s mitigation, its own runbook is {runbook}"
        yield Finding(str(path), arguments.line, "error", "bad-command", what, f"write `page: {runbook}`")
        return
    try:
        mitigation_of(page, mitigation)
    except SreError as error:
        what, _, mend = str(error).rpartition(": ")
        yield Finding(str(path), arguments.line, "error", "bad-command", what, mend)
