# SPDX-License-Identifier: GPL-2.0-or-later
"""The state machine of RFC 9293 §3.3.2 as a literal. `become` is the only writer of a connection's state.

LISTEN belongs to a Listener and CLOSED to nobody (a dead connection is one its owner still has to look at), so
together with the nine below the RFC's eleven states are all here.
"""

from labstack.core.env import Env
from labstack.tcp.conn import Conn

CLOSED = "CLOSED"
LISTEN = "LISTEN"
SYN_SENT = "SYN_SENT"
SYN_RECEIVED = "SYN_RECEIVED"
ESTABLISHED = "ESTABLISHED"
FIN_WAIT_1 = "FIN_WAIT_1"
FIN_WAIT_2 = "FIN_WAIT_2"
CLOSE_WAIT = "CLOSE_WAIT"
CLOSING = "CLOSING"
LAST_ACK = "LAST_ACK"
TIME_WAIT = "TIME_WAIT"

# state: {what happens: the next state}; the words are those on the edges of the RFC's figure
TRANSITIONS: dict[str, dict[str, str]] = {
    CLOSED: {"passive OPEN": LISTEN, "active OPEN": SYN_SENT},
    LISTEN: {"rcv SYN": SYN_RECEIVED, "SEND": SYN_SENT, "CLOSE": CLOSED},
    SYN_SENT: {"rcv SYN,ACK": ESTABLISHED, "rcv SYN": SYN_RECEIVED, "CLOSE": CLOSED, "rcv RST": CLOSED},
    SYN_RECEIVED: {
        "rcv ACK of SYN": ESTABLISHED,
        "CLOSE": FIN_WAIT_1,
        "rcv FIN": CLOSE_WAIT,
        "rcv RST": CLOSED,
    },
    ESTABLISHED: {"CLOSE": FIN_WAIT_1, "rcv FIN": CLOSE_WAIT, "rcv RST": CLOSED},
    FIN_WAIT_1: {
        "rcv ACK of FIN": FIN_WAIT_2,
        "rcv FIN": CLOSING,
        "rcv FIN, ACK of FIN": TIME_WAIT,
        "rcv RST": CLOSED,
    },
    FIN_WAIT_2: {"rcv FIN": TIME_WAIT, "rcv RST": CLOSED, "timeout": CLOSED},
    CLOSE_WAIT: {"CLOSE": LAST_ACK, "rcv RST": CLOSED},
    CLOSING: {"rcv ACK of FIN": TIME_WAIT, "rcv RST": CLOSED},
    LAST_ACK: {"rcv ACK of FIN": CLOSED, "rcv RST": CLOSED},
    TIME_WAIT: {"timeout": CLOSED, "rcv RST": CLOSED},
}
EDGES = {state: frozenset(after.values()) | {CLOSED} for state, after in TRANSITIONS.items()}  # ABORT: from anywhere

SYNCHRONIZED = frozenset(TRANSITIONS) - {CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED}
CAN_SEND = frozenset({SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT})  # the application may still add data
SENDING = frozenset({ESTABLISHED, CLOSE_WAIT, FIN_WAIT_1, CLOSING, LAST_ACK})  # data and FIN may (still) go out
CURRENT = frozenset({ESTABLISHED, CLOSE_WAIT})  # RFC 4022's tcpCurrEstab
RECEIVING = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2})  # the peer may still add data


def become(env: Env, conn: Conn, state: str) -> None:
    """Move conn along an edge of the table."""
    before, is_current = conn.state, state in CURRENT
    if state not in EDGES[before]:
        raise AssertionError(f"no edge {before} -> {state} in RFC 9293's figure")
    env.became("tcp", conn.sock, before, state)
    if is_current != (before in CURRENT):
        env.count["TcpCurrEstab"] += 1 if is_current else -1
    conn.state = state
