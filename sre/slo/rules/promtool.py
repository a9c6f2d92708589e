"""Prometheus's own judges over generated files: `promtool check rules`, `promtool test rules`, `amtool check-config`.

They see the files in a folder of their own before any file in use is replaced, so that a refusal changes nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sre.errors import SreError
from sre.slo.rules.generate import RULES, TESTS

_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one judge said: `ok` None, with the reason in `text`, when it was not asked."""

    judge: str
    ok: bool | None
    text: str


def judge(files: Mapping[str, str], *, test: bool) -> tuple[Verdict, ...]:
    """Ask the tools that are on PATH. `test` also runs the unit tests (about a second a tier)."""
    with tempfile.TemporaryDirectory(prefix="sre-rules-") as folder:
        root = Path(folder)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        rules = [name for name in files if name.startswith(f"{RULES}/")]
        tests = [name for name in files if name.startswith(f"{TESTS}/")]
        verdicts = [_ask("promtool", ["check", "rules", *rules], root, f"{len(rules)} files")]
        if test:
            verdicts.append(_ask("promtool", ["test", "rules", *tests], root, f"{len(tests)} files"))
        alertmanager = [name for name in files if name.startswith("alertmanager/")]
        verdicts.append(_ask("amtool", ["check-config", *alertmanager], root, "the Alertmanager fragment"))
    return tuple(verdicts)


def _ask(tool: str, arguments: list[str], root: Path, about: str) -> Verdict:
    verb = " ".join([tool, *arguments[:2]] if tool == "promtool" else [tool, arguments[0]])
    program = shutil.which(tool)
    if program is None:
        return Verdict(verb, None, f"{tool} is not on PATH: the output was not checked with it")
    try:
        done = subprocess.run(
            [program, *arguments], cwd=root, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SreError(f"{verb}: did not finish ({error}): run it by hand on the generated files") from error
    said = "\n".join(line for line in (done.stdout + done.stderr).splitlines() if line.strip())
    return Verdict(verb, done.returncode == 0, f"{about}: passed" if done.returncode == 0 else said)
