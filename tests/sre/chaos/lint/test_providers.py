"""Processes and addresses."""

import pytest


@pytest.fixture
def look(experiment):
    """A probe in the method, whose provider is to be filled in."""
    activity = {"type": "probe", "name": "look", "provider": {}}
    experiment["method"].append(activity)
    return activity


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({}, "type: missing"),
        ({"type": "pyhton"}, "type: is 'pyhton': did you mean `python`?"),
        ({"type": "grpc"}, "type: is 'grpc': use one of python, process, http"),
        ({"type": "process"}, "path: missing"),
        ({"type": "process", "path": "no-such-program"}, "path: no-such-program is no program here"),
        ({"type": "process", "path": "/"}, "path: / is no program here"),
        ({"type": "process", "path": "true", "arguments": {"-x": 1}}, "arguments: is a mapping"),
        ({"type": "process", "path": "true", "arguments": 3}, "arguments: is 3: write a list"),
        ({"type": "process", "path": "true", "arguments": [["a"]]}, "arguments[0]: is a list: write text"),
        ({"type": "process", "path": "true", "timeout": "3"}, "timeout: is '3': write seconds"),
        ({"type": "process", "path": "true", "timeout": 0}, "timeout: is 0: write seconds"),
        ({"type": "process", "pth": "true"}, "pth: unknown key: did you mean `path`?"),
        ({"type": "http"}, "url: missing"),
        ({"type": "http", "url": "127.0.0.1:8400"}, "url: is '127.0.0.1:8400', on which Chaos Toolkit ends"),
        ({"type": "http", "url": "http://[::1"}, "url: is 'http://[::1', on which Chaos Toolkit ends"),
        ({"type": "http", "url": "http://h:99999"}, "on which Chaos Toolkit ends with a traceback"),
        ({"type": "http", "url": "http://h", "method": "FETCH"}, "method: is 'FETCH'"),
        ({"type": "http", "url": "http://h", "headers": ["a"]}, "headers: is a list"),
        ({"type": "http", "url": "http://h", "headers": {"X": 3}}, "headers.X: is 3: write text"),
        ({"type": "http", "url": "http://h", "timeout": [1, "x"]}, "timeout[1]: is 'x'"),
        ({"type": "http", "url": "http://h", "timeout": [1, 2, 3]}, "timeout: is a list"),
        ({"type": "http", "url": "http://h", "verify_tls": "no"}, "verify_tls: is 'no'"),
        ({"type": "http", "url": "http://h", "max_retries": -1}, "max_retries: is -1"),
    ],
)
def test_what_cannot_be_called_is_refused(look, errors, provider, said):
    look["provider"] = provider
    assert any(f"method[2].provider.{said}" in text or said in text for text in errors())


@pytest.mark.parametrize(
    "provider",
    [
        {"type": "process", "path": "true", "timeout": 3},
        {"type": "process", "path": "echo", "arguments": ["-n", 3], "timeout": 0.5},
        {"type": "http", "url": "http://localhost:8400/healthz", "timeout": [1, 2]},
        {"type": "http", "url": "https://host/x", "method": "post", "headers": {"A": "b"}, "timeout": 3},
    ],
)
def test_what_can_be_called_is_left_alone(look, checked, provider):
    look["provider"] = provider
    assert checked().findings == ()


def test_a_text_of_arguments_goes_through_a_shell(look, warnings):
    look["provider"] = {"type": "process", "path": "echo", "arguments": "a; rm -rf b", "timeout": 3}
    assert warnings() == ["method[2].provider.arguments: one text goes through a shell: write a list"]


@pytest.mark.parametrize("provider", [{"type": "process", "path": "true"}, {"type": "http", "url": "http://h"}])
def test_without_a_timeout_it_may_wait_for_ever(look, warnings, provider):
    look["provider"] = provider
    assert any("provider.timeout: missing: without it Chaos Toolkit waits for ever" in text for text in warnings())


def test_an_action_that_is_a_process_always_succeeds(look, warnings):
    look |= {"type": "action", "provider": {"type": "process", "path": "false", "timeout": 3}}
    assert warnings() == [
        "method[2].provider: Chaos Toolkit takes any exit code for success: check what it did with a probe"
    ]
