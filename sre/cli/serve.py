"""`sre serve`: Alertmanager's webhook into the incident store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.webhook.token import Token

DEFAULT_PORT = 9095


def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1; 0 picks a free one.")
    ] = DEFAULT_PORT,
    token_file: Annotated[
        Path | None,
        typer.Option(
            "--token-file", help="Holds the bearer token senders must show; mode 0600. Else $SRE_WEBHOOK_TOKEN."
        ),
    ] = None,
    no_auth: Annotated[
        bool, typer.Option("--no-auth", help="Take notifications from anybody on this machine.")
    ] = False,
    store: Annotated[
        str | None,
        typer.Option(
            "--store", help="A file or URL; default: $SRE_INCIDENTS_URL, else incidents.sqlite of the workspace."
        ),
    ] = None,
    workspace: Annotated[Path, typer.Option("--workspace", help="Folder with runbooks/.")] = Path(),
    runbooks: Annotated[
        Path | None,
        typer.Option(
            "--runbooks", help="Folder with a page an alert, <alertname>.md; default: runbooks/ of the workspace."
        ),
    ] = None,
    stale_after: Annotated[
        float,
        typer.Option(
            "--stale-after",
            min=0.0,
            help="Hours without a word after which an incident is stale: over repeat_interval.",
        ),
    ] = 25.0,
    late: Annotated[
        float,
        typer.Option("--late", min=0.0, help="Seconds after an alert's end in which an older firing is old news."),
    ] = 300.0,
    most_mb: Annotated[float, typer.Option("--most-mb", min=0.001, help="Longest body that is read, in MB.")] = 4.0,
    print_config: Annotated[
        bool, typer.Option("--print-alertmanager-config", help="Print what Alertmanager needs to send here, and exit.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take Alertmanager's webhook notifications on 127.0.0.1 and keep incidents of them, until SIGTERM.

    POST /webhook takes payload version 4; GET /incidents lists; GET /health and GET /metrics need no token. A group of
    alerts is one incident; resends and second Alertmanagers add nothing; an incident whose alerts are over is
    mitigated, and resolved when a person says so (sre incident). The access log goes to stderr, without headers.
    """
    from sre.console import print_json, print_json_line
    from sre.webhook.receiver import PATH, alertmanager_config

    if print_config:
        text = alertmanager_config(port=port, token_file=token_file, no_auth=no_auth)
        if as_json:
            print_json({"alertmanager_config": text})
        else:
            typer.echo(text, nl=False)
        return
    token = _token(token_file, no_auth=no_auth)
    folder = _runbooks(runbooks, workspace)

    import time

    from sre.incidents.store import open_store
    from sre.incidents.store.address import store_address
    from sre.webhook.additions import Settings
    from sre.webhook.intake import Intake
    from sre.webhook.links import RunbookPages
    from sre.webhook.run import HOST
    from sre.webhook.run import serve as run
    from sre.webhook.server import Webhook

    where = store_address(workspace, store)
    opened = open_store(where)
    try:
        settings = Settings(RunbookPages(folder), late_s=late)
        intake = Intake(opened, time.time, settings, stale_after_s=stale_after * 3600)
        webhook = Webhook(intake, token, most_bytes=int(most_mb * 1_000_000))
        _log_to_stderr()

        def ready(bound: int) -> None:
            url = f"http://{HOST}:{bound}{PATH}"
            if as_json:
                print_json_line({"url": url, "port": bound, "auth": token is not None})
            else:
                typer.echo(f"{url} takes notifications" + ("" if token else ", from anybody on this machine"))

        run(webhook, port, ready=ready)
    finally:
        opened.close()


def _token(file: Path | None, *, no_auth: bool) -> Token | None:
    from sre.errors import SreError
    from sre.webhook.token import VARIABLE, token_from

    if no_auth:
        if file is not None:
            raise SreError("--token-file and --no-auth exclude each other: give one")
        return None
    token = token_from(file)
    if token is None:
        raise SreError(f"no token: give --token-file or ${VARIABLE}, or say --no-auth to take from anybody")
    return token


def _runbooks(given: Path | None, workspace: Path) -> Path | None:
    from sre.errors import SreError

    if given is not None and not given.is_dir():
        raise SreError(f"{given}: no such folder: give the one with a page an alert")
    folder = (given or workspace / "runbooks").resolve()
    return folder if folder.is_dir() else None


def _log_to_stderr() -> None:
    import logging
    import sys
    import time

    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log = logging.getLogger("sre.webhook")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)
