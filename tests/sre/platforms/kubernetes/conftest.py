import importlib.util
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest

from sre.platforms.kubernetes import ClusterSettings, KubernetesPlatform, inside

spec = importlib.util.spec_from_file_location("fake_kubernetes_api", Path(__file__).with_name("fake_api.py"))
fake_api = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fake_api)


def use(monkeypatch, kubeconfig):
    """The client reads the environment once, at its import."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))


@pytest.fixture
def api(tmp_path, monkeypatch):
    pytest.importorskip("kubernetes", reason="the extra kubernetes is not installed")
    pytest.importorskip("chaosk8s", reason="the extra kubernetes is not installed")
    fake = fake_api.FakeApi()
    fake.start()
    use(monkeypatch, fake.kubeconfig(tmp_path))
    fake.pods = {name: fake.pod(name) for name in ("llm-0", "llm-1", "llm-2")}
    yield fake
    fake.stop()


@pytest.fixture
def settings():
    return ClusterSettings(
        context="drills",
        namespace="serving",
        selector="app=llm",
        workload="deployment/llm",
        gateway_selector="app=gateway",
        dcgm_selector="app=dcgm-exporter",
        timeout_s=5.0,
    )


@pytest.fixture
def cluster(api, settings, tmp_path):
    return KubernetesPlatform(settings, tmp_path)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A process under a name that nobody else's has, where the driver expects the server's."""
    name = f"srv-{uuid.uuid4().hex[:8]}"
    shutil.copy(shutil.which("sleep"), tmp_path / name)
    process = subprocess.Popen([str(tmp_path / name), "600"])
    monkeypatch.setattr(inside, "SERVER_NAME", name)
    yield process
    process.kill()
    process.wait()
