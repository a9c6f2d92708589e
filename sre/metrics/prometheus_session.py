"""The HTTP session under prometheus-api-client: what the library leaves to `requests`, bounded and judged.

The library joins URLs and parameters; it knows no size limit, drops the server's `warnings`, raises whatever happens.
This session reads an answer within a time and a size, repeats what is safe to repeat, and turns each failure into one
line. It hands the library a parsed success or nothing. Redirects are not followed: they would carry the credentials.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from sre.errors import EnvironmentLacks, NoData
from sre.metrics.credentials import Credentials, is_loopback

MOST_BYTES = 64 * 2**20
CONNECT_TIMEOUT_S = 3.0
RETRIES = 2
BACKOFF_S = 0.1  # then twice that: a probe that guards a drill waits 0.3 s at most
_REPEATABLE = frozenset({502, 503})
_BLOCK_BYTES = 256 * 2**10


class AnswerTooBig(Exception):  # noqa: N818  (asked again in smaller parts, never leaves sre.metrics.prometheus)
    """An answer outgrew the limit, here or in the server; the message says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the library sees: a success, already parsed."""

    payload: dict[str, Any]
    status_code: int = 200
    content: bytes = b""

    def json(self) -> dict[str, Any]:
        return self.payload


class GuardedSession:
    """The part of `requests.Session` that prometheus-api-client uses. GET only, so that a request may be repeated.

    `timeout_s` bounds each attempt: the wait for a byte, and the whole answer. `on_payload` sees each success first.
    Raises EnvironmentLacks for a server that cannot be read, NoData for one that refuses the question.
    """

    def __init__(
        self,
        url: str,
        *,
        credentials: Credentials,
        timeout_s: float,
        on_payload: Callable[[dict[str, Any]], None],
        most_bytes: int = MOST_BYTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        credentials.check(url)
        self._url, self._credentials = url, credentials
        self._timeout_s, self._most_bytes = timeout_s, most_bytes
        self._on_payload, self._sleep = on_payload, sleep
        self._session = requests.Session()
        # a proxy of the environment never stands between us and this machine
        self._session.trust_env = not is_loopback(url)
        self._session.auth = _Authorization(credentials)
        self.verify: bool | str = str(credentials.ca_file) if credentials.ca_file else True
        self.cert = _client_certificate(credentials)

    def mount(self, prefix: str, adapter: HTTPAdapter) -> None:
        """The library would mount its retries here; ours are in `request`."""

    def get(self, url: str, *, params: Mapping[str, str] | None = None, **_: Any) -> Answer:
        return self.request("GET", url, params=params)

    def request(self, method: str, url: str, *, params: Mapping[str, str] | None = None, **_: Any) -> Answer:
        """One question, repeated where that is safe."""
        attempt = 0
        while True:
            again = attempt < RETRIES
            try:
                status, body, location = self._attempt(method, url, params)
            except requests.RequestException as error:
                if again and _is_repeatable(error):
                    attempt += 1
                    self._sleep(BACKOFF_S * 2 ** (attempt - 1))
                    continue
                raise EnvironmentLacks(f"Prometheus at {self._url} {self._failure(error)}") from error
            except OSError as error:  # a certificate file that TLS cannot use
                raise EnvironmentLacks(f"Prometheus at {self._url} cannot be asked ({type(error).__name__})") from error
            if again and status in _REPEATABLE and not _is_query_timeout(body):
                attempt += 1
                self._sleep(BACKOFF_S * 2 ** (attempt - 1))
                continue
            return self._judged(status, body, location)

    def close(self) -> None:
        self._session.close()

    def _attempt(self, method: str, url: str, params: Mapping[str, str] | None) -> tuple[int, bytes, str]:
        deadline = time.monotonic() + self._timeout_s
        with self._session.request(
            method,
            url,
            params=params,
            timeout=(min(CONNECT_TIMEOUT_S, self._timeout_s), self._timeout_s),
            verify=self.verify,
            cert=self.cert,
            allow_redirects=False,
            stream=True,
        ) as response:
            body = bytearray()
            for block in response.iter_content(_BLOCK_BYTES):
                body += block
                if len(body) > self._most_bytes:
                    raise AnswerTooBig(f"an answer of Prometheus is larger than {self._most_bytes // 2**20} MiB")
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout
            return response.status_code, bytes(body), response.headers.get("Location", "")

    def _judged(self, status: int, body: bytes, location: str) -> Answer:
        payload = _parsed(body)
        said = self._said(payload, body)
        if status == 200:
            if payload is None or payload.get("status") != "success" or "data" not in payload:
                raise EnvironmentLacks(f"{self._url} does not speak Prometheus's API: check the address")
            self._on_payload(payload)
            return Answer(payload)
        if 300 <= status < 400:
            where = urlsplit(location).hostname or "another address"
            raise EnvironmentLacks(f"{self._url} redirects to {where}: give the address that answers, or credentials")
        if status in (401, 403):
            raise EnvironmentLacks(
                f"Prometheus at {self._url} wants other credentials (HTTP {status}): give a token, or user and password"
            )
        if status == 404 and payload is None:
            raise EnvironmentLacks(f"{self._url} does not speak Prometheus's API (HTTP 404): check the address")
        if status in (413, 422) and ("too many samples" in said or status == 413):
            raise AnswerTooBig(f"Prometheus at {self._url} would load too many samples")
        if status in (400, 404, 405, 422):
            raise NoData(f"Prometheus at {self._url} refused the question (HTTP {status}{said})")
        raise EnvironmentLacks(f"Prometheus at {self._url} fails (HTTP {status}{said}): see its log, then ask again")

    def _said(self, payload: dict[str, Any] | None, body: bytes) -> str:
        """`: what the server says`, in one short line without our secret; empty for a page of HTML."""
        if payload is not None:
            text = str(payload.get("error", ""))
        else:
            text = body[:2000].decode("utf-8", "replace")
            text = "" if "<" in text else text
        line = self._credentials.without_secrets(" ".join(text.split()))[:300]
        return f": {line}" if line else ""

    def _failure(self, error: requests.RequestException) -> str:
        if isinstance(error, requests.exceptions.SSLError):
            return "has a certificate that does not verify: give its authority's file as CA, or mend the address"
        if isinstance(error, requests.Timeout):
            return f"does not answer within {self._timeout_s:g} s: ask for less, or allow more time"
        name = type(error).__name__
        return f"does not answer ({name}): start it, or read from another source"


class _Authorization(AuthBase):
    """Puts the header on each request. Being there at all keeps `requests` from looking into ~/.netrc."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        header = self._credentials.authorization()
        if header is not None:
            request.headers["Authorization"] = header
        return request


def _client_certificate(credentials: Credentials) -> str | tuple[str, str] | None:
    if credentials.cert_file is None:
        return None
    if credentials.key_file is None:
        return str(credentials.cert_file)
    return str(credentials.cert_file), str(credentials.key_file)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):  # the second: thousands of opening brackets
        return None
    return payload if isinstance(payload, dict) else None


def _is_repeatable(error: requests.RequestException) -> bool:
    """A connection refused, reset or cut is; a certificate stays as it is, and a slow server is not asked twice."""
    if isinstance(error, requests.Timeout | requests.exceptions.SSLError):
        return False
    return isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError)


def _is_query_timeout(body: bytes) -> bool:
    """Prometheus answers 503 to a query that took too long: it would take as long again."""
    return b'"errorType":"timeout"' in body[:4096]
