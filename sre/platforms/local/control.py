"""Orders to the supervisor through its control API: where it listens and its secret are in `control.json`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sre.errors import PlatformError, SreError

CONTROL_FILE = "control.json"
_TIMEOUT_S = 10.0
_WRONG_USE = frozenset({400, 404})


def direct() -> urllib.request.OpenerDirector:
    """Loopback is never reached through a proxy, whatever the environment says."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def order(state_dir: Path, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call; returns its answer.

    Raises SreError for what was asked wrongly, PlatformError when the supervisor refuses or does not answer.
    """
    try:
        file = json.loads((state_dir / CONTROL_FILE).read_text("utf-8"))
        request = urllib.request.Request(  # noqa: S310  (http on loopback, from our own file)
            file["url"] + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {file['token']}", "Content-Type": "application/json"},
        )
        with direct().open(request, timeout=_TIMEOUT_S) as response:
            return dict(json.loads(response.read()))
    except urllib.error.HTTPError as error:
        said = _said(error)
        raise (SreError(said) if error.code in _WRONG_USE else PlatformError(said)) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlatformError(
            f"{state_dir / CONTROL_FILE}: the supervisor takes no orders ({type(error).__name__}: {error}): "
            "see `sre status`"
        ) from error


def _said(error: urllib.error.HTTPError) -> str:
    """The supervisor's own line, else its status."""
    with error:
        try:
            return str(json.loads(error.read())["error"])
        except (ValueError, KeyError, TypeError, OSError):
            return f"supervisor answered HTTP {error.code}: see logs/supervisor.log"
