"""`python -m serving.fleet --spec STATE_DIR/spec.json`: run a platform until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from serving.errors import BadInput, EnvironmentLacks, ServingError
from serving.fleet.model import PlatformSpec
from serving.fleet.supervisor import Supervisor, state_files


async def _run(spec_path: Path) -> None:
    try:
        text = spec_path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadInput(f"{spec_path}: cannot be read ({error.strerror}): give the path of a spec.json") from error
    spec = PlatformSpec.from_json(text, path=str(spec_path))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    await Supervisor(state_files(spec_path), spec).run(stop)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.fleet", description="Run a local serving platform.")
    parser.add_argument("--spec", type=Path, required=True, help="spec.json in the state directory to use")
    arguments = parser.parse_args(argv)
    os.environ.setdefault(
        "GRPC_ENABLE_FORK_SUPPORT", "0"
    )  # children are exec'd at once; gRPC's fork handlers only warn
    try:
        asyncio.run(_run(arguments.spec))
    except ServingError as error:
        sys.stderr.write(f"serving.fleet: {error}\n")
        return error.exit_code
    except OSError as error:  # a full disk or process table, met where nothing can be done about it
        sys.stderr.write(f"serving.fleet: {error}: free what is exhausted, then `sre down` and `sre up`\n")
        return EnvironmentLacks.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
