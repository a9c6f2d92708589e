"""A page of ours on paper: Chromium prints it, offline. Needs playwright (extra `pdf`) and an installed Chromium.

Chromium stamps the time of printing and a random id into the file. Both are replaced, length for length, by `at` and
zeros, so that the same page printed by the same Chromium gives the same bytes; another version may draw differently.
"""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from sre.errors import EnvironmentLacks

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
_LACKS = "needs the package playwright: pip install 'llm-gameday[pdf]'"
_NO_BROWSER = f"needs one of {', '.join(BROWSERS)} on the PATH"
_DATE = re.compile(rb"(/(?:CreationDate|ModDate) ?)\(([^)]*)\)")
_ID = re.compile(rb"(/ID ?\[)([^\]]*)(\])")
_WAIT_MS = 60_000


def print_pdf(html: Path, pdf: Path, *, at: float) -> None:
    """Print `html` to `pdf` as A4, dated `at`. Raises EnvironmentLacks with one line on what is missing."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise EnvironmentLacks(f"a PDF {_LACKS}") from error
    browser = next((found for name in BROWSERS if (found := shutil.which(name)) is not None), None)
    if browser is None:
        raise EnvironmentLacks(f"a PDF {_NO_BROWSER}")
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=browser, args=list(_FLAGS))
            try:
                page = chromium.new_page(offline=True, java_script_enabled=False)
                page.goto(html.resolve().as_uri(), timeout=_WAIT_MS)
                page.emulate_media(media="print", color_scheme="light")
                printed = page.pdf(prefer_css_page_size=True, print_background=True)
            finally:
                chromium.close()
    except Error as error:
        raise EnvironmentLacks(f"{browser} cannot print: {str(error).splitlines()[0]}") from error
    try:
        pdf.write_bytes(undated(printed, at))
    except OSError as error:
        raise EnvironmentLacks(f"{pdf}: cannot be written ({error.strerror})") from error


def undated(document: bytes, at: float) -> bytes:
    """The same file with `at` for its dates and zeros for its id. No byte moves: the cross-references stay true."""
    told = datetime.fromtimestamp(at, UTC).strftime("D:%Y%m%d%H%M%S+00'00'").encode()
    dated = _DATE.sub(lambda m: m[1] + b"(" + told[: len(m[2])].ljust(len(m[2]), b"'") + b")", document)
    return _ID.sub(lambda m: m[1] + re.sub(rb"[0-9A-Fa-f]", b"0", m[2]) + m[3], dated)
