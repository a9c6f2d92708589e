"""The Kubernetes driver: a platform made of pods, broken and healed through the API server alone.

It needs the extra `kubernetes`. Context, namespace and selector are always named by the person who runs it: nothing is
taken from the current context of a kubeconfig, and a selector that would match everything is refused.
"""

from sre.platforms.kubernetes.platform import KubernetesPlatform
from sre.platforms.kubernetes.settings import ClusterSettings, cluster_settings

__all__ = ["ClusterSettings", "KubernetesPlatform", "cluster_settings"]
