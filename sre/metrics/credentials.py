"""How to authenticate at a server: where its secrets are kept, never the secrets themselves.

Secrets come from files or environment variables, are read anew for each request (tokens of service accounts rotate) and
appear in no repr, error or log. They are refused over plain http to another machine, where anybody could read them.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sre.errors import EnvironmentLacks, SreError


@dataclass(frozen=True, slots=True)
class Credentials:
    """A bearer token (`token_file`, else `token_env` when that variable is set), or basic auth, or neither.

    `ca_file` is what the server's certificate is checked against instead of the system's authorities; `cert_file` and
    `key_file` (PEM; the key may stand in the former) are the client's own certificate. The check cannot be turned off.
    """

    token_file: Path | None = None
    token_env: str | None = None
    username: str | None = None
    password_file: Path | None = None
    password_env: str | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    def authorization(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The Authorization header's value now; None without credentials.

        Raises SreError for options that exclude each other, EnvironmentLacks for a secret that cannot be read.
        """
        if self.username is not None:
            return self._basic(self.username, environment)
        if self.password_file is not None or self.password_env is not None:
            raise SreError("a password without a user name: give both for basic auth")
        if self.token_file is not None:
            return f"Bearer {_printable(_read(self.token_file), f'the token in {self.token_file}')}"
        if self.token_env is not None and environment.get(self.token_env):
            return f"Bearer {_printable(environment[self.token_env].strip(), f'the token in ${self.token_env}')}"
        return None

    def without_secrets(self, text: str) -> str:
        """`text`, which a server sent, with what was sent to it blotted out."""
        kind, _, secret = (self.authorization() or "").partition(" ")
        secrets = [secret]
        if kind == "Basic":
            secrets.append(base64.b64decode(secret).decode().partition(":")[2])
        for one in filter(None, secrets):
            text = text.replace(one, "***")
        return text

    def check(self, url: str) -> None:
        """Raises SreError or EnvironmentLacks when these credentials cannot, or must not, be used at `url`."""
        parts = checked_url(url)
        if self.key_file is not None and self.cert_file is None:
            raise SreError("a client key without its certificate: give both")
        for path in (self.ca_file, self.cert_file, self.key_file):
            if path is not None and not path.is_file():
                raise EnvironmentLacks(f"{path}: no such file: give the PEM file of the certificate or key")
        if self.authorization() is not None and parts.scheme == "http" and not is_loopback(url):
            raise SreError(
                f"credentials are not sent over plain http to {parts.hostname}: use https, or a server on this machine"
            )

    def _basic(self, username: str, environment: Mapping[str, str]) -> str:
        if self.token_file is not None:
            raise SreError("a bearer token and a user name are two ways to authenticate: give one")
        if self.password_file is not None:
            password = _read(self.password_file)
        elif self.password_env is not None:
            password = environment.get(self.password_env, "")
            if not password:
                raise EnvironmentLacks(f"${self.password_env} is not set: put the password there")
        else:
            raise SreError(f"user {username!r} without a password: give a password file")
        return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")


def checked_url(url: str) -> SplitResult:
    """The parts of an http or https URL. Raises SreError for anything else, without quoting secrets in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise SreError(f"not a URL ({error}): give one like http://127.0.0.1:9090") from None
    if parts.username is not None or parts.password is not None:
        raise SreError(f"the URL of {host} holds credentials: keep them in a file and give that")
    if parts.scheme not in ("http", "https") or not host:
        raise SreError(f"{url!r} is not an http or https URL: give one like http://127.0.0.1:9090")
    if parts.query or parts.fragment:
        raise SreError(f"the URL of {host} has a query or fragment: give the address Prometheus's API starts at")
    return parts


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine, by name or by address."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise EnvironmentLacks(f"{path}: not text: a file that holds nothing but the secret is expected") from None
    except OSError as error:
        raise EnvironmentLacks(f"{path}: cannot be read ({error.strerror}): give the file of the secret") from error
    if not secret:
        raise EnvironmentLacks(f"{path}: is empty: put the secret into it")
    return secret


def _printable(secret: str, what: str) -> str:
    """Refuse what cannot stand in a header here: the library's own error would quote it."""
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise EnvironmentLacks(f"{what} holds spaces, newlines or other characters that no token has: check it")
    return secret
