"""Who may use the gateway: tenants and their API keys, from a YAML file.

A key is `sre-` and 256 random bits that we generate; the file holds its SHA-256 alone. A slow password hash would add
nothing: there is no guessing 256 random bits, and the hash is computed for every request.

    tenants:
      - name: team-a
        key_sha256: ["<64 hex digits>"]
        priority: 0             # lower goes first; requests may lower their own, not raise it above this
        requests_per_s: 10      # with requests_burst; absent is unlimited
        tokens_per_min: 60000   # with tokens_burst; prompt and generated
        max_inflight: 64
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from serving.errors import BadInput
from serving.gateway.errors import ApiError, invalid
from serving.gateway.ratelimit import Rate

_KEY_BYTES = 32
_KEY_PREFIX = "sre-"
_SCHEME = "bearer "
_FILE_MODE = 0o600

Amount = Annotated[float, Field(gt=0, le=1e12, allow_inf_nan=False)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Tenant(BaseModel):
    """One user of the gateway. A burst that is absent is one second's requests (at least 1), one minute's tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    key_sha256: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=32, strict=False)]
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    requests_per_s: Amount | None = None
    requests_burst: Annotated[float, Field(ge=1, le=1e12)] | None = None
    tokens_per_min: Amount | None = None
    tokens_burst: Annotated[float, Field(ge=1, le=1e12)] | None = None
    max_inflight: Annotated[int, Field(ge=1, le=100_000)] | None = None

    @model_validator(mode="after")
    def _bursts_have_rates(self) -> Self:
        for rate, burst in (("requests_per_s", "requests_burst"), ("tokens_per_min", "tokens_burst")):
            if getattr(self, burst) is not None and getattr(self, rate) is None:
                raise ValueError(f"{burst} without {rate}: give both or neither")
        return self

    @property
    def request_rate(self) -> Rate | None:
        if self.requests_per_s is None:
            return None
        return Rate(self.requests_per_s, self.requests_burst or max(1.0, self.requests_per_s))

    @property
    def token_rate(self) -> Rate | None:
        if self.tokens_per_min is None:
            return None
        return Rate(self.tokens_per_min / 60, self.tokens_burst or self.tokens_per_min)

    def clamp(self, asked: int | None) -> int:
        """The priority of a request that asked for `asked`: never better than the tenant's own."""
        return self.priority if asked is None else max(self.priority, asked)


class TenantsFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    tenants: Annotated[tuple[Tenant, ...], Field(min_length=1, max_length=1000, strict=False)]

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, values in (
            ("name", [tenant.name for tenant in self.tenants]),
            ("key_sha256", [digest for tenant in self.tenants for digest in tenant.key_sha256]),
        ):
            twice = sorted(value for value, count in Counter(values).items() if count > 1)
            if twice:
                raise ValueError(f"{what} must be unique: {', '.join(twice)} is there twice")
        return self


class Tenants:
    """Finds the tenant of a key."""

    def __init__(self, tenants: Iterable[Tenant]) -> None:
        self._by_digest = [(digest.encode(), tenant) for tenant in tenants for digest in tenant.key_sha256]

    def authenticate(self, authorization: str | None) -> Tenant:
        """The tenant of an `Authorization: Bearer KEY` header. Raises ApiError 401; the key is in no message."""
        if authorization is None or not authorization.lower().startswith(_SCHEME):
            raise _unauthorized("an API key is needed: send `Authorization: Bearer KEY`")
        tenant = self._of(authorization[len(_SCHEME) :].strip())
        if tenant is None:
            raise _unauthorized("the API key is not known: check it, or ask the gateway's operator for one")
        return tenant

    def _of(self, key: str) -> Tenant | None:
        """Compares with every entry, in constant time each: the time taken says nothing about the keys."""
        asked = digest_of(key).encode()
        found = None
        for digest, tenant in self._by_digest:
            if hmac.compare_digest(digest, asked):
                found = tenant
        return found


def _unauthorized(message: str) -> ApiError:
    return invalid(message, code="invalid_api_key", status=401, headers={"WWW-Authenticate": "Bearer"})


def digest_of(key: str) -> str:
    """How a key is written in the file."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def new_key() -> tuple[str, str]:
    """A fresh key, and the SHA-256 of it."""
    key = _KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, digest_of(key)


def parse_tenants(text: str | bytes, *, path: str) -> tuple[Tenant, ...]:
    """The tenants in `text`. Raises BadInput: one line that names every fault with its place."""
    return _checked(_document(text, path), path)


def load_tenants(path: Path) -> tuple[Tenant, ...]:
    """Read and validate `path`. Raises BadInput, also when it cannot be read."""
    return parse_tenants(_read(path), path=str(path))


def add_tenant(path: Path, name: str, settings: dict[str, Any] | None = None) -> str:
    """Add a key for tenant `name` to the file at `path` and return the key: it is written nowhere.

    A tenant that is new gets `settings` (fields of `Tenant`), a known one keeps its own and `settings` must be empty.
    The file is created or replaced as a whole with mode 0600; comments in it are lost. Raises BadInput.
    """
    document = _document(_read(path), str(path)) if path.exists() else {"tenants": []}
    if path.exists():
        _checked(document, str(path))
    key, digest = new_key()
    known = next((tenant for tenant in document["tenants"] if tenant["name"] == name), None)
    if known is None:
        document["tenants"].append({"name": name, "key_sha256": [digest], **(settings or {})})
    elif settings:
        raise BadInput(f"{path}: tenant {name} is there already: leave {', '.join(settings)} out or edit the file")
    else:
        known["key_sha256"].append(digest)
    _checked(document, str(path))
    _replace(path, yaml.safe_dump(document, sort_keys=False))
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}): give an existing tenants file") from error


def _document(text: str | bytes, path: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else path
        raise BadInput(f"{place}: not YAML: {getattr(error, 'problem', None) or 'unreadable'}") from error


def _checked(document: Any, path: str) -> tuple[Tenant, ...]:
    try:
        return TenantsFile.model_validate(document).tenants
    except ValidationError as error:
        faults = [
            ": ".join(filter(None, [".".join(map(str, e["loc"])), e["msg"]]))
            for e in error.errors(include_url=False, include_input=False)
        ]
        raise BadInput(f"{path}: {'; '.join(faults)}") from error


def _replace(path: Path, text: str) -> None:
    """Atomically, and never readable by others, not even for a moment."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadInput(f"{path}: cannot be written ({error.strerror}): give a file in a writable folder") from error
