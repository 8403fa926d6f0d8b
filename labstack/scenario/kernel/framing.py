# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages between a target and its worker: plain values by marshal, behind four bytes of length."""

import marshal
import socket
from typing import Any


def receive(sock: socket.socket) -> Any:
    """The next message. Raises EOFError at the end."""
    data = sock.recv(4, socket.MSG_WAITALL)
    if len(data) < 4:
        raise EOFError
    size = int.from_bytes(data, "little")
    return marshal.loads(sock.recv(size, socket.MSG_WAITALL))


def send(sock: socket.socket, message: Any) -> None:
    data = marshal.dumps(message)
    sock.sendall(len(data).to_bytes(4, "little") + data)
