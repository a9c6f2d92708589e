"""Sampling parameters as they come in: JSON, checked."""

from __future__ import annotations

import pytest

from serving.engine.sampling import Resume, Sampling, parse_sampling
from serving.errors import BadInput


@pytest.mark.parametrize("text", ["", "  ", "{}"])
def test_nothing_given_means_the_defaults(text: str) -> None:
    assert parse_sampling(text) == Sampling(max_tokens=256, ignore_eos=False, stop=(), priority=0, seed=None)


def test_every_parameter_is_read() -> None:
    text = '{"max_tokens": 7, "ignore_eos": true, "stop": ["a", "b c"], "priority": -2, "seed": 5}'
    assert parse_sampling(text) == Sampling(7, True, ("a", "b c"), -2, 5)


def test_what_only_some_engines_use_is_read_too() -> None:
    text = '{"temperature": 0, "top_p": 0.5, "presence_penalty": -2, "frequency_penalty": 1.5, "deadline_at": 1.7e9}'
    sampling = parse_sampling(text)
    assert (sampling.temperature, sampling.top_p, sampling.deadline_at) == (0, 0.5, 1.7e9)
    assert (sampling.presence_penalty, sampling.frequency_penalty) == (-2, 1.5)


def test_a_resume_is_read_with_its_text_and_ids() -> None:
    sampling = parse_sampling('{"resume": {"output_tokens": 2, "text": "a b", "token_ids": [5, 6]}}')
    assert sampling.resume == Resume(2, "a b", (5, 6))
    assert sampling.resumed_tokens == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "list instead of an object"),
        ('{"max_tokens": 0}', "max_tokens is 0: send a whole number of at least 1"),
        ('{"max_tokens": true}', "max_tokens is true: send a whole number"),
        ('{"max_tokens": 1.5}', "max_tokens is 1.5"),
        ('{"ignore_eos": 1}', "ignore_eos is 1: send true or false"),
        ('{"stop": "a"}', 'stop is "a": send a list of strings'),
        ('{"stop": [""]}', "none empty"),
        ('{"priority": "high"}', 'priority is "high"'),
        ('{"deadline_at": "soon"}', "Unix time in seconds"),
        ('{"temperature": 3}', "temperature is 3: send a number from 0 to 2"),
        ('{"temperature": NaN}', "temperature is NaN"),
        ('{"top_p": 0}', "top_p is 0"),
        ('{"resume": {"output_tokens": -1}}', "with n of at least 0"),
        ('{"resume": {"text": "a"}}', "with n of at least 0"),
        ('{"resume": {"output_tokens": 1, "token_ids": ["a"]}}', "with n of at least 0"),
        ('{"resume": {"output_tokens": 1, "tokens": []}}', "with n of at least 0"),
        ('{"max_tokens": 3, "resume": {"output_tokens": 4}}', "resume.output_tokens is 4, more than max_tokens 3"),
        ('{"max_token": 5}', "max_token is unknown: known are max_tokens, ignore_eos"),
    ],
)
def test_a_bad_parameter_is_refused_with_the_mend(text: str, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_sampling(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(BadInput, match=r"max_tokens is -1.*; priority is 0\.5"):
        parse_sampling('{"max_tokens": -1, "priority": 0.5}')
