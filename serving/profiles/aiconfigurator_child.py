"""Runs in the environment that has aiconfigurator-core, which needs numpy 2 where this package needs numpy 1.

Imports nothing of this package. Prints one JSON object: step times in ms from the package's tables.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path

SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
CONTEXT, LONG_CONTEXT, MIXED_DECODES, EARLIER = 1000, 9000, 32, 16_384


def main(model: str, system: str, backend: str, tensor: int, pipeline: int) -> None:
    package = importlib.import_module("aiconfigurator_core")
    sdk = importlib.import_module("aiconfigurator_core.sdk")
    engine = package.AicEngine.from_spec(sdk.compile_engine(model, system, backend, tp_size=tensor, pp_size=pipeline))
    result = {
        "version": importlib.metadata.version("aiconfigurator-core"),
        "memory_bytes": _memory_bytes(Path(str(package.__file__)).parent / "systems" / f"{system}.yaml"),
        "decode_ms": {n: engine.decode_step_latency(n, CONTEXT, 2) for n in SEQUENCES},
        "decode_long_ms": {n: engine.decode_step_latency(n, LONG_CONTEXT, 2) for n in SEQUENCES},
        "prefill_ms": {n: engine.predict_prefill_latency(1, n) for n in TOKENS},
        "prefill_late_ms": engine.predict_prefill_latency(1, EARLIER + TOKENS[5], EARLIER),
        "mixed_ms": {n + MIXED_DECODES: engine.mixed_step_latency(n, MIXED_DECODES, CONTEXT, 2) for n in TOKENS},
    }
    sys.stdout.write(json.dumps(result) + "\n")


def _memory_bytes(path: Path) -> int:
    for line in path.read_text(encoding="utf-8").splitlines():
        key, _, value = line.strip().partition(":")
        if key == "mem_capacity":
            return int(value.split("#")[0])
    return 0


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
