# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule of the stack in one mapping: those of its floors, and the few that are the stack's own."""

from labstack.core.rules import Rule
from labstack.ip.rules import RULES as IP
from labstack.link.rules import RULES as LINK
from labstack.tcp.rules import RULES as TCP
from labstack.udp.rules import RULES as UDP

OWN: dict[str, Rule] = {
    "linux/tcp_max_tw_buckets/oldest": Rule("too many connections in TIME-WAIT: the oldest ends early"),
    "1122/3.2.2.6/reply": Rule("echo reply {0} with {1} bytes for the ping socket"),
    "drop.ping.closed": Rule("an echo reply, and no ping socket has the identifier {0}"),
    "drop.ping.full": Rule("echo reply {0}, and as many wait already as a ping socket may have"),
    "drop.tcp.closed": Rule("nobody has the port {0}"),
    "drop.tcp.group": Rule("TCP to a group address", ("MUST-57",)),
    "drop.udp.closed": Rule("nobody has the port {0}"),
    "drop.tcp.sockets": Rule("no socket is free for another connection"),
    "linux/tcp_check_oom/orphans": Rule("{0} connections whose owner has gone are ending already: this one is reset"),
    "drop.tcp.no_route": Rule("a SYN, but no way back to {0}"),
}
RULES: dict[str, Rule] = {**LINK, **IP, **UDP, **TCP, **OWN}
