"""Who may speak: a token from a private place, compared in constant time, shown nowhere."""

from __future__ import annotations

import pytest

from sre.errors import EnvironmentLacks, SreError
from sre.webhook.token import Token, token_from

SECRET = "0123456789abcdef-secret"  # noqa: S105  (made up)


def in_file(folder, text, mode=0o600):
    file = folder / "token"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_private_file_gives_the_token(tmp_path):
    token = token_from(in_file(tmp_path, f"{SECRET}\n"), {})
    assert token.is_shown_by(f"Bearer {SECRET}")
    assert token.is_shown_by(f"bearer {SECRET}")


@pytest.mark.parametrize(
    "shown",
    ["", "Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x", f"Bearer {SECRET[:-1]}", "Bearer \udcff"],
)
def test_anything_else_is_not_the_token(shown):
    assert not Token(SECRET).is_shown_by(shown)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_file_that_others_may_read_is_refused_with_the_mend(tmp_path, mode):
    with pytest.raises(SreError, match=rf"mode {mode:04o}\): run chmod 600"):
        token_from(in_file(tmp_path, SECRET, mode), {})


@pytest.mark.parametrize(
    ("text", "said"), [("", "shorter than 16"), ("short", "shorter than 16"), (f"{SECRET} {SECRET}", "spaces")]
)
def test_what_is_no_token_is_refused_without_being_shown(tmp_path, text, said):
    with pytest.raises(SreError, match=said) as caught:
        token_from(in_file(tmp_path, text), {})
    assert SECRET not in str(caught.value)


def test_the_variable_serves_when_there_is_no_file(tmp_path):
    assert token_from(None, {"SRE_WEBHOOK_TOKEN": SECRET}).is_shown_by(f"Bearer {SECRET}")
    assert token_from(None, {}) is None
    with pytest.raises(EnvironmentLacks, match="cannot be read"):
        token_from(tmp_path / "none", {})


def test_the_token_is_in_no_repr():
    assert SECRET not in repr(Token(SECRET))
    assert not hasattr(Token(SECRET), "__dict__")
