"""The bearer token that senders show: where it is kept, and how one that was shown is compared."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path

from sre.errors import EnvironmentLacks, SreError

VARIABLE = "SRE_WEBHOOK_TOKEN"
SHORTEST = 16
_OTHERS = 0o077


class Token:
    """Holds a digest alone, so that no repr, log or traceback can show the token."""

    __slots__ = ("_digest",)

    def __init__(self, secret: str) -> None:
        self._digest = _digest(secret.encode())

    def is_shown_by(self, authorization: str) -> bool:
        """Whether an Authorization header carries it. Takes the same time for every wrong one."""
        scheme, _, shown = authorization.partition(" ")
        # headers come with bytes that are no UTF-8 as surrogates
        same = hmac.compare_digest(_digest(shown.strip().encode("utf-8", "surrogateescape")), self._digest)
        return same and scheme.lower() == "bearer"


def token_from(file: Path | None, environment: Mapping[str, str] = os.environ) -> Token | None:
    """The token of `file`, else of the variable; None when neither is given.

    Raises SreError for a file that others may read, or a token that is too short or is no token.
    """
    if file is not None:
        return Token(_checked(_read(file), str(file)))
    secret = environment.get(VARIABLE, "").strip()
    return Token(_checked(secret, f"${VARIABLE}")) if secret else None


def _read(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if mode & _OTHERS:
                raise SreError(f"{file}: others may read it (mode {mode & 0o777:04o}): run chmod 600 {file}")
            return stream.read().strip()
    except UnicodeDecodeError:
        raise SreError(f"{file}: not text: a file that holds nothing but the token is expected") from None
    except OSError as error:
        raise EnvironmentLacks(f"{file}: cannot be read ({error.strerror}): give the file of the token") from error


def _checked(secret: str, where: str) -> str:
    if len(secret) < SHORTEST:
        raise SreError(
            f"{where}: the token is shorter than {SHORTEST} characters: make one with `openssl rand -hex 24`"
        )
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        raise SreError(f"{where}: holds spaces, newlines or other characters that no token has: check it")
    return secret


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
