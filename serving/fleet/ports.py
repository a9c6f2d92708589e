"""Free loopback ports, and the check that an asked-for one is free."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil

from serving.errors import EnvironmentLacks

HOST = "127.0.0.1"
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_EPHEMERAL_DEFAULT = 32768
_LOWEST = 12000  # above what services usually listen on
_TRIES = 1000


def free_ports(count: int) -> list[int]:
    """`count` distinct ports that were free a moment ago. All are held until the last is picked, so none repeats.

    They lie below the kernel's ephemeral range: no connection that anybody opens meanwhile can take one before, or
    between two lives of, the process it is meant for.
    """
    with ExitStack() as stack:
        return list(itertools.islice(_bound(stack), count))


def _bound(stack: ExitStack) -> Iterator[int]:
    below = range(_LOWEST, _ephemeral_from())
    tries = random.SystemRandom().sample(below, _TRIES) if len(below) >= _TRIES else []
    for port in itertools.chain(tries, itertools.repeat(0)):
        sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        try:
            sock.bind((HOST, port))
        except OSError:
            if port == 0:
                raise
            continue  # somebody listens there
        yield int(sock.getsockname()[1])


def _ephemeral_from() -> int:
    """The first port that the kernel gives to outgoing connections; Linux's default where it does not say."""
    try:
        return int(_EPHEMERAL_RANGE.read_text("ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_DEFAULT


def require_free(port: int) -> None:
    """Raise EnvironmentLacks, naming who holds the port when that can be seen, when `port` is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise EnvironmentLacks(
                f"port {port} on {HOST} is in use{_holder(port)}: stop what holds it, or choose another with --port"
            ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and getattr(connection.laddr, "port", None) == port
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
