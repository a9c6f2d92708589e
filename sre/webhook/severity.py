"""An alert's `severity` label as the severity of an incident.

| label | severity |
|---|---|
| `sev1` ... `sev4` | that one |
| `page`, `critical` | SEV2: somebody was woken |
| `ticket`, `warning`, `error`, any other label, no label | SEV3: in working hours |
| `info`, `none` | SEV4 |

Only `sev1` asks for SEV1: else that is a person's decision, or what the SLO impact says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from sre.incidents.events import Severity
from sre.webhook.model import ToldAlert

DEFAULT: Severity = "SEV3"
_BY_LABEL: Mapping[str, Severity] = MappingProxyType(
    {
        "sev1": "SEV1",
        "sev2": "SEV2",
        "sev3": "SEV3",
        "sev4": "SEV4",
        "page": "SEV2",
        "critical": "SEV2",
        "ticket": "SEV3",
        "warning": "SEV3",
        "error": "SEV3",
        "info": "SEV4",
        "none": "SEV4",
    }
)


def severity_of(label: str) -> Severity:
    """The severity an alert with this label asks for."""
    return _BY_LABEL.get(label.strip().lower(), DEFAULT)


def worst(labels: Sequence[str]) -> Severity:
    """The gravest of them; SEV1 is graver than SEV2."""
    return min((severity_of(label) for label in labels), default=DEFAULT)


def gravest_first(alerts: Sequence[ToldAlert]) -> list[ToldAlert]:
    """By the severity they ask for, then by name."""
    return sorted(alerts, key=lambda alert: (severity_of(alert.severity), alert.name))
