# SPDX-License-Identifier: GPL-2.0-or-later
"""Statistics beside a time of transmission (SOF_TIMESTAMPING_OPT_STATS): what TCP_INFO would say at that moment, as
netlink attributes (Linux's tcp_get_timestamping_opt_stats). The TTL of the ACK and the time of departure are not told;
what an ACK says is counted already, where Linux is in the middle of it (delivered, the delivery rate).
"""

import struct

from labstack.core.env import Env
from labstack.tcp.conn import Conn
from labstack.tcp.info import tcp_info

HEAD = 4  # bytes: length and type
WIDTHS = {1: "<B3x", 4: "<I", 8: "<Q"}  # a value is padded to four bytes
ROWS = (  # type, bytes, field of TCP_INFO or of what is added to it
    (1, 8, "busy_time"), (2, 8, "rwnd_limited"), (3, 8, "sndbuf_limited"), (4, 8, "data_segs_out"),
    (5, 8, "total_retrans"), (6, 8, "pacing_rate"), (7, 8, "delivery_rate"), (8, 4, "snd_cwnd"), (9, 4, "reordering"),
    (10, 4, "min_rtt"), (11, 1, "retransmits"), (12, 1, "delivery_rate_app_limited"), (15, 4, "snd_ssthresh"),
    (16, 4, "delivered"), (17, 4, "delivered_ce"), (13, 4, "queued"), (14, 1, "ca_state"), (18, 8, "bytes_sent"),
    (19, 8, "bytes_retrans"), (20, 4, "dsack_dups"), (21, 4, "reord_seen"), (22, 4, "rtt"), (23, 4, "rehash"),
    (24, 4, "notsent_bytes"), (27, 4, "rehash"),
)  # fmt: skip


def attributes(env: Env, it: Conn) -> bytes:
    """All of them, in Linux's order."""
    known = {**tcp_info(env, it), "queued": max(it.snd.out.end - it.snd.una, 0), "rehash": 0}
    return b"".join([_attribute(kind, width, known[name]) for kind, width, name in ROWS])


def _attribute(kind: int, width: int, value: int) -> bytes:
    most = (1 << 8 * width) - 1
    return struct.pack("<HH", HEAD + width, kind) + struct.pack(WIDTHS[width], min(value, most))
