"""Whole journals and ledgers of one passed run as a fixture: test folders are no packages, so it is loaded by path."""

import importlib.util
import sys
from pathlib import Path

import pytest


def load(name):
    key = f"sre_verdict_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).with_name(f"{name}.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[key] = module
        spec.loader.exec_module(module)
    return sys.modules[key]


@pytest.fixture(scope="session")
def a():
    """Builders: `a.journal()`, `a.ledger()` are of a run that passed."""
    return load("passed_run")


@pytest.fixture(scope="session")
def tiny():
    """The tiny experiments: `tiny.CASES`, and what to make others of."""
    return load("tiny_experiments")
