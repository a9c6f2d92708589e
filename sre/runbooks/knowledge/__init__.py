"""What on-call people know of each failure mode, as data: one file a family in `data/`, read strictly.

Nothing measured stands here: numbers come from drills, what a fault is from the fault's own class.
"""

from sre.runbooks.knowledge.model import Call, Check, Mitigation, Page, Query, Sign
from sre.runbooks.knowledge.reader import load_knowledge, shipped_alerts, shipped_knowledge

__all__ = [
    "Call",
    "Check",
    "Mitigation",
    "Page",
    "Query",
    "Sign",
    "load_knowledge",
    "shipped_alerts",
    "shipped_knowledge",
]
