"""What a page must be, whoever wrote it: whole, with links that lead somewhere and commands that would run."""

from sre.runbooks.checking.commands import Verbs
from sre.runbooks.checking.model import Finding, Severity
from sre.runbooks.checking.page import check_text

__all__ = ["Finding", "Severity", "Verbs", "check_text"]
