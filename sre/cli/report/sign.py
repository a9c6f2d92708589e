"""`sre report sign`, `sre report keygen`: who built it, provably."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.options import Json


def sign(
    directory: Annotated[Path, typer.Argument(help="A report folder, reports/<id>.")],
    key: Annotated[Path, typer.Option("--key", help="Private ed25519 key in PEM, readable by you alone (mode 0600).")],
    as_json: Json = False,
) -> None:
    """Sign the manifest, and with it every file: writes manifest.sig. Building the report again takes it away."""
    from sre.console import print_json
    from sre.errors import SreError
    from sre.reports.manifest import verify
    from sre.reports.signature import sign as sign_manifest

    problems = verify(directory)
    if problems:
        raise SreError(f"{directory}: not signed, its files are not as the manifest says: {problems[0]}")
    signer = sign_manifest(directory, key)
    if as_json:
        print_json({"ok": True, "directory": str(directory), "signature": "manifest.sig", "key": signer})
    else:
        typer.echo(f"{directory}: signed by key {signer}; check with: sre report verify {directory} --public-key FILE")


def keygen(
    out: Annotated[Path, typer.Option("--out", help="Where the private key goes; an existing file is not replaced.")],
    as_json: Json = False,
) -> None:
    """Make an ed25519 key: the private one into a file for you alone, the public one to stdout, to be given away."""
    from sre.console import print_json
    from sre.reports.signature import new_key

    public = new_key(out)
    if as_json:
        print_json({"ok": True, "private_key": str(out), "public_key": public})
    else:
        typer.echo(public, nl=False)
        typer.echo(f"private key: {out} (mode 0600): keep it to yourself", err=True)
