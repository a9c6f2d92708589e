"""`python -m serving.gateway --config gateway.json`: runs until SIGTERM or SIGINT, then drains.

Exit codes: 0, 2 wrong use, 3 the environment lacks something.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from serving.errors import ServingError


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.gateway", description="OpenAI API in front of Triton.")
    parser.add_argument("--config", type=Path, required=True, help="path of gateway.json")
    options = parser.parse_args(arguments)
    try:
        _serve(options.config)
    except ServingError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _serve(path: Path) -> None:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read by gRPC when imported; its log is not JSON
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # workers are exec'd at once; its fork handlers only warn
    from prometheus_client import disable_created_metrics

    from serving.gateway.app import run
    from serving.gateway.config import load_config
    from serving.gateway.log import configure_logging

    config = load_config(path)
    configure_logging()
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped

    async def serve() -> None:
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await run(config, stopped)

    asyncio.run(serve())


if __name__ == "__main__":
    sys.exit(main())
