"""Triton's entry into the vLLM engine; our package must be installed in the environment first on PATH."""

from serving.engine.vllm.triton_model import TritonPythonModel

__all__ = ["TritonPythonModel"]
