"""`sre tabletop run` on a real terminal: the timer stays alive while somebody types, and keys do what they say."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRE = (sys.executable, "-c", "from sre.cli import main; main()")
pytestmark = pytest.mark.integration


class Terminal:
    """A child at the other end of a pseudo-terminal."""

    def __init__(self, *words: str, cwd: Path) -> None:
        self._far, near = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
        self._child = subprocess.Popen(words, cwd=cwd, stdin=near, stdout=near, stderr=near, env=environment)
        os.close(near)
        self.seen = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        os.close(self._far)

    def type(self, text: str) -> None:
        os.write(self._far, text.encode())

    def wait_for(self, pattern: str, *, within_s: float = 30.0) -> str:
        """Read on until the pattern comes; what was read since the last call is dropped after it."""
        end = time.monotonic() + within_s
        while (found := re.search(pattern, self.seen)) is None:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._far], [], [], left)[0]:
                raise AssertionError(f"{pattern!r} did not come; seen: {self.seen[-2000:]!r}")
            try:
                self.seen += os.read(self._far, 65536).decode("utf-8", "replace")
            except OSError as error:
                raise AssertionError(f"ended without {pattern!r}: {self.seen[-2000:]!r}") from error
        text, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return text

    def ends(self) -> int:
        self.wait_for(r"Next: [^\r\n]*")
        return self._child.wait(timeout=30)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "reports").mkdir()
    (folder / "reports" / "example").symlink_to(ROOT / "reports" / "example")
    for name in ("experiments", "slo"):
        (folder / name).symlink_to(ROOT / name)
    subprocess.run([*SRE, "tabletop", "new", "EXP-001"], cwd=folder, check=True, capture_output=True)
    return folder


def shown(workspace: Path, session: str) -> dict[str, object]:
    out = subprocess.run(
        [*SRE, "tabletop", "show", session, "--json"], cwd=workspace, check=True, capture_output=True, text=True
    )
    return json.loads(out.stdout)


def test_a_session_is_played_left_and_resumed(workspace):
    with Terminal(*SRE, "tabletop", "run", "reports/tabletop/EXP-001", cwd=workspace) as terminal:
        session = re.search("TTX-[0-9]{4}", terminal.wait_for("TTX-[0-9]{4}")).group(0)
        terminal.wait_for("next I02 in 2:5")
        terminal.type("a look at")
        terminal.wait_for(r"next I02 in [12]:\d\d  > a look at")  # the timer moved, what was typed stayed
        terminal.type(" sted\x7fp 4 caf\u00e9\r")
        terminal.wait_for("noted for I01")
        terminal.type("r S late\r")
        terminal.wait_for("I01 rated S")
        terminal.type("q\r")
        assert terminal.ends() == 0
    with Terminal(*SRE, "tabletop", "run", "--resume", session, cwd=workspace) as terminal:
        terminal.wait_for("goes on")
        terminal.type("\r")
        terminal.wait_for("I02  phone")
        terminal.type("e\r")
        terminal.wait_for("ENDEX")
        assert terminal.ends() == 0
    told = shown(workspace, session)
    assert told["ended"] is True
    assert list(told["released"]) == ["I01", "I02"]
    assert [answer["text"] for answer in told["answers"]] == ["look at step 4 caf\u00e9"]


def test_expected_actions_are_on_the_control_screen_only(workspace):
    for words, is_there in (((), False), (("--control",), True)):
        with Terminal(*SRE, "tabletop", "run", "reports/tabletop/EXP-001", *words, cwd=workspace) as terminal:
            text = terminal.wait_for("next I02 in")
            assert ("Expected:" in text) is is_there
            terminal.type("\x04")
            assert terminal.ends() == 0
