"""One round trip through a gRPC port, measured without an inference: SETTINGS and its acknowledgement (RFC 9113, 6.5).

Every HTTP/2 server acknowledges settings at once, before any request, so the answer needs both directions of the way
and next to nothing of the server. Settings that nobody knows must be ignored (6.5.2): they make a payload of any size.
"""

from __future__ import annotations

import socket
import struct
import time

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_SETTINGS, _ACK = 4, 1
_UNKNOWN_SETTING = struct.pack(">HI", 0xF000, 0)
_MOST_SETTINGS = 2730  # 6 bytes each, in a frame of at most 16,384
_HEADER_BYTES = 9


def handshake_s(address: str, *, payload_bytes: int = 0, timeout_s: float) -> float:
    """Seconds until every SETTINGS frame we sent, together at least `payload_bytes` long, was acknowledged.

    Connecting is not counted. Raises OSError: refused, reset, or TimeoutError.
    """
    host, _, port = address.rpartition(":")
    frames = _frames(payload_bytes)
    deadline = time.monotonic() + timeout_s
    with socket.create_connection((host, int(port)), timeout=timeout_s) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.monotonic()
        sock.sendall(_PREFACE + b"".join(frames))
        acknowledged = 0
        while acknowledged < len(frames):
            length, kind, flags = _header(_exactly(sock, _HEADER_BYTES, deadline))
            _exactly(sock, length, deadline)
            acknowledged += kind == _SETTINGS and bool(flags & _ACK)
        return time.monotonic() - began


def _frames(payload_bytes: int) -> list[bytes]:
    left = -(-payload_bytes // len(_UNKNOWN_SETTING))
    frames: list[bytes] = []
    while left > 0 or not frames:
        count = min(left, _MOST_SETTINGS)
        body = _UNKNOWN_SETTING * count
        frames.append(struct.pack(">I", len(body))[1:] + bytes([_SETTINGS, 0]) + bytes(4) + body)
        left -= count
    return frames


def _header(data: bytes) -> tuple[int, int, int]:
    return int.from_bytes(data[:3], "big"), data[3], data[4]


def _exactly(sock: socket.socket, size: int, deadline: float) -> bytes:
    data = b""
    while len(data) < size:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("no acknowledgement in time")
        sock.settimeout(left_s)
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionResetError("the connection ended without an acknowledgement")
        data += more
    return data
