"""What is kept of a command's output holds no secret that looks like one, and still says what happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.runbooks.masking import MASK, masked


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer ***"),
        ("curl -H 'authorization: Basic dXNlcjpwYXNz'", "curl -H 'authorization: Basic ***'"),
        ("postgresql://sre:hunter2@db:5432/x", "postgresql://sre:***@db:5432/x"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
        ('{"api_key": "k-123", "tenant": "a"}', '{"api_key": ***, "tenant": "a"}'),
        ("key sk-abcdefghijklmnopqrst is", "key *** is"),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("x-api-key: secret-value-1", "x-api-key: ***"),
    ],
)
def test_what_looks_like_a_secret_is_masked_and_its_name_stays(text, kept):
    assert masked(text) == kept


def test_a_private_key_goes_whole_also_when_its_end_was_cut_off():
    block = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
    assert masked(f"before\n{block}\nafter") == "before\n*** (a private key)\nafter"
    assert "MIIEv" not in masked(block.removesuffix("-----END PRIVATE KEY-----"))


@pytest.mark.parametrize(
    "text",
    [
        'sre_gateway_requests_total{outcome="ok"} 12.0',
        '{"event": "request", "prompt_tokens": 120, "tenant": null}',
        "sre_gateway_wasted_tokens_total 3.0",
        "llm-1 ready up 4711 0 2",
    ],
)
def test_metrics_and_logs_stay_as_they_are(text):
    assert masked(text) == text


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789", min_size=8, max_size=40))
def test_no_bearer_token_survives(token):
    assert f"Bearer {token}" not in masked(f"authorization: Bearer {token}\n")


def test_masked_text_is_not_masked_again():
    once = masked("password=hunter2 Bearer abcdefgh")
    assert masked(once) == once
    assert MASK in once
