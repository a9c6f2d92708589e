"""Times and ids as people type them on the command line. Pure but for the login name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from sre.errors import SreError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_AGO = re.compile(r"-?(\d+(?:\.\d+)?)([smhdw])")
_ID = re.compile(r"(?:(inc|ttx)-?)?(\d+)", re.IGNORECASE)
_SLACK_S = 60.0


def moment(text: str, now: float, option: str = "--at") -> float:
    """Unix seconds of `now`, `-5m`, a time with its zone, or Unix seconds. Raises SreError, also on the future."""
    from sre.cli.slo.options import moment_of

    if text == "now":
        return now
    ago = _AGO.fullmatch(text)
    at = now - float(ago[1]) * _UNITS[ago[2]] if ago else moment_of(text, option)
    if at > now + _SLACK_S:
        raise SreError(f"{option}: {text} has not come yet: give an instant that has passed")
    return at


def since_moment(text: str, now: float) -> float:
    """As `moment`; a day begins at midnight UTC."""
    from datetime import UTC, datetime

    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return moment(text, now, "--since")


def chosen(kind: Any, given: Sequence[str] | None, option: str) -> tuple[Any, ...]:
    """What was given of the words of a Literal, in any case; raises SreError on another word."""
    known = {word.casefold(): word for word in get_args(kind)}
    unknown = [word for word in given or () if word.casefold() not in known]
    if unknown:
        raise SreError(f"{option} {unknown[0]}: use one of {', '.join(known.values())}")
    return tuple(known[word.casefold()] for word in given or ())


def incident_id(text: str) -> str:
    """`7`, `inc-7` and `INC-0007` are one; what is no id stays, for the store to say which are near."""
    found = _ID.fullmatch(text.strip())
    return f"{(found[1] or 'INC').upper()}-{int(found[2]):04d}" if found else text


def iso_day(text: str, option: str) -> str:
    """`2026-03-01` as it is; raises SreError on what is no day."""
    from datetime import date

    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise SreError(f"{option}: {text!r} is no day: write it as 2026-03-01") from None


def login_name() -> str:
    """Who is at the keyboard, as the system knows them."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user database
        return "unknown"


def age(seconds: float) -> str:
    """`12 s`, `7 min`, `3 h`, `16 d`: how old something is, in one unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
