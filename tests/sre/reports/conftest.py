"""The drill factory as a fixture: test folders are no packages, so it is loaded by its path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def load_factory() -> ModuleType:
    name = "sre_drill_factory"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("drill_factory.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def factory() -> ModuleType:
    return load_factory()


@pytest.fixture(scope="session")
def drill(factory):
    """One drill, shared: reports are immutable."""
    return factory.make_drill()


@pytest.fixture(scope="session")
def page(drill):
    """The HTML of that drill, rendered once."""
    from sre.reports.html import render_html

    return render_html(drill, ["journal.json"])
