# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of a socket as Linux lays them out for getsockopt: TCP_INFO, TCP_CC_INFO, SO_MEMINFO (Linux 6.18).

One table a struct, for packing and for reading what a kernel has packed. What the figures are is left to `tcp.info`.
Names are those of linux/tcp.h without tcpi_, and those of inet_diag.h and sock_diag.h as they are.
"""

from collections.abc import Mapping

Field = tuple[str, int]  # name, bytes; names joined by "/" share their bytes, see BITS
Layout = tuple[Field, ...]


def _words(size: int, names: str) -> Layout:
    return tuple((name, size) for name in names.split())


TCP_INFO: Layout = (
    *_words(1, "state ca_state retransmits probes backoff options snd_wscale/rcv_wscale"),
    *_words(1, "delivery_rate_app_limited/fastopen_client_fail"),
    *_words(4, "rto ato snd_mss rcv_mss unacked sacked lost retrans fackets"),
    *_words(4, "last_data_sent last_ack_sent last_data_recv last_ack_recv pmtu rcv_ssthresh rtt rttvar"),
    *_words(4, "snd_ssthresh snd_cwnd advmss reordering rcv_rtt rcv_space total_retrans"),
    *_words(8, "pacing_rate max_pacing_rate bytes_acked bytes_received"),
    *_words(4, "segs_out segs_in notsent_bytes min_rtt data_segs_in data_segs_out"),
    *_words(8, "delivery_rate busy_time rwnd_limited sndbuf_limited"),
    *_words(4, "delivered delivered_ce"),
    *_words(8, "bytes_sent bytes_retrans"),
    *_words(4, "dsack_dups reord_seen rcv_ooopack snd_wnd rcv_wnd rehash"),
    *_words(2, "total_rto total_rto_recoveries"),
    *_words(4, "total_rto_time received_ce delivered_e1_bytes delivered_e0_bytes delivered_ce_bytes"),
    *_words(4, "received_e1_bytes received_e0_bytes received_ce_bytes"),
    *_words(2, "accecn_fail_mode accecn_opt_seen"),
)
BITS = {  # how many each of the names has, from the lowest on
    "snd_wscale/rcv_wscale": (4, 4),
    "delivery_rate_app_limited/fastopen_client_fail": (1, 2),
}
MEMINFO: Layout = _words(
    4,
    "SK_MEMINFO_RMEM_ALLOC SK_MEMINFO_RCVBUF SK_MEMINFO_WMEM_ALLOC SK_MEMINFO_SNDBUF SK_MEMINFO_FWD_ALLOC "
    "SK_MEMINFO_WMEM_QUEUED SK_MEMINFO_OPTMEM SK_MEMINFO_BACKLOG SK_MEMINFO_DROPS",
)
_DCTCP = (*_words(2, "dctcp_enabled dctcp_ce_state"), *_words(4, "dctcp_alpha dctcp_ab_ecn dctcp_ab_tot"))
CC_INFO: dict[str, Layout] = {  # by the name of the congestion control
    "vegas": _words(4, "tcpv_enabled tcpv_rttcnt tcpv_rtt tcpv_minrtt"),
    "dctcp": _DCTCP,
    "dctcp-reno": _DCTCP,
    "bbr": _words(4, "bbr_bw_lo bbr_bw_hi bbr_min_rtt bbr_pacing_gain bbr_cwnd_gain"),
}


def pack(layout: Layout, figures: Mapping[str, int]) -> bytes:
    """The struct as bytes, little-endian; a figure that there is not is 0, one that is too great is cut off."""
    raw = b""
    for name, size in layout:
        value = 0
        for part, bits, shift in _parts(name, size):
            value |= (figures.get(part, 0) & ((1 << bits) - 1)) << shift
        raw += value.to_bytes(size, "little")
    return raw


def unpack(layout: Layout, raw: bytes) -> dict[str, int]:
    """The figures in a struct, little-endian, as far as it goes: a kernel may have fewer of them."""
    found: dict[str, int] = {}
    at = 0
    for name, size in layout:
        value = int.from_bytes(raw[at : at + size], "little")
        at += size
        if at > len(raw):
            break
        found |= {part: value >> shift & ((1 << bits) - 1) for part, bits, shift in _parts(name, size)}
    return found


def _parts(name: str, size: int) -> list[tuple[str, int, int]]:
    """Name, bits and shift of each figure in a field."""
    parts, shift = [], 0
    for part, bits in zip(name.split("/"), BITS.get(name, (8 * size,)), strict=True):
        parts.append((part, bits, shift))
        shift += bits
    return parts
