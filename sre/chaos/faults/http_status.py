"""What the gateway's address answers, asked without any library of the platform: faults look from outside."""

from __future__ import annotations

import urllib.error
import urllib.request
from ipaddress import ip_address
from urllib.parse import urlsplit

TIMEOUT_S = 2.0


def status_of(url: str, *, body: bytes | None = None) -> int | None:
    """The HTTP status; None when nobody answers in time. A body makes it a POST; a proxy is never used."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, data=body)  # noqa: S310  (a gateway's http address)
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, ValueError):
        return None


def is_loopback(url: str) -> bool:
    """Whether it is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
