"""`sre report verify`: whether a report is as it was written, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.options import Json


def verify(
    directory: Annotated[Path, typer.Argument(help="A report folder, reports/<id>.")],
    public_key: Annotated[
        Path | None,
        typer.Option("--public-key", help="Also check manifest.sig against this ed25519 public key in PEM."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare every file with the manifest's sha256, and its signature with a public key.

    Exit 1 when a file was changed, lost or added, or when the key's owner did not sign this manifest.
    """
    from sre.errors import SreError
    from sre.reports.manifest import anchors_if_any
    from sre.reports.manifest import verify as verify_manifest
    from sre.reports.signature import check_signature, is_signed

    if not directory.is_dir():
        raise SreError(f"{directory}: no such folder: give a report folder, reports/<id>")
    problems = verify_manifest(directory)
    wrong = check_signature(directory, public_key) if public_key is not None else None
    problems += [wrong] if wrong is not None else []
    signed = "not signed" if not is_signed(directory) else "not checked" if public_key is None else "good"
    if as_json:
        from sre.console import print_json

        anchors = [{"position": one.position, "hash": one.hash} for one in anchors_if_any(directory)]
        told = {"signature": signed if wrong is None else "bad", "anchors": anchors}
        print_json({"directory": str(directory), "ok": not problems, "problems": problems, **told})
    elif problems:
        for problem in problems:
            typer.echo(f"{directory}: {problem}", err=True)
    else:
        typer.echo(f"{directory}: every file is as the manifest says{_words(signed)}")
    raise typer.Exit(1 if problems else 0)


def _words(signed: str) -> str:
    if signed == "good":
        return ", and the key's owner signed it"
    return "; it is signed, check by whom: --public-key FILE" if signed == "not checked" else ""
