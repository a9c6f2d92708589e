"""`sre doctor`."""

from __future__ import annotations

import typer

from sre.cli.options import DEFAULT_PORT, Json, Port


def doctor(port: Port = DEFAULT_PORT, as_json: Json = False) -> None:
    """Say what this machine has for a game day and how to get what is missing. Exit 3 when something required lacks."""
    from dataclasses import asdict

    from sre.doctor import examine, lacks_required

    findings = examine(port=port)
    if as_json:
        from sre.console import print_json

        print_json({"ok": not lacks_required(findings), "findings": [asdict(f) for f in findings]})
    else:
        for finding in findings:
            mark = "ok" if finding.ok else ("MISSING" if finding.need == "required" else "absent")
            mend = f"  -> {finding.mend}" if finding.mend else ""
            typer.echo(f"{mark:8} {finding.name:15} {finding.seen}{mend}")
    raise typer.Exit(3 if lacks_required(findings) else 0)
