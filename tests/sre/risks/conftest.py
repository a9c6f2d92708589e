"""A register of one assessed risk, to be changed line by line."""

from __future__ import annotations

import pytest

from sre.risks.register import load_register

ENTRY = """\
risks:
  # why we keep this list
  - id: RISK-001
    title: A replica dies            # in one line
    status: open                     # open, accepted, mended
    owner: serving
    cause: engines crash
    event: a replica stops answering
    consequence: streams are cut
    inherent: {likelihood: 4, impact: 4}
    current: {likelihood: 4, impact: 2}
    residual: {likelihood: 3, impact: 2}
    treatment: mitigate
    controls: [failover]
    experiments: [EXP-001]
    slos: [availability]
    runbooks: [replica-crash]
"""
ACCEPTED = """\
    acceptance:
      approver: Ann Example
      role: SRE lead
      on: 2026-01-01
      expires: 2026-03-31
      reason: a better one costs more
"""


class Register:
    """Writes `risks.yaml` and reads it."""

    entry = ENTRY
    acceptance = ACCEPTED

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "risks.yaml"

    def with_lines(self, *changes, accepted=False):
        text = ENTRY
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        if accepted:
            text = text.replace("status: open  ", "status: accepted") + ACCEPTED
        self.path.write_text(text)
        return self

    def read(self):
        return load_register(self.folder)

    @property
    def one(self):
        (entry,) = self.read()
        return entry


@pytest.fixture
def register(tmp_path):
    return Register(tmp_path)
