"""`manifest.sig`: an ed25519 signature over the bytes of a report's manifest, so that its origin can be proven.

The key stays with who signs: a PEM file that only its owner may read. The signature names the public key for a reader's
convenience; what counts is the public key that the reader has from elsewhere. Needs `cryptography` (extra `sign`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import stat
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from sre.errors import EnvironmentLacks, SreError
from sre.reports.atomic import write_text
from sre.reports.manifest import NAME, SIGNATURE

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHM = "ed25519"
_LACKS = "signing needs the package cryptography: pip install 'llm-gameday[sign]'"


def new_key(path: Path) -> str:
    """Write a new private key to `path`, readable by its owner alone; the public key as PEM. An existing file stays."""
    private: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.generate()
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise SreError(f"{path}: exists already; a key is never replaced: choose another name") from error
    except OSError as error:
        raise EnvironmentLacks(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(pem)
    return public_pem(private.public_key())


def sign(directory: Path, key: Path) -> str:
    """Write `manifest.sig` beside the manifest; the signing key's fingerprint. Raises SreError with one line."""
    private = _private(key)
    manifest = _manifest(directory)
    public = private.public_key()
    body = {
        "schema": 1,
        "algorithm": ALGORITHM,
        "public_key": base64.b64encode(_raw(public)).decode(),
        "signature": base64.b64encode(private.sign(manifest)).decode(),
    }
    write_text(directory / SIGNATURE, json.dumps(body, indent=1) + "\n")
    return fingerprint(public)


def check_signature(directory: Path, public_key: Path) -> str | None:
    """What is wrong with the signature of the folder, in one line; None when `public_key`'s owner signed it."""
    public = _public(public_key)
    try:
        signature = _signature(directory)
    except ValueError as error:
        return f"{SIGNATURE}: {error}"
    from cryptography.exceptions import InvalidSignature

    try:
        public.verify(signature, _manifest(directory))
    except InvalidSignature:
        return f"{SIGNATURE}: not made by this key over this manifest: another key signed it, or it was altered since"
    return None


def is_signed(directory: Path) -> bool:
    return (directory / SIGNATURE).is_file()


def public_pem(public: Ed25519PublicKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def fingerprint(public: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the sha256 of the raw public key: short enough to read out."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def _raw(public: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _manifest(directory: Path) -> bytes:
    try:
        return (directory / NAME).read_bytes()
    except OSError as error:
        raise SreError(f"{directory / NAME}: cannot be read ({error.strerror}); build the report first") from error


def _signature(directory: Path) -> bytes:
    """Raises ValueError in words on what is no signature file."""
    path = directory / SIGNATURE
    if not path.is_file() or path.is_symlink():
        raise ValueError("missing: the report is not signed")
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] != 1 or document["algorithm"] != ALGORITHM:
            raise ValueError("neither schema 1 nor ed25519")
        return base64.b64decode(document["signature"], validate=True)
    except (
        OSError,
        KeyError,
        TypeError,
        UnicodeDecodeError,
        json.JSONDecodeError,
        binascii.Error,
        RecursionError,
    ) as error:
        raise ValueError("not a signature file") from error


def _private(path: Path) -> Ed25519PrivateKey:
    """The key of a file that nobody else may read."""
    kind: type[Ed25519PrivateKey] = _ed25519().Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise SreError(f"{path}: others may read it (mode {mode:04o}): chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise SreError(f"{path}: cannot be read ({error.strerror}): sre report keygen makes one") from error
    except (ValueError, TypeError) as error:
        raise SreError(f"{path}: not an unencrypted private key in PEM: sre report keygen makes one") from error
    if not isinstance(key, kind):
        raise SreError(f"{path}: not an ed25519 key: sre report keygen makes one")
    return key


def _public(path: Path) -> Ed25519PublicKey:
    kind: type[Ed25519PublicKey] = _ed25519().Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise SreError(f"{path}: cannot be read ({error.strerror}); give the public key of who signed") from error
    except (ValueError, TypeError) as error:
        raise SreError(f"{path}: not a public key in PEM; give what sre report keygen printed") from error
    if not isinstance(key, kind):
        raise SreError(f"{path}: not an ed25519 public key")
    return key


def _ed25519() -> ModuleType:
    """The module, or the one line on how to get it."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise EnvironmentLacks(_LACKS) from error
    return ed25519
