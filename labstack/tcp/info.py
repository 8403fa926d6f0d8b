# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_INFO: a connection in Linux's figures (tcp_get_info): names without tcpi_, Linux's units and meanings.

Segments are counted as Linux counts its packets, cwnd and ssthresh in whole segments; times in us, the last_... in ms.
What only a sender with SACK, timestamps, ECN, pacing or Fast Open would have is at the value it has without them.
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp.cc.reno import INFINITE
from labstack.tcp.conn import Conn
from labstack.tcp.flight import count
from labstack.tcp.opening import AFTER_LOST_SYN
from labstack.tcp.rtt import INITIAL_RTO
from labstack.tcp.states import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from labstack.tcp.tally import BUSY, DISORDER, LOSS, OPEN, RECOVERY, RWND_LIMITED, SNDBUF_LIMITED, Tally
from labstack.tcp.window import MAX_UNSCALED

US = 1000  # ns
NEVER = 0xFFFFFFFF  # min_rtt without a sample
UNLIMITED = (1 << 64) - 1  # a pacing rate: nothing is paced
MAX_SSTHRESH = 0x7FFFFFFF
OPT_WSCALE = 4  # TCPI_OPT_WSCALE
DEFAULT_MSS, MIN_MSS = 536, 88  # what Linux believes of a peer that has not said anything yet
INITIAL_SPACE = 10  # segments that Linux's receiver expects in the first round trip

STATES = {
    ESTABLISHED: 1,
    SYN_SENT: 2,
    SYN_RECEIVED: 3,
    FIN_WAIT_1: 4,
    FIN_WAIT_2: 5,
    TIME_WAIT: 7,  # Linux has moved it away from the socket, which is CLOSE
    CLOSED: 7,
    CLOSE_WAIT: 8,
    LAST_ACK: 9,
    LISTEN: 10,
    CLOSING: 11,
}


def tcp_info(env: Env, conn: Conn) -> dict[str, int]:
    """All fields of struct tcp_info, by name, as getsockopt(TCP_INFO) would have them now."""
    return {
        "state": STATES[conn.state],
        **_sender(env, conn),
        **_flight(conn),
        **_receiver(env, conn),
        **_counts(conn),
        **_watched(env, conn.tally),
        **dict.fromkeys(ABSENT, 0),
        "pacing_rate": UNLIMITED,
        "max_pacing_rate": UNLIMITED,
    }


# always 0 in a sender without SACK, ECN, Fast Open and rate samples, or because Linux never fills them in
ABSENT = (
    "delivery_rate_app_limited",
    "fastopen_client_fail",
    "fackets",
    "last_ack_sent",
    "delivery_rate",
    "delivered_ce",
    "dsack_dups",
    "reord_seen",
    "rehash",
    "received_ce",
    "delivered_e1_bytes",
    "delivered_e0_bytes",
    "delivered_ce_bytes",
    "received_e1_bytes",
    "received_e0_bytes",
    "received_ce_bytes",
    "accecn_fail_mode",
    "accecn_opt_seen",
)


