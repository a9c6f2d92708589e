"""Checks of a fault's parameters: they come from a YAML file, so any value may have any type.

Each check gives a complaint with the mend, or None; `require` raises them all at once.
"""

from __future__ import annotations

from collections.abc import Sequence

from sre.errors import SreError

_MOST = 1e9


def require(fault: str, *complaints: str | None) -> None:
    """Raises SreError, one line, with every complaint."""
    found = [complaint for complaint in complaints if complaint]
    if found:
        raise SreError(f"{fault}: {'; '.join(found)}")


def number(name: str, value: object, *, above: float = -_MOST, most: float = _MOST) -> str | None:
    """A finite number, above `above` and at most `most`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
        low = "" if above == -_MOST else f" above {above:g}"
        high = "" if most == _MOST else f" up to {most:g}"
        return f"{name} is {value!r}: write a number{low}{high}"
    return None


def whole(name: str, value: object, *, least: int, most: int) -> str | None:
    """A whole number from `least` to `most`."""
    if type(value) is not int or not least <= value <= most:
        return f"{name} is {value!r}: write a whole number from {least} to {most}"
    return None


def one_of(name: str, value: object, known: Sequence[str]) -> str | None:
    """One of the known words."""
    return None if value in known else f"{name} is {value!r}: write one of {', '.join(known)}"
