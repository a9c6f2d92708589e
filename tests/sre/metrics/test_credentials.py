"""Credentials reach the server they are for, over a way nobody listens on, and nothing else."""

import shutil
import ssl
import subprocess

import pytest

from sre.errors import EnvironmentLacks, SreError
from sre.metrics.credentials import Credentials
from sre.metrics.opening import SourceSpec, open_source
from sre.metrics.prometheus import PrometheusSamples
from sre.metrics.selector import parse_selector

SECRET = "hunter2-0123456789"  # noqa: S105  (not one)
UP = parse_selector("up")


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(SECRET + "\n")
    return path


def ask(url, **options):
    with PrometheusSamples(url, timeout_s=5, **options) as source:
        return source.series(UP, start=0, end=9)


def test_a_token_is_sent_and_read_anew_each_time(fake, token_file):
    with PrometheusSamples(fake.url, credentials=Credentials(token_file=token_file)) as source:
        source.series(UP, start=0, end=9)
        token_file.write_text("rotated")
        source.series(UP, start=0, end=9)
    assert [headers["Authorization"] for headers in fake.headers] == [f"Bearer {SECRET}", "Bearer rotated"]


def test_a_token_may_come_from_the_environment(fake, monkeypatch):
    monkeypatch.setenv("SRE_PROMETHEUS_TOKEN", SECRET)
    with open_source(SourceSpec(prometheus=fake.url)) as source:
        source.series(UP, start=0, end=9)
    assert fake.headers[0]["Authorization"] == f"Bearer {SECRET}"


def test_basic_auth(fake, token_file):
    ask(fake.url, credentials=Credentials(username="ann", password_file=token_file))
    assert fake.headers[0]["Authorization"].startswith("Basic ")


def test_without_credentials_nothing_is_sent_not_even_from_netrc(fake, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    ask(fake.url)
    assert "Authorization" not in fake.headers[0]


def test_a_proxy_of_the_environment_is_not_between_us_and_this_machine(fake, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(fake.url) == []


@pytest.mark.parametrize("url", ["http://prometheus.example:9090", "http://10.0.0.1", "http://[2001:db8::1]:9090"])
def test_secrets_are_refused_over_plain_http_to_elsewhere(url, token_file):
    with pytest.raises(SreError, match="not sent over plain http") as caught:
        PrometheusSamples(url, credentials=Credentials(token_file=token_file))
    assert SECRET not in str(caught.value)
    PrometheusSamples(url).close()
    PrometheusSamples(url.replace("http:", "https:"), credentials=Credentials(token_file=token_file)).close()


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "prometheus:9090",
        "",
        "http://",
        "http://[::1",
        "http://x:port",
        f"https://a:{SECRET}@x",
        "http://x/?a=1",
    ],
)
def test_other_addresses_are_refused_without_quoting_secrets(url):
    with pytest.raises(SreError) as caught:
        PrometheusSamples(url)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("kind", ["bearer", "basic"])
def test_a_secret_is_in_no_message_and_no_repr(fake, token_file, kind):
    basic = Credentials(username="ann", password_file=token_file)
    credentials = basic if kind == "basic" else Credentials(token_file=token_file)
    fake.answer = (500, f"your token {SECRET} made me fail")
    with pytest.raises(EnvironmentLacks) as caught:
        ask(fake.url, credentials=credentials)
    assert SECRET not in str(caught.value)
    assert "***" in str(caught.value)
    assert SECRET not in repr(credentials) + repr(SourceSpec(prometheus=fake.url, token_file=token_file))


@pytest.mark.parametrize("text", ["", "\n", "a b", "a\nb", "gr\u00fcn", b"\xff\xfe"])
def test_a_file_that_holds_no_token_is_told_without_quoting_it(fake, tmp_path, text):
    path = tmp_path / "token"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(EnvironmentLacks, match="token") as caught:
        ask(fake.url, credentials=Credentials(token_file=path))
    assert "gr\u00fcn" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"username": "ann"},
        {"password_env": "X"},
        {"username": "ann", "password_env": "SRE_NOT_SET"},
        {"username": "ann", "password_env": "HOME", "token_file": "token"},
        {"key_file": "key.pem"},
        {"ca_file": "absent.pem"},
        {"token_file": "absent"},
    ],
)
def test_options_that_do_not_fit_are_told_at_once(fake, tmp_path, options):
    paths = {name: tmp_path / value if name.endswith("_file") else value for name, value in options.items()}
    with pytest.raises(SreError):
        ask(fake.url, credentials=Credentials(**paths))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """(certificate, key) of 127.0.0.1, signed by itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is absent: install Debian's package")
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@pytest.fixture
def secure(fake_prometheus, certificate):
    """A server that speaks TLS and wants a client's certificate (here its own)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(certificate[0])
    context.verify_mode = ssl.CERT_OPTIONAL
    server = fake_prometheus(context)
    yield server
    server.stop()


def test_a_certificate_nobody_vouches_for_is_refused(secure):
    with pytest.raises(EnvironmentLacks, match="certificate that does not verify"):
        ask(secure.url)


def test_a_ca_of_ones_own_and_a_client_certificate(secure, certificate, token_file):
    credentials = Credentials(
        token_file=token_file, ca_file=certificate[0], cert_file=certificate[0], key_file=certificate[1]
    )
    assert ask(secure.url, credentials=credentials) == []
    assert secure.headers[0]["Authorization"] == f"Bearer {SECRET}"


def test_a_file_that_is_no_certificate_is_told(secure, token_file):
    with pytest.raises(EnvironmentLacks, match="Prometheus at"):
        ask(secure.url, credentials=Credentials(ca_file=token_file))
