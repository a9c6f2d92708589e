"""What a responder opens first: the runbook, the dashboard, the query. Taken from the alert, checked before it is one.

Annotations come from rule files, but a page that shows them must not trust them: only http, https and paths inside the
workspace become links.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from sre.incidents.events import Linked
from sre.webhook.model import ToldAlert

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # no longer than what can be a file's name
_RUNBOOK = ("runbook_url", "runbook")
_DASHBOARD = ("dashboard_url", "dashboard")


@dataclass(frozen=True, slots=True)
class RunbookPages:
    """A folder with one page an alert, `<alertname>.md`; None: there is none."""

    folder: Path | None = None

    def page_of(self, alertname: str) -> str:
        """`runbooks/<alertname>.md`, as a workspace writes it; "" when there is no such page."""
        if self.folder is None or not _NAME.fullmatch(alertname):
            return ""
        name = f"{alertname}.md"
        return f"{self.folder.name}/{name}" if (self.folder / name).is_file() else ""


def runbook_of(alert: ToldAlert, pages: RunbookPages) -> str:
    """The runbook the alert names, else the page called like it; "" when there is neither."""
    named = (_checked(alert.annotations.get(key, "")) for key in _RUNBOOK)
    return next(filter(None, named), "") or pages.page_of(alert.name)


def links_of(alert: ToldAlert, pages: RunbookPages) -> Iterator[Linked]:
    """Everything a responder can open from this alert, the runbook first."""
    runbook, page = runbook_of(alert, pages), pages.page_of(alert.name)
    for target in dict.fromkeys(filter(None, (runbook, page))):
        yield Linked("runbook", target, f"Runbook of {alert.name}")
    for key in _DASHBOARD:
        if target := _checked(alert.annotations.get(key, "")):
            yield Linked("dashboard", target, f"Dashboard of {alert.name}")
    if target := _checked(alert.generator_url):
        yield Linked("query", target, f"{alert.name} where it is evaluated")
    if query := alert.annotations.get("query", ""):
        yield Linked("query", query, f"What to look at for {alert.name}")


def _checked(target: str) -> str:
    """The target when it is an http(s) URL or a relative path that stays below where it starts, else ""."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    if parts.scheme:
        return target if parts.scheme in ("http", "https") and parts.netloc and "@" not in parts.netloc else ""
    path = PurePosixPath(parts.path)
    inside = bool(parts.path) and not parts.netloc and not path.is_absolute() and ".." not in path.parts
    return target if inside and "\\" not in target else ""
