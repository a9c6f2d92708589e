"""What a run of an experiment amounts to, drawn from Chaos Toolkit's journal and our own ledger."""

from __future__ import annotations

from sre.chaos.verdict.evidence import Evidence as Evidence
from sre.chaos.verdict.evidence import Reason as Reason
from sre.chaos.verdict.judging import Examination as Examination
from sre.chaos.verdict.judging import examine as examine
from sre.chaos.verdict.judging import judge as judge
