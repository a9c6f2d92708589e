"""Signing a report: the right key over the right manifest, and nothing else, is accepted."""

from __future__ import annotations

import json
import stat

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import BadDocument, EnvironmentLacks, SreError
from sre.incidents.store.model import Anchor
from sre.reports.manifest import SIGNATURE, read_anchors, verify, write_manifest
from sre.reports.signature import check_signature, is_signed, new_key, sign

ANCHOR = Anchor(12, "0f" * 32)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "report"
    place.mkdir()
    (place / "report.html").write_text("<p>fine</p>")
    write_manifest(place)
    return place


@pytest.fixture
def keys(tmp_path):
    """A private key file and its public key file."""
    private, public = tmp_path / "key.pem", tmp_path / "key.pub"
    public.write_text(new_key(private))
    return private, public


def run(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_what_was_signed_is_verified(folder, keys):
    private, public = keys
    signer = sign(folder, private)
    assert len(signer) == 16
    assert check_signature(folder, public) is None
    assert verify(folder) == []


def test_a_manifest_changed_after_signing_is_found(folder, keys):
    sign(folder, keys[0])
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text() + "\n")
    assert "altered since" in check_signature(folder, keys[1])


def test_another_key_is_found(folder, keys, tmp_path):
    other = tmp_path / "other.pub"
    other.write_text(new_key(tmp_path / "other.pem"))
    sign(folder, keys[0])
    assert "another key signed it" in check_signature(folder, other)


def test_a_report_that_nobody_signed_is_said_to_be_so(folder, keys):
    assert check_signature(folder, keys[1]) == "manifest.sig: missing: the report is not signed"
    assert not is_signed(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"schema": 1, "algorithm": "rsa", "signature": ""}'])
def test_a_broken_signature_file_is_one_line(folder, keys, content):
    (folder / SIGNATURE).write_bytes(content)
    found = check_signature(folder, keys[1])
    assert found.startswith("manifest.sig: ")
    assert "\n" not in found


def test_a_signature_that_is_no_base64_or_too_short_does_not_pass(folder, keys):
    sign(folder, keys[0])
    document = json.loads((folder / SIGNATURE).read_text())
    for signature in ("%%%", "AAAA", "", 7):
        (folder / SIGNATURE).write_text(json.dumps({**document, "signature": signature}))
        assert check_signature(folder, keys[1]) is not None


def test_the_public_key_in_the_signature_file_is_not_trusted(folder, keys, tmp_path):
    """Who forges the manifest can put a key of his own beside it: only the reader's counts."""
    forger = tmp_path / "forger.pem"
    new_key(forger)
    (folder / "report.html").write_text("<p>forged</p>")
    write_manifest(folder)
    sign(folder, forger)
    assert check_signature(folder, keys[1]) is not None


def test_a_key_that_others_may_read_is_refused(folder, keys):
    keys[0].chmod(0o640)
    with pytest.raises(SreError, match=r"others may read it \(mode 0640\)"):
        sign(folder, keys[0])


def test_a_new_key_is_for_its_owner_alone_and_replaces_none(tmp_path):
    path = tmp_path / "key.pem"
    new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    with pytest.raises(SreError, match="exists already"):
        new_key(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "nothing", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_one_line(folder, tmp_path, content):
    path = tmp_path / "bad.pem"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(SreError, match="PEM"):
        sign(folder, path)
    with pytest.raises(SreError, match="PEM"):
        check_signature(folder, path)


def test_a_key_of_another_kind_is_refused(folder, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    path = tmp_path / "ec.pem"
    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(pem)
    path.chmod(0o600)
    with pytest.raises(SreError, match="not an ed25519 key"):
        sign(folder, path)


def test_without_cryptography_it_says_what_to_install(folder, keys, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(EnvironmentLacks, match=r"llm-gameday\[sign\]"):
        sign(folder, keys[0])


def test_a_manifest_written_anew_takes_the_old_signature_away(folder, keys):
    sign(folder, keys[0])
    write_manifest(folder)
    assert not is_signed(folder)
    assert verify(folder) == []


def test_anchors_are_kept_in_the_manifest_and_through_a_new_one(folder):
    write_manifest(folder, (ANCHOR,))
    assert read_anchors(folder) == (ANCHOR,)
    write_manifest(folder)
    assert read_anchors(folder) == (ANCHOR,)
    assert verify(folder) == []


def test_a_manifest_without_anchors_is_as_before(folder):
    assert read_anchors(folder) == ()
    assert set(json.loads((folder / "manifest.json").read_text())) == {"schema", "files"}


@pytest.mark.parametrize("anchors", [7, [7], [{"position": "1", "hash": "0f" * 32}], [{"position": 1, "hash": "xy"}]])
def test_anchors_that_are_none_are_a_problem(folder, anchors):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "anchors": anchors}))
    with pytest.raises(BadDocument, match="anchors"):
        read_anchors(folder)
    assert verify(folder) == ["manifest.json: anchors must be a list of position and hash"]


def test_the_verbs_make_a_key_sign_and_verify(folder, tmp_path):
    made = run("keygen", "--out", tmp_path / "k.pem")
    assert made.exit_code == 0
    public = tmp_path / "k.pub"
    public.write_text(made.stdout)
    assert "BEGIN PUBLIC KEY" in made.stdout
    assert "PRIVATE" not in made.stdout
    assert run("verify", folder).stdout.endswith("as the manifest says\n")
    assert run("sign", folder, "--key", tmp_path / "k.pem").exit_code == 0
    assert "check by whom" in run("verify", folder).stdout
    good = run("verify", folder, "--public-key", public)
    assert (good.exit_code, "the key's owner signed it" in good.stdout) == (0, True)
    told = json.loads(run("verify", folder, "--public-key", public, "--json").stdout)
    assert (told["ok"], told["signature"]) == (True, "good")


def test_a_wrong_key_exits_with_one_and_one_line(folder, keys, tmp_path):
    sign(folder, keys[0])
    other = tmp_path / "other.pub"
    other.write_text(new_key(tmp_path / "other.pem"))
    found = run("verify", folder, "--public-key", other)
    assert found.exit_code == 1
    assert len(found.stderr.splitlines()) == 1


def test_what_is_not_as_its_manifest_says_is_not_signed(folder, keys):
    (folder / "report.html").write_text("<p>changed</p>")
    found = CliRunner().invoke(app, ["report", "sign", str(folder), "--key", str(keys[0])])
    assert found.exit_code != 0
    assert not is_signed(folder)
