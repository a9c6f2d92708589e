"""`sre incident ...`: the incident store, one module a group of verbs."""

from __future__ import annotations

import typer

from sre.cli.incident.changing import ack, close, mitigate, reopen, resolve
from sre.cli.incident.exporting import export
from sre.cli.incident.items import actions, add, set_
from sre.cli.incident.listing import list_
from sre.cli.incident.measuring import measure
from sre.cli.incident.opening import open_
from sre.cli.incident.proving import anchor, verify
from sre.cli.incident.showing import show
from sre.cli.incident.stats import stats
from sre.cli.incident.telling import link, mark, note, severity
from sre.cli.incident_causes import causes

item = typer.Typer(help="Follow-up actions of an incident.", no_args_is_help=True)
item.command("add")(add)
item.command("set")(set_)

app = typer.Typer(help="Incidents: list, work on, follow up, prove that nobody changed them.", no_args_is_help=True)
app.command("list")(list_)
app.command("show")(show)
app.command("open")(open_)
app.command("ack")(ack)
app.command("note")(note)
app.command("mark")(mark)
app.command("measure")(measure)
app.command("severity")(severity)
app.command("link")(link)
app.command("mitigate")(mitigate)
app.command("resolve")(resolve)
app.command("close")(close)
app.command("reopen")(reopen)
app.add_typer(item, name="item")
app.command("actions")(actions)
app.command("stats")(stats)
app.command("causes")(causes)
app.command("verify")(verify)
app.command("anchor")(anchor)
app.command("export")(export)
