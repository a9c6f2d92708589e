"""`python -m serving.gateway.workers`: one worker. Started by the coordinator alone, with its ends of two sockets."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys

from serving.parent import die_with


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving.gateway.workers", description="A worker of the gateway.")
    for name, text in (
        ("index", "which worker it is, for the log"),
        ("line", "descriptor of the socket to the coordinator"),
        ("handed", "descriptor of the socket that connections come through"),
        ("parent", "pid of the coordinator"),
    ):
        parser.add_argument(f"--{name}", type=int, required=True, help=text)
    options = parser.parse_args(arguments)
    die_with(options.parent)
    for number in (signal.SIGTERM, signal.SIGINT):  # meant for the coordinator, which says when a worker is to end
        signal.signal(number, signal.SIG_IGN)
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # read by gRPC when imported; its log is not JSON
    from serving.gateway.log import configure_logging
    from serving.gateway.workers.worker import serve

    configure_logging(worker=options.index)
    asyncio.run(serve(socket.socket(fileno=options.line), socket.socket(fileno=options.handed)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
