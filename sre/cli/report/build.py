"""`sre report build`: the post-incident report of an incident or a drill, again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile
from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sre.cost.provenance import CostSum
    from sre.incidents.case import Case
    from sre.incidents.store.model import IncidentStore
    from sre.reports.model import DrillReport
    from sre.reports.rebuild import CostsOf, Rebuilt


def build(
    which: Annotated[str, typer.Argument(metavar="INC-0001|FOLDER", help="An incident, or a drill's report folder.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where it goes. Default: the drill's folder, else reports/<incident>."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="The incident store. Default: $SRE_INCIDENTS_URL, else incidents.sqlite."),
    ] = None,
    finance: FinanceFile = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print it: needs the extra pdf and Chromium.")] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Write post-incident.html, .md and .json from the incident store and the report folder.

    An incident without a drill has figures as far as they were recorded; the rest is n/a with its reason. The same
    inputs give the same files.
    """
    from sre.cli.incident.words import incident_id
    from sre.console import print_json
    from sre.incidents.visible import visible
    from sre.reports.rebuild import find, rebuild

    root = workspace or Path()
    with _opened(store, root) as known:
        found = find(which if Path(which).is_dir() else incident_id(which), known, root)
        anchor = None if known is None else known.anchor()
    built = rebuild(found, out=out, workspace=root, costs_of=costs_by(finance, root), anchor=anchor)
    printed = _print(built) if pdf else None
    if as_json:
        files = {"html": built.html, "markdown": built.html.with_suffix(".md"), "json": built.html.with_suffix(".json")}
        shown = {name: str(path) for name, path in files.items()} | ({"pdf": str(printed)} if printed else {})
        print_json({"ok": True, "incident": built.case.head.id, "drill": built.is_drill, **shown, "notes": built.notes})
        return
    for note in built.notes:
        typer.echo(visible(f"note: {note}"), err=True)
    typer.echo(f"{built.case.head.id}: {short(built.html)}" + (f", {short(printed)}" if printed else ""))


@contextmanager
def _opened(where: str | None, root: Path) -> Iterator[IncidentStore | None]:
    """The store, only to read; None where nobody named one and the workspace has none."""
    from sre.cli.cost.sums import store_at

    opened = store_at(where, root)
    if opened is None:
        yield None
        return
    try:
        yield opened
    finally:
        opened.close()


def costs_by(finance: Path | None, root: Path) -> CostsOf:
    """What an incident cost, then the drill: a drill's from its folder, another's from the figures of the store."""
    from sre.cli.cost.sums import finance_of, price_for
    from sre.cost.finance import NAME
    from sre.reports.finops_cases import case_money
    from sre.reports.finops_drill import costs_of_drill

    known = finance or (root / NAME if (root / NAME).is_file() else None)

    def costs(case: Case, drill: DrillReport | None, folder: Path) -> Sequence[CostSum]:
        if drill is None:
            return (case_money(case, finance_of(known, "USD")).cost,)
        economics = finance_of(known, drill.cost.price.currency)
        return costs_of_drill(drill, folder, economics, price=price_for(drill, economics, None), case=case)

    return costs


def _print(built: Rebuilt) -> Path:
    """The PDF beside the page, and the manifest again, which names it."""
    from sre.reports.manifest import write_manifest
    from sre.reports.pdf import print_pdf
    from sre.reports.postincident.write import PDF

    target = built.html.with_name(PDF)
    print_pdf(built.html, target, at=built.case.head.updated_at)
    write_manifest(built.html.parent)
    return target
