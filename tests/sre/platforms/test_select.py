"""Which platform an experiment's configuration names."""

import pytest

from sre.errors import BadDocument, PlatformError
from sre.platforms.local import LocalPlatform
from sre.platforms.select import select_platform, state_directory


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.delenv("SRE_PLATFORM", raising=False)
    monkeypatch.delenv("SRE_STATE_DIR", raising=False)


def test_the_local_platform_is_the_default():
    assert isinstance(select_platform({}), LocalPlatform)
    assert isinstance(select_platform(None), LocalPlatform)


def test_kubernetes_is_never_guessed_at(monkeypatch):
    with pytest.raises(BadDocument, match="context: missing"):
        select_platform({"platform": "kubernetes"})
    monkeypatch.setenv("SRE_PLATFORM", "kubernetes")
    with pytest.raises(BadDocument, match="SRE_KUBE_NAMESPACE"):
        select_platform({})


def test_an_unknown_platform_lists_the_known_ones():
    with pytest.raises(PlatformError, match="local, kubernetes"):
        select_platform({"platform": "nomad"})


def test_the_state_directory_comes_from_configuration_then_environment_then_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert state_directory({}) == tmp_path / ".sre"
    monkeypatch.setenv("SRE_STATE_DIR", str(tmp_path / "env"))
    assert state_directory({}) == tmp_path / "env"
    assert state_directory({"state_dir": str(tmp_path / "given")}) == tmp_path / "given"
