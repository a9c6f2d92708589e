"""The webhook's body, version "4", to a `Notification`. The format is Alertmanager's, documented with its
`<webhook_config>`; keys that later releases add are accepted, another version is not: its fields may mean other things.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from sre.webhook.model import Notification, ToldAlert

VERSION = "4"
_LONGEST_TEXT = 4_000
_LONGEST_KEY = 300
_MOST_FAULTS = 5


class Refusal(Exception):  # noqa: N818
    """A body that is not taken: the HTTP status to answer with, a word for the counter, and what to do about it."""

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


def _none_is_empty(value: Any) -> Any:
    """Go writes an absent map as null."""
    return {} if value is None else value


Labels = Annotated[dict[str, str], BeforeValidator(_none_is_empty)]


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore")
    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    starts_at: AwareDatetime | None = Field(default=None, alias="startsAt")
    ends_at: AwareDatetime | None = Field(default=None, alias="endsAt")
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = ""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore")
    group_key: str = Field(alias="groupKey", pattern=r"\S")
    receiver: str = ""
    external_url: str = Field(default="", alias="externalURL")
    group_labels: Labels = Field(default_factory=dict, alias="groupLabels")
    truncated: int = Field(default=0, alias="truncatedAlerts", ge=0)
    alerts: list[_Alert] = Field(min_length=1)


def notification_of(body: bytes) -> Notification:
    """Raises Refusal: 400 for what is no JSON, 422 for another version or another shape."""
    try:
        data = from_json(body)
    except ValueError as error:
        raise Refusal(400, "json", f"the body is not JSON ({error}): send Alertmanager's webhook payload") from None
    _refuse_other_version(data)
    try:
        return _notification(_Payload.model_validate(data))
    except ValidationError as error:
        raise Refusal(422, "shape", f"not a webhook payload of version {VERSION}: {_faults(error)}") from None


def _refuse_other_version(data: Any) -> None:
    if not isinstance(data, dict):
        raise Refusal(422, "shape", "the body is no JSON object: send Alertmanager's webhook payload")
    if data.get("version") != VERSION:
        seen = repr(data.get("version"))[:40]
        raise Refusal(
            *(422, "version"),
            f'payload version {seen} is not known: only version "{VERSION}" is read (Alertmanager since 0.6)',
        )


def _faults(error: ValidationError) -> str:
    found = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_url=False)]
    rest = len(found) - _MOST_FAULTS
    return "; ".join(found[:_MOST_FAULTS]) + (f"; and {rest} more" if rest > 0 else "")


def _notification(payload: _Payload) -> Notification:
    return Notification(
        group_key=_key(payload.group_key),
        receiver=_one_line(payload.receiver),
        external_url=_one_line(payload.external_url),
        group_labels=_texts(payload.group_labels),
        alerts=tuple(_alert(alert) for alert in payload.alerts),
        truncated=payload.truncated,
    )


def _key(group_key: str) -> str:
    """As it is, but for one too long for a database's index: then its beginning and its digest."""
    key = " ".join(group_key.split())
    if len(key) <= _LONGEST_KEY and key.isprintable():
        return key
    return f"{_one_line(key)[:_LONGEST_KEY]} sha256:{hashlib.sha256(group_key.encode()).hexdigest()}"


def _alert(alert: _Alert) -> ToldAlert:
    return ToldAlert(
        fingerprint=_one_line(alert.fingerprint) or _fingerprint(alert.labels),
        state=alert.status,
        labels=_texts(alert.labels),
        annotations=_texts(alert.annotations),
        started_at=_instant(alert.starts_at),
        ended_at=_instant(alert.ends_at) if alert.status == "resolved" else None,
        generator_url=_one_line(alert.generator_url),
    )


def _instant(told: datetime | None) -> float | None:
    """Go's zero time, year 1, means that there is none; the last year of a calendar is no instant either."""
    return None if told is None or not 1 < told.year < 9999 else told.timestamp()


def _fingerprint(labels: Mapping[str, str]) -> str:
    """Senders before 0.19 gave none: labels are what makes an alert the same one."""
    text = "\xff".join(f"{name}\xfe{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _texts(labels: Mapping[str, str]) -> dict[str, str]:
    return {_one_line(name): _one_line(value) for name, value in sorted(labels.items())}


def _one_line(text: str) -> str:
    """Text from outside that may go into a database, a log and a page: no control characters, of bounded length."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= _LONGEST_TEXT else f"{clean[: _LONGEST_TEXT - 3]}..."
