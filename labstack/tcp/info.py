# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_INFO: a connection in Linux's figures (tcp_get_info): names without tcpi_, Linux's units and meanings.

Segments are counted as Linux counts its packets, cwnd and ssthresh in whole segments; times in us, the last_... in ms.
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import delivery, rate
from labstack.tcp.conn import Accurate, Conn
from labstack.tcp.ecn import MARKED, ON, SEEN
from labstack.tcp.pace import UNLIMITED
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
from labstack.tcp.tally import BUSY, RWND_LIMITED, SNDBUF_LIMITED, Tally

US = 1000  # ns
NEVER = 0xFFFFFFFF  # min_rtt without a sample
MAX_SSTHRESH = 0x7FFFFFFF
OPT_TIMESTAMPS, OPT_SACK, OPT_WSCALE, OPT_ECN, OPT_ECN_SEEN, OPT_SYN_DATA = 1, 2, 4, 8, 16, 32  # TCPI_OPT_...
DEFAULT_MSS, MIN_MSS = 536, 88  # what Linux believes of a peer that has not said anything yet

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
        **_accurate(conn.acc or NOT_ACCURATE),
        **dict.fromkeys(ABSENT, 0),
        "max_pacing_rate": conn.user.pacing or UNLIMITED,
    }


ABSENT = ("fackets", "last_ack_sent", "rehash")  # Linux fills in none of the first two, and we have no third


NOT_ACCURATE = Accurate(0, False)


def _accurate(it: Accurate) -> dict[str, int]:
    (sent_e1, sent_ce, sent_e0), (e1, ce, e0) = it.told_bytes, it.came_bytes
    return {
        "received_ce": it.came,
        "delivered_e1_bytes": sent_e1,
        "delivered_e0_bytes": sent_e0,
        "delivered_ce_bytes": sent_ce,
        "received_e1_bytes": e1,
        "received_e0_bytes": e0,
        "received_ce_bytes": ce,
        "accecn_fail_mode": int(it.plain),
        "accecn_opt_seen": 2 * it.options,
    }


def of_controller(conn: Conn) -> dict[str, int]:
    """The fields of TCP_CC_INFO, by name; {} if the controller has none."""
    found = conn.snd.cc.info()
    if "dctcp_ce_state" in found:
        found["dctcp_ce_state"] = int(bool(conn.ecn & MARKED))
    return found


def _sender(env: Env, conn: Conn) -> dict[str, int]:
    snd, rtt, cc = conn.snd, conn.snd.rtt, conn.snd.cc
    heard = conn.rcv.nxt > 0
    options = OPT_WSCALE * conn.scaling | OPT_SACK * conn.sack | OPT_TIMESTAMPS * (conn.tstamp is not None)
    options |= OPT_SYN_DATA * conn.syn_data
    options |= OPT_ECN * bool(conn.ecn & ON) | OPT_ECN_SEEN * bool(conn.ecn & SEEN)
    return {
        "retransmits": snd.retries if conn.state != CLOSED else 0,
        "probes": snd.unanswered,
        "backoff": (snd.probes or rtt.backoff) if conn.state != CLOSED else 0,
        "fastopen_client_fail": conn.fast.fail if conn.fast is not None else 0,
        "options": options if heard else 0,
        "snd_wscale": snd.shift,
        "rto": rtt.rto // US,
        "rtt": rtt.srtt // US,
        "rttvar": rtt.deviation // 4 // US,
        "min_rtt": rtt.least // US if rtt.least else NEVER,
        "snd_mss": snd.mss if heard else min(snd.mss, conn.user.maxseg or DEFAULT_MSS),
        "pmtu": conn.mtu,
        "snd_cwnd": cc.cwnd,
        "snd_ssthresh": cc.ssthresh,
        "snd_wnd": snd.wnd,
        "pacing_rate": rate.pacing(env, conn) if rtt.srtt else UNLIMITED,
        "delivery_rate": delivery.rate(snd.delivery, snd.mss),
        "delivery_rate_app_limited": snd.delivery.best_limited,
        "last_data_sent": (env.now - conn.tally.sent_at) // MS,
    }


def _flight(conn: Conn) -> dict[str, int]:
    snd, loss, flight = conn.snd, conn.snd.loss, conn.snd.flight
    return {
        "ca_state": loss.state,
        "unacked": flight.out,
        "sacked": flight.sacked,
        "lost": flight.lost,
        "retrans": flight.retrans,
        "delivered": loss.delivered,
        "delivered_ce": loss.marks,
        "reordering": loss.reordering,
        "reord_seen": loss.reorderings,
        "dsack_dups": loss.dsacks,
        "notsent_bytes": max(snd.out.end + snd.fin - snd.nxt, 0) if conn.state not in (CLOSED, SYN_SENT) else 0,
    }


def _receiver(env: Env, conn: Conn) -> dict[str, int]:
    rcv = conn.rcv
    heard = rcv.nxt > 0
    return {
        "rcv_wscale": rcv.shift if heard and conn.scaling else 0,
        "ato": rcv.ato // US,
        "rcv_mss": rcv.seen if heard else MIN_MSS,
        "advmss": rcv.mss,
        "rcv_ssthresh": rcv.ssthresh,
        "rcv_rtt": rcv.trip.rtt // US,
        "rcv_space": rcv.trip.space,
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
        "bytes_sent": max(min(snd.nxt, snd.out.end) - snd.iss - 1, 0) + it.bytes_retrans,
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
