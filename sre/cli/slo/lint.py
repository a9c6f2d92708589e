"""`sre slo lint`: refuses what cannot work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json
from sre.cli.slo.options import (
    CaFile,
    CatalogueFiles,
    Only,
    Paths,
    PrometheusUrl,
    SamplesPath,
    TokenFile,
    paths_of,
    source_of,
)

if TYPE_CHECKING:
    from sre.slo.lint import Finding


class Format(StrEnum):
    """What people or a pull request read."""

    TEXT = "text"
    GITHUB = "github"


def lint(
    paths: Paths = None,
    prometheus: PrometheusUrl = None,
    samples: SamplesPath = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    catalogue: CatalogueFiles = None,
    only: Only = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Leave out a rule, e.g. SLO071; repeatable.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule and exit.")] = False,
    output: Annotated[Format, typer.Option("--format", help="text, or annotations for GitHub.")] = Format.TEXT,
    as_json: Json = False,
) -> None:
    """Find what cannot work in SLO documents: silent tiers, metrics that do not exist, thresholds off bucket bounds.

    Without a source the documents are checked against catalogues of metrics; with --prometheus or --samples against
    what is there. Exit 0 without errors, 1 with some (--strict: or warnings), 2 when documents cannot be read.
    """
    if rules:
        _list_rules(as_json)
        return
    _check_ignored(ignore or ())
    from sre.metrics.catalogue import Catalogue
    from sre.slo.lint import lint_resolved
    from sre.slo.openslo import load_documents, resolve

    documents = load_documents(paths_of(paths))
    slos = resolve(documents)
    chosen = _chosen(only, {document.metadata.name for document in documents.slos})
    known = Catalogue.read(tuple(catalogue or ()))
    with ExitStack() as stack:
        source = None
        if prometheus is not None or samples is not None:
            opened = source_of(prometheus=prometheus, samples=samples, token_file=token_file, ca_file=ca_file)
            source = stack.enter_context(opened)
        found = lint_resolved(documents, slos, source=source, catalogue=known)
    found = tuple(f for f in found if f.rule not in (ignore or ()) and (not chosen or f.document in chosen))
    against = source.name if source is not None else "the metric catalogue"
    ok = not any(f.severity == "error" or strict for f in found)
    if as_json:
        _print_json(found, against, ok=ok, slos=len(slos))
    else:
        _print(found, against, slos=len(slos), files=len({slo.path for slo in slos}), output=output)
    raise typer.Exit(0 if ok else 1)


def _list_rules(as_json: bool) -> None:
    from sre.slo.lint import RULES
    from sre.slo.lint.report import rule_lines

    if as_json:
        from dataclasses import asdict

        from sre.console import print_json

        print_json({"ok": True, "rules": [asdict(rule) for rule in RULES]})
        return
    for line in rule_lines():
        typer.echo(line)


def _check_ignored(ignore: Sequence[str]) -> None:
    from sre.errors import SreError
    from sre.slo.lint.rules import BY_ID

    unknown = [rule for rule in ignore if rule not in BY_ID]
    if unknown:
        raise SreError(f"--ignore: no rule is called {', '.join(unknown)}: see `sre slo lint --rules`")


def _chosen(only: Sequence[str] | None, known: set[str]) -> frozenset[str]:
    from sre.errors import SreError

    missing = [name for name in only or () if name not in known]
    if missing:
        raise SreError(f"no SLO is named {', '.join(missing)}: use one of {', '.join(sorted(known))}")
    return frozenset(only or ())


def _print_json(found: Sequence[Finding], against: str, *, ok: bool, slos: int) -> None:
    from dataclasses import asdict

    from sre.console import print_json
    from sre.slo.lint import report

    errors, warnings = report.count(found, "error"), report.count(found, "warning")
    record = {"ok": ok, "against": against, "slos": slos, "errors": errors, "warnings": warnings}
    print_json({**record, "findings": [asdict(one) for one in found]})


def _print(found: Sequence[Finding], against: str, *, slos: int, files: int, output: Format) -> None:
    import sys

    from sre.slo.lint import report

    colour = sys.stdout.isatty()
    lines = report.github_lines(found) if output is Format.GITHUB else report.text_lines(found, colour=colour)
    for line in lines:
        typer.echo(line)
    typer.echo(report.summary(found, slos=slos, files=files, against=against))
