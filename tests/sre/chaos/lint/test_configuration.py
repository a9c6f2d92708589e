"""Where values come from."""

import pytest


@pytest.fixture
def configuration(experiment):
    return experiment["configuration"]


def test_constants_of_every_kind_are_fine(configuration, checked):
    configuration |= {"a": 1, "b": "x", "c": [1, 2], "d": {"e": 1}, "f": True}
    assert checked().findings == ()


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"type": "env"}, "key: missing"),
        ({"type": "env", "key": 3, "default": 1}, "key: is 3"),
        ({"type": "env", "key": "X", "defualt": 1}, "defualt: unknown key: did you mean `default`?"),
        ({"type": "env", "key": "X", "default": "a", "env_var_type": "int"}, "default: is 'a', no int (ValueError)"),
        ({"type": "env", "key": "X", "default": 1, "env_var_type": "itn"}, "env_var_type: is 'itn': did you mean"),
        ({"type": "env", "key": "X", "default": 3, "env_var_type": "bytes"}, "default: is 3, no bytes"),
        ({"type": "evn", "key": "X"}, "type: is 'evn': did you mean `env`?"),
        ({"type": "probe", "name": "x"}, "provider: missing"),
        (None, "is nothing"),
    ],
)
def test_what_cannot_be_read_is_refused(configuration, errors, entry, said):
    configuration["entry"] = entry
    assert any(text.startswith("configuration.entry") and said in text for text in errors())


def test_a_variable_without_default_is_warned_of_where_it_is_set(configuration, errors, warnings, monkeypatch):
    configuration["entry"] = {"type": "env", "key": "SRE_TEST_ENTRY"}
    monkeypatch.setenv("SRE_TEST_ENTRY", "x")
    assert warnings() == ["configuration.entry.default: missing: refused where the variable is not set: give it one"]
    monkeypatch.delenv("SRE_TEST_ENTRY")
    assert "configuration.entry.key: SRE_TEST_ENTRY is not set here: set it before the run" in errors()


def test_a_probe_that_fails_leaves_its_name_empty(configuration, warnings):
    provider = {"type": "python", "module": "sre.chaos.probes", "func": "healthy_replicas"}
    configuration["entry"] = {"type": "probe", "name": "x", "provider": provider}
    assert any("a probe that fails is only logged" in text for text in warnings())


def test_a_name_that_stands_for_nothing_is_warned_of(experiment, warnings):
    experiment["rollbacks"][0]["name"] = "on ${platfrm}"
    assert warnings() == [
        "rollbacks[0].name: ${platfrm} stands for nothing, so it stays as it is: did you mean `platform`?"
    ]


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({"token": "abc"}, "secrets.token: is 'abc': write a mapping"),
        ({"target": ["abc"]}, "secrets.target: is a list: write a mapping"),
        ({"target": {"a": {"type": "evn", "key": "X"}}}, "secrets.target.a.type: is 'evn': did you mean `env`?"),
        ({"target": {"a": {"type": "env"}}}, "secrets.target.a.key: missing"),
        ({"target": {"a": {"type": "env", "key": "NOT_SET_ANYWHERE"}}}, "NOT_SET_ANYWHERE is not set here"),
        ({"target": {"type": "vault"}}, "secrets.target.path: missing"),
        ({"target": {"a": [1]}}, "secrets.target.a: is a list"),
        ("abc", "secrets: is 'abc'"),
    ],
)
def test_secrets_have_two_levels(experiment, errors, secrets, said):
    experiment["secrets"] = secrets
    assert any(said in text for text in errors())


def test_secrets_from_the_environment_are_fine(experiment, checked, monkeypatch):
    monkeypatch.setenv("SRE_TEST_SECRET", "x")
    experiment["secrets"] = {"target": {"a": {"type": "env", "key": "SRE_TEST_SECRET"}}}
    assert checked().findings == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "anything"),
        ("db-password", "anything"),
        ("note", "Bearer abcdefghijklmnopqrstuvwxyz"),
        ("note", "-----BEGIN RSA PRIVATE KEY-----"),
        ("note", "AKIAABCDEFGHIJKLMNOP"),
        ("url", "https://me:hunter2@example.org/x"),
    ],
)
def test_what_looks_like_a_secret_is_warned_of(configuration, warnings, name, value):
    configuration[name] = value
    (said,) = warnings()
    assert said.startswith(f"configuration.{name}: looks like a secret in plain text")
    assert value not in said


@pytest.mark.parametrize(("name", "value"), [("api_key", "${elsewhere}"), ("max_tokens", "3"), ("url", "https://h/x")])
def test_what_does_not_is_left_alone(configuration, checked, name, value):
    configuration[name] = value
    assert checked().findings == ()


def test_the_platform_is_one_of_ours(configuration, errors):
    configuration["platform"] = "kubernets"
    assert errors() == ["configuration.platform: 'kubernets' is no platform: did you mean `kubernetes`?"]


def test_a_cluster_is_named_in_full(configuration, errors, checked):
    configuration["kubernetes"] = {"context": "kind", "namespace": "llm", "selektor": "app=llm"}
    said = "\n".join(errors())
    assert "configuration.kubernetes.selektor: unknown key" in said
    assert "configuration.kubernetes.selector: missing" in said
    configuration["kubernetes"] = {
        "context": "kind",
        "namespace": "llm",
        "selector": "app=llm",
        "workload": "deployment/llm",
    }
    assert checked().findings == ()
