"""A metrics page that lies: yesterday's counters, or values other than the true ones. A scraper sees nothing wrong.

    {"revision": 1, "freeze": true}                      every page is the first one fetched
    {"revision": 1, "factor": 0.5, "names": ["sre_"]}    samples whose names begin so are multiplied

Without rules it serves the true page. What the exporter itself says stays as it is: whoever reads both can tell.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import aiohttp
from aiohttp import web

from sre.errors import SreError

HOST = "127.0.0.1"
FETCH_TIMEOUT_S = 5.0
_KNOWN = frozenset({"revision", "freeze", "factor", "names"})


class FalsePage:
    """A listener in front of one page."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._session: aiohttp.ClientSession | None = None
        self._frozen: str | None = None
        self._rules: dict[str, Any] = {}
        self._served = 0
        self._falsified = 0

    @property
    def open_connections(self) -> int:
        """A scraper's idle connection is nothing to wait for."""
        return 0

    async def listen(self) -> str:
        """Serve from now on; returns `host:port`."""
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S))
        app = web.Application()
        app.router.add_get("/metrics", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, HOST, 0)
        await self._site.start()
        return f"{HOST}:{self._runner.addresses[0][1]}"

    def tune(self, text: str) -> None:
        """Raises SreError and changes nothing for bad rules."""
        self._rules = parse_page_rules(text)
        self._frozen = None

    def clear(self) -> None:
        self._rules = {"revision": self._rules.get("revision", 0)}
        self._frozen = None

    def stop_listening(self) -> None:
        """It goes with the process: nothing is cut that is worth waiting for."""

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def facts(self) -> dict[str, Any]:
        return {
            "revision": self._rules.get("revision", 0),
            "transparent": not self._lies,
            "served": self._served,
            "falsified": self._falsified,
        }

    @property
    def _lies(self) -> bool:
        return bool(self._rules.get("freeze")) or "factor" in self._rules

    async def _serve(self, _request: web.Request) -> web.Response:
        if self._frozen is None:
            try:
                text = await self._fetch()
            except (aiohttp.ClientError, TimeoutError, UnicodeDecodeError) as error:
                return web.Response(status=502, text=f"{type(error).__name__}\n")
            if self._rules.get("freeze"):
                self._frozen = text
        else:
            text = self._frozen
        self._served += 1
        self._falsified += self._lies
        if "factor" in self._rules:
            text = scaled(text, factor=float(self._rules["factor"]), names=self._rules["names"])
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    async def _fetch(self) -> str:
        if self._session is None:
            raise RuntimeError("listen first")
        async with self._session.get(self._url, headers={"Accept": "text/plain;version=0.0.4"}) as response:
            response.raise_for_status()
            return await response.text()


def parse_page_rules(text: str) -> dict[str, Any]:
    """Raises SreError, one line."""
    try:
        rules = json.loads(text)
    except ValueError as error:
        raise SreError(f"rules of the false page: not JSON ({error})") from error
    if not isinstance(rules, dict) or not set(rules) <= _KNOWN:
        raise SreError(f"rules of the false page: an object with keys of {', '.join(sorted(_KNOWN))} is expected")
    factor, names = rules.get("factor", 1.0), rules.setdefault("names", [])
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor < math.inf:
        raise SreError(f"rules of the false page: factor is {factor!r}: write a number, 0 or more")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SreError("rules of the false page: names is no list of strings")
    return rules


def scaled(page: str, *, factor: float, names: Sequence[str]) -> str:
    """The page with the values of samples whose names begin with one of `names` multiplied; all else untouched."""
    prefixes = tuple(names)
    return "\n".join(
        _scaled_line(line, factor) if prefixes and line.startswith(prefixes) else line for line in page.split("\n")
    )


def _scaled_line(line: str, factor: float) -> str:
    """`name{labels} value [timestamp]`. A label's value may hold blanks and braces, never after the last `}`."""
    labels_end = line.rfind("}") + 1
    head, rest = (line[:labels_end], line[labels_end:]) if labels_end else ("", line)
    parts = rest.split(" ")
    place = 1 if len(parts) > 1 else 0
    try:
        parts[place] = repr(float(parts[place]) * factor)
    except ValueError:
        return line
    return head + " ".join(parts)
