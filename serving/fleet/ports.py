"""Free loopback ports, and the check that an asked-for one is free."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import psutil

from serving.errors import EnvironmentLacks

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """`count` distinct ports that were free a moment ago. All are held until the last is picked, so none repeats."""
    with ExitStack() as stack:
        ports = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            sock.bind((HOST, 0))
            ports.append(int(sock.getsockname()[1]))
        return ports


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
