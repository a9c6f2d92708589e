"""Whether the commands of a page would run: as shell by `bash -n`, and as words of this kit by its own command tree."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from sre.runbooks.checking.model import Document, Fence, Finding

SHELLS = ("sh", "bash", "shell")
_OURS = re.compile(r"(?:^|[;&|(]|\$\()\s*(sre [a-z][^\n|;&)#]*)", re.MULTILINE)
_REDIRECT = re.compile(r"\d?>{1,2}&?[ ]*(?:/dev/null|\d)")
_SPAN = re.compile(r"(?<!\\)`(sre [a-z][^`]*)`")
_PARSE_TIMEOUT_S = 10.0


class Verbs(Protocol):
    """What is wrong with a command of this kit (`sre ...`), as its mend; None when it would be taken. `is_mention`: it
    is named in a sentence, where what it is given may be left out.
    """

    def __call__(self, line: str, *, is_mention: bool = False) -> str | None: ...


def check_commands(document: Document, path: Path, verbs: Verbs | None) -> Iterator[Finding]:
    """Every block of shell, and every `sre ...` in it or in the text."""
    fences = [fence for fence in document.fences if fence.language in SHELLS]
    yield from _shell_faults(fences, path)
    if verbs is None:
        return
    for line, command, is_mention in _ours(document, fences):
        said = verbs(command, is_mention=is_mention)
        if said is not None:
            what, mend = f"`{command}` would be refused", said
            yield Finding(str(path), line, "error", "bad-command", what, mend)


def _ours(document: Document, fences: list[Fence]) -> Iterator[tuple[int, str, bool]]:
    for fence in fences:
        bare = _REDIRECT.sub(lambda one: " " * len(one.group(0)), fence.text)
        for found in _OURS.finditer(bare):
            yield fence.line + fence.text.count("\n", 0, found.start(1)), found.group(1).strip(), False
    for line, text in document.prose:
        for span in _SPAN.findall(text):
            yield line, re.split(r" && | \|\|? ", span)[0].strip(), True


def _shell_faults(fences: list[Fence], path: Path) -> Iterator[Finding]:
    """All blocks in one call where all are well, which they mostly are: a call of bash takes some milliseconds."""
    bash = shutil.which("bash")
    if bash is None or not fences:
        return
    if _parses(bash, "\n".join(f"f{n}() {{\n{fence.text}\n:\n}}" for n, fence in enumerate(fences))) is None:
        return
    for fence in fences:
        said = _parses(bash, fence.text)
        if said is not None:
            at, words = said
            what = f"the shell does not take it ({words})"
            yield Finding(str(path), fence.line + at - 1, "error", "bad-command", what, "mend its quotes and brackets")


def _parses(bash: str, text: str) -> tuple[int, str] | None:
    """None when bash takes it; else the line of the text, and bash's words."""
    done = subprocess.run(
        [bash, "-n"], input=text, capture_output=True, text=True, check=False, timeout=_PARSE_TIMEOUT_S
    )
    if done.returncode == 0 and not done.stderr:
        return None
    first = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
    found = re.search(r"line (\d+): (.*)", first)
    return (int(found.group(1)), found.group(2)) if found else (1, first)
