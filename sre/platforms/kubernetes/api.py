"""Calls of the API server: time-outs on each, one line for each way to fail.

chaostoolkit-kubernetes' own activities do what they can express (scale, network policies); reading, deleting exactly
one pod by its uid, and running a program (theirs leaves its connection open) go through the `kubernetes` client. Both
are imported when first used: they take a second.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.kubernetes.settings import ClusterSettings

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

FIELD_MANAGER = "llm-gameday"


class ClusterApi:
    """One cluster, one namespace. Every method raises PlatformError when the API server refuses or does not answer."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._client: ApiClient | None = None

    def pods(self, selector: str, *, namespace: str | None = None, node: str | None = None) -> list[dict[str, Any]]:
        """The pods that match, by name."""
        fields = {} if node is None else {"field_selector": f"spec.nodeName={node}"}
        with self._asking(f"list pods {selector}"):
            answer = self._core().list_namespaced_pod(
                namespace or self._settings.namespace, label_selector=selector, **self._raw(), **fields
            )
            items: list[dict[str, Any]] = json.loads(_read(answer))["items"]
        return sorted(items, key=lambda pod: str(pod["metadata"]["name"]))

    def pod(self, name: str) -> dict[str, Any] | None:
        """One pod; None when it does not exist."""
        from kubernetes.client import ApiException

        with self._asking(f"read pod {name}"):
            try:
                answer = self._core().read_namespaced_pod(name, self._settings.namespace, **self._raw())
            except ApiException as error:
                if error.status == 404:
                    return None
                raise
            return dict(json.loads(_read(answer)))

    def delete_pod(self, name: str, *, uid: str, grace_s: int) -> bool:
        """Delete exactly the pod with that uid; False when it is gone already."""
        from kubernetes.client import ApiException, V1DeleteOptions, V1Preconditions

        body = V1DeleteOptions(grace_period_seconds=grace_s, preconditions=V1Preconditions(uid=uid))
        with self._asking(f"delete pod {name}"):
            try:
                _read(self._core().delete_namespaced_pod(name, self._settings.namespace, body=body, **self._raw()))
            except ApiException as error:
                if error.status in (404, 409):  # gone, or another pod has the name now
                    return False
                raise
        return True

    def evict_pod(self, name: str, *, uid: str, grace_s: int) -> None:
        """Ask for an orderly end, which a PodDisruptionBudget may refuse."""
        from kubernetes.client import V1DeleteOptions, V1Eviction, V1ObjectMeta, V1Preconditions

        options = V1DeleteOptions(grace_period_seconds=grace_s, preconditions=V1Preconditions(uid=uid))
        body = V1Eviction(metadata=V1ObjectMeta(name=name, namespace=self._settings.namespace), delete_options=options)
        with self._asking(f"evict pod {name}"):
            evict = self._core().create_namespaced_pod_eviction
            _read(evict(name, self._settings.namespace, body=body, **self._raw()))

    def label_pod(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set labels; None removes one. A pod that is gone has none."""
        from kubernetes.client import ApiException

        with self._asking(f"label pod {name}"):
            try:
                body = {"metadata": {"labels": dict(labels)}}
                _read(self._core().patch_namespaced_pod(name, self._settings.namespace, body=body, **self._raw()))
            except ApiException as error:
                if error.status != 404:
                    raise

    def page(self, pod: str, port: int, path: str) -> str:
        """A page that a pod serves, through the API server's proxy."""
        with self._asking(f"read {path} of pod {pod}"):
            answer = self._core().connect_get_namespaced_pod_proxy_with_path(
                f"{pod}:{port}", self._settings.namespace, path, **self._raw()
            )
            return str(_read(answer).decode("utf-8"))

    def desired_replicas(self) -> int:
        """How many pods the workload is to have."""
        kind, name = self._settings.workload_kind, self._settings.workload_name
        with self._asking(f"read {kind} {name}"):
            apps = self._apps()
            read = apps.read_namespaced_deployment if kind == "deployment" else apps.read_namespaced_stateful_set
            answer = read(name, self._settings.namespace, **self._raw())
            return int(json.loads(_read(answer))["spec"].get("replicas", 1))

    def scale(self, replicas: int) -> None:
        from chaosk8s.deployment.actions import scale_deployment
        from chaosk8s.statefulset.actions import scale_statefulset

        kind, name = self._settings.workload_kind, self._settings.workload_name
        scale = scale_deployment if kind == "deployment" else scale_statefulset
        with self._asking(f"scale {kind} {name}"):
            scale(name, replicas, ns=self._settings.namespace, secrets=self._secrets())

    def exec(self, pod: str, container: str, command: Sequence[str], *, namespace: str | None = None) -> str:
        """Run an argument list in a container; its standard output. Raises PlatformError unless it ends with 0."""
        from kubernetes import stream
        from kubernetes.stream.ws_client import ERROR_CHANNEL

        with self._asking(f"run {command[0]} in pod {pod}"):
            with _refusals_without_a_body():
                answer = stream.stream(
                    self._core().connect_get_namespaced_pod_exec,
                    pod,
                    namespace or self._settings.namespace,
                    container=container,
                    command=list(command),
                    stdout=True,
                    stderr=True,
                    _preload_content=False,
                    _request_timeout=self._settings.timeout_s,
                )
            try:
                answer.run_forever(timeout=self._settings.timeout_s)
                ended = answer.read_channel(ERROR_CHANNEL)
                out, err = answer.read_stdout(timeout=0), answer.read_stderr(timeout=0)
            finally:
                answer.sock.shutdown()  # `close` leaves the connection open when the server closed its side first
        if not ended:
            raise PlatformError(f"pod {pod}: {command[0]} did not end within {self._settings.timeout_s:g} s")
        if json.loads(ended)["status"] != "Success":
            words = str(err).strip().split("\n")[-1] or json.loads(ended).get("message", "")
            raise PlatformError(f"pod {pod}: {command[0]} failed ({words}): see `kubectl logs {pod}`")
        return str(out)

    def create_policy(self, policy: Mapping[str, Any]) -> None:
        """Create a NetworkPolicy; one of that name that exists already is ours."""
        from chaosk8s.networking.actions import create_network_policy
        from kubernetes.client import ApiException

        with self._asking(f"create network policy {policy['metadata']['name']}"):
            try:
                create_network_policy(spec=dict(policy), ns=self._settings.namespace, secrets=self._secrets())
            except ApiException as error:
                if error.status != 409:
                    raise

    def remove_policy(self, name: str) -> None:
        """Delete a NetworkPolicy; nothing to do when there is none."""
        from chaosk8s.networking.actions import remove_network_policy
        from kubernetes.client import ApiException

        with self._asking(f"delete network policy {name}"):
            try:
                remove_network_policy(name, ns=self._settings.namespace, secrets=self._secrets())
            except ApiException as error:
                if error.status != 404:
                    raise

    def _raw(self) -> dict[str, Any]:
        return {"_preload_content": False, "_request_timeout": self._settings.timeout_s}

    def _secrets(self) -> dict[str, str]:
        """How chaostoolkit-kubernetes is told which context to use."""
        return {"KUBERNETES_CONTEXT": self._settings.context, "KUBERNETES_VERIFY_SSL": "true"}

    def _core(self) -> Any:
        from kubernetes.client import CoreV1Api

        return CoreV1Api(self._api())

    def _apps(self) -> Any:
        from kubernetes.client import AppsV1Api

        return AppsV1Api(self._api())

    def _api(self) -> Any:
        from kubernetes import config

        if self._client is None:
            self._client = config.new_client_from_config(context=self._settings.context)
        return self._client

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            from chaoslib.exceptions import ActivityFailed
            from kubernetes.client import ApiException
            from kubernetes.config import ConfigException
            from urllib3.exceptions import HTTPError
            from websocket import WebSocketException
        except ImportError as error:
            raise EnvironmentLacks(
                f"platform kubernetes: {error.name} is not installed: pip install 'llm-gameday[kubernetes]'"
            ) from error
        where = f"context {self._settings.context}, namespace {self._settings.namespace}"
        try:
            yield
        except ApiException as error:
            raise PlatformError(f"{where}: cannot {what}: {_said(error)}") from error
        except ConfigException as error:
            raise EnvironmentLacks(f"{where}: {error}: see `kubectl config get-contexts`") from error
        except (HTTPError, WebSocketException, ActivityFailed, OSError, ValueError, KeyError) as error:
            reason = str(error).split("\n", 1)[0] or type(error).__name__
            raise PlatformError(f"{where}: cannot {what} ({reason}): see `kubectl cluster-info`") from error


@contextlib.contextmanager
def _refusals_without_a_body() -> Iterator[None]:
    """A web socket that is refused has no body, over which the client stumbles: its own error is raised instead."""
    from kubernetes.client import ApiException

    try:
        yield
    except AttributeError as error:
        if isinstance(error.__context__, ApiException):
            raise error.__context__ from None
        raise


def _read(answer: Any) -> bytes:
    """The body; reading all of it gives the connection back."""
    return bytes(answer.data)


def _said(error: Any) -> str:
    """What the API server's Status object says, with the right that is missing when it is one."""
    try:
        message = str(json.loads(error.body)["message"])
    except (ValueError, KeyError, TypeError):
        message = str(error.reason).partition(" -+-+- ")[0]  # behind it a web socket's refusal has headers and body
    mend = ": grant it as in serving/deploy/chaos/role.yaml" if error.status == 403 or " 403 " in message else ""
    return f"{f'HTTP {error.status}: ' if error.status else ''}{message}{mend}"
