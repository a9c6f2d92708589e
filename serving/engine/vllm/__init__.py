"""The engine `vllm`: a Triton model that owns vLLM's async engine as a child process in an environment of its own.

What is imported here runs in both environments, hence needs nothing beyond the standard library.
"""

from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.environment import find_vllm_env
from serving.engine.vllm.prepare import VllmPlan, prepare_vllm

__all__ = ["VllmConfig", "VllmPlan", "find_vllm_env", "prepare_vllm"]
