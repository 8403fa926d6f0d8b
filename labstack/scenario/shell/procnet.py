# SPDX-License-Identifier: GPL-2.0-or-later
"""/proc/net/tcp and tcp6 of a host of ours, as Linux writes them (proc_pid_net(5)); columns that it has no figures for
are zeros."""

from collections.abc import Iterator

from labstack.stack.host import Host
from labstack.tcp import states

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
STATES = {
    states.ESTABLISHED: 1, states.SYN_SENT: 2, states.SYN_RECEIVED: 3, states.FIN_WAIT_1: 4, states.FIN_WAIT_2: 5,
    states.TIME_WAIT: 6, states.CLOSED: 7, states.CLOSE_WAIT: 8, states.LAST_ACK: 9, states.LISTEN: 10,
    states.CLOSING: 11,
}  # fmt: skip
TABLES = {"/proc/net/tcp": 4, "/proc/net/tcp6": 16}  # path: bytes of an address


def text(host: Host, path: str) -> str:
    """What is in a file. Raises KeyError for one that is not in TABLES."""
    size = TABLES[path]
    return "\n".join([HEAD, *[f"{n:4}: {row}" for n, row in enumerate(_rows(host, size))]]) + "\n"


def _rows(host: Host, size: int) -> Iterator[str]:
    """Listeners, and then connections; a listener at any address is in the table of IPv6, as a dual-stack one."""
    for listener in host.listeners.values():
        if len(listener.local or bytes(16)) == size:
            yield _row(listener.local or bytes(size), listener.lport, bytes(size), 0, states.LISTEN, 0, listener.sock)
    for conn in host.conns.values():
        if len(conn.local) == size and conn.state in STATES:
            yield _row(conn.local, conn.lport, conn.remote, conn.rport, conn.state, conn.rcv.queued, conn.sock)


def _row(local: bytes, lport: int, remote: bytes, rport: int, state: str, queued: int, sock: int) -> str:
    ends = f"{_hex(local)}:{lport:04X} {_hex(remote)}:{rport:04X}"
    return f"{ends} {STATES[state]:02X} 00000000:{queued:08X} 00:00000000 00000000     0        0 {sock}"


def _hex(address: bytes) -> str:
    """Words of 32 bits as a little-endian machine prints them."""
    return "".join([address[i : i + 4][::-1].hex().upper() for i in range(0, len(address), 4)])
