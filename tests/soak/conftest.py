"""Lets the soak import its harness and the benchmarks' client: test folders are no packages."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "benchmarks")]
