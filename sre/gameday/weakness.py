"""Whether a drill deviated as its known weakness says, and in nothing else. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sre.reports.model import Check, Verdict
from sre.risks.model import Risk


def deviates_as_known(verdict: Verdict, found: Sequence[Check], risk: Risk | None) -> bool:
    """Every check that failed is one that the risk makes fail; a risk that is mended excuses nothing.

    Not all of them need to fail: a weakness may show in part. Void, aborted and broken drills say nothing of it.
    """
    if verdict != "deviated" or risk is None or risk.status == "mended":
        return False
    failed = {check.key for check in found if check.deciding and not check.ok}
    return bool(failed) and failed <= set(risk.shows)
