"""Triton's entry into our engine; the package must be installed in the environment whose `bin` is first on PATH."""

from serving.engine.triton_model import TritonPythonModel

__all__ = ["TritonPythonModel"]
