"""Keys of an engine's control file as faults: several faults may have keys of their own in it at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sre.errors import PlatformError
from sre.platforms.model import Platform

Keys = Mapping[str, Any]


def require_free(platform: Platform, replica: str, keys: Keys) -> None:
    """Raises PlatformError when the engine has been told one of these already: two undos would cross."""
    taken = sorted(set(keys) & set(platform.engine_faults(replica)))
    if taken:
        raise PlatformError(
            f"{replica}: its engine has {', '.join(taken)} already: end that fault first, `sre chaos heal`"
        )


def put_keys(platform: Platform, replica: str, keys: Keys) -> None:
    """Tell the engine to have these besides what it has."""
    platform.set_engine_faults(replica, {**platform.engine_faults(replica), **keys})


def take_keys(platform: Platform, replica: str, keys: Keys) -> None:
    """Take these back, as far as they are as we put them. Nothing to do when they are gone."""
    told = platform.engine_faults(replica)
    left = {key: value for key, value in told.items() if key not in keys or value != keys[key]}
    if left != dict(told):
        platform.set_engine_faults(replica, left)