def _sender(env: Env, conn: Conn) -> dict[str, int]:
    snd, rtt, cc = conn.snd, conn.snd.rtt, conn.snd.cc
    heard = conn.rcv.nxt > 0
    return {
        "retransmits": snd.retries if conn.state != CLOSED else 0,
        "probes": snd.unanswered,
        "backoff": (snd.probes or rtt.backoff) if conn.state != CLOSED else 0,
        "options": OPT_WSCALE if heard and conn.scaling else 0,
        "snd_wscale": snd.shift,
        "rto": rtt.rto // US,
        "rtt": rtt.srtt // US,
        "rttvar": (rtt.rttvar if rtt.srtt else AFTER_LOST_SYN // 4 if heard else INITIAL_RTO // 4) // US,
        "min_rtt": rtt.least // US if rtt.least else NEVER,
        "snd_mss": snd.mss if heard else min(snd.mss, conn.user.maxseg or DEFAULT_MSS),
        "pmtu": conn.mtu,
        "snd_cwnd": cc.cwnd // cc.mss,
        "snd_ssthresh": MAX_SSTHRESH if cc.ssthresh == INFINITE else cc.ssthresh // cc.mss,
        "snd_wnd": snd.wnd,
        "reordering": env.config["net.ipv4.tcp_reordering"],
        "last_data_sent": (env.now - conn.tally.sent_at) // MS,
    }


def _flight(conn: Conn) -> dict[str, int]:
    """What Linux's scoreboard of segments says: in Recovery without SACK one is lost at a time, in Loss all that were
    in flight are, and what the sender has passed again is under way again."""
    snd, it = conn.snd, conn.tally
    lost = retrans = 0
    tail = it.flight.tail
    lasts = snd.una <= snd.recover and it.loss != OPEN
    if lasts and it.loss == LOSS:
        lost = count(it.flight, snd.recover)
        retrans = count(it.flight, min(snd.cursor, snd.recover))
    elif lasts and it.loss == RECOVERY and snd.una < min(snd.recover, tail):
        lost, retrans = 1, int(not snd.resend)
    return {
        "ca_state": it.loss if lasts else DISORDER if it.sacked else OPEN,
        "unacked": count(it.flight, tail),
        "sacked": it.sacked,
        "lost": lost,
        "retrans": retrans,
        "delivered": it.delivered,
        "notsent_bytes": max(snd.out.end + snd.fin - tail, 0) if conn.state not in (CLOSED, SYN_SENT) else 0,
    }


def _receiver(env: Env, conn: Conn) -> dict[str, int]:
    rcv = conn.rcv
    most = min(rcv.limit, MAX_UNSCALED << rcv.shift)
    heard = rcv.nxt > 0
    return {
        "rcv_wscale": rcv.shift if heard and conn.scaling else 0,
        "ato": rcv.ato // US,
        "rcv_mss": rcv.seen if heard else MIN_MSS,
        "advmss": rcv.mss,
        "rcv_ssthresh": most,
        "rcv_rtt": conn.tally.turnover.least // US,
        "rcv_space": min(most, INITIAL_SPACE * rcv.mss) if heard else 0,
        "rcv_wnd": max(rcv.edge - rcv.acked, 0),
        "rcv_ooopack": conn.tally.beyond_gap,
        "last_data_recv": (env.now - rcv.heard) // MS,
        "last_ack_recv": (env.now - conn.snd.ack_at) // MS,
    }


def _counts(conn: Conn) -> dict[str, int]:
    snd, rcv, it = conn.snd, conn.rcv, conn.tally
    return {
        "total_retrans": it.retrans,
        "segs_out": it.bare_out + it.data_segs_out,
        "segs_in": it.bare_in + it.data_segs_in,
        "data_segs_out": it.data_segs_out,
        "data_segs_in": it.data_segs_in,
        # the SYN of an active open counts as acknowledged, a FIN counts everywhere but in what was sent
        "bytes_acked": max(snd.una - snd.iss - conn.passive, 0),
        "bytes_received": max(rcv.nxt - rcv.irs - 1, 0),
        "bytes_sent": max(min(it.flight.tail, snd.out.end) - snd.iss - 1, 0) + it.bytes_retrans,
        "bytes_retrans": it.bytes_retrans,
    }


def _watched(env: Env, it: Tally) -> dict[str, int]:
    spent = it.chrono.turn(BUSY, env.now).spent
    total, recoveries, recovering, since = it.timeouts
    return {
        "busy_time": sum(spent) // US,
        "rwnd_limited": spent[RWND_LIMITED] // US,
        "sndbuf_limited": spent[SNDBUF_LIMITED] // US,
        "total_rto": total,
        "total_rto_recoveries": recoveries,
        "total_rto_time": (recovering + (env.now - since if since is not None else 0)) // MS,
    }
