"""Loaded by every Python that a scene starts: makes the fault `toy` one of the library's."""

from pathlib import Path
from types import MappingProxyType

import sre.chaos.faults
from sre.chaos.faults import catalogue

sre.chaos.faults.__path__.append(str(Path(__file__).parent))
catalogue._CLASSES = MappingProxyType({**catalogue._CLASSES, "toy": "toy_fault:Toy"})
