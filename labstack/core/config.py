# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration: Linux's sysctl names with Linux's defaults. `SYSCTLS` is the whole list, with what each means.

A Config is immutable and shared by clones; `replace` makes another one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from labstack.core.errors import StackError

EINVAL = 22


class Sysctl(NamedTuple):
    default: int
    least: int
    most: int
    means: str


MS = 1_000_000  # ns
SECOND = 1_000_000_000  # ns

SYSCTLS: dict[str, Sysctl] = {
    "net.ipv4.ip_default_ttl": Sysctl(64, 1, 255, "TTL of packets that we originate"),
    "net.ipv6.conf.all.hop_limit": Sysctl(64, 1, 255, "hop limit of packets that we originate"),
    "net.ipv4.icmp_echo_ignore_all": Sysctl(0, 0, 1, "do not answer echo requests"),
    "net.ipv4.icmp_echo_ignore_broadcasts": Sysctl(1, 0, 1, "do not answer echo requests to a group"),
    "net.ipv6.icmp.echo_ignore_all": Sysctl(0, 0, 1, "do not answer ICMPv6 echo requests"),
    "net.ipv6.icmp.echo_ignore_multicast": Sysctl(0, 0, 1, "do not answer ICMPv6 echo requests to a group"),
    "net.ipv4.icmp_msgs_per_sec": Sysctl(1000, 0, 1_000_000, "ICMP errors per second, all destinations together"),
    "net.ipv4.icmp_msgs_burst": Sysctl(50, 1, 10_000, "ICMP errors in one burst"),
    "net.ipv4.icmp_ratelimit": Sysctl(
        1000, 0, 60_000, "least ms between ICMP errors to one destination, after a burst of 6"
    ),
    "net.ipv4.neigh.default.base_reachable_time_ms": Sysctl(
        30_000, 1, 3_600_000, "ms a confirmed neighbour is believed"
    ),
    "net.ipv4.neigh.default.retrans_time_ms": Sysctl(1000, 1, 3_600_000, "ms between solicitations"),
    "net.ipv4.neigh.default.delay_first_probe_time_ms": Sysctl(5000, 0, 3_600_000, "ms in DELAY before probing"),
    "net.ipv4.neigh.default.mcast_solicit": Sysctl(3, 0, 100, "multicast or broadcast solicitations before giving up"),
    "net.ipv4.neigh.default.ucast_solicit": Sysctl(3, 0, 100, "unicast probes before giving up"),
    "net.ipv4.neigh.default.unres_qlen": Sysctl(3, 1, 1000, "packets waiting for one unresolved neighbour"),
    "net.ipv4.neigh.default.gc_thresh3": Sysctl(512, 4, 100_000, "entries a neighbour table may hold"),
    "net.ipv4.neigh.default.gc_stale_time": Sysctl(
        60, 1, 86_400, "seconds after which an unused entry may be collected"
    ),
    "net.ipv6.conf.all.dad_transmits": Sysctl(1, 0, 10, "duplicate address probes; 0 switches detection off"),
    "net.ipv4.ip_local_port_range.min": Sysctl(32768, 1, 65535, "first ephemeral port"),
    "net.ipv4.ip_local_port_range.max": Sysctl(60999, 1, 65535, "last ephemeral port"),
    "net.core.rmem_default": Sysctl(212_992, 256, 1 << 30, "bytes a UDP socket may queue for its reader"),
    "net.core.somaxconn": Sysctl(4096, 1, 65535, "greatest backlog of a listener"),
    "net.ipv4.tcp_rmem": Sysctl(131_072, 4096, 1 << 30, "bytes of a TCP receive buffer"),
    "net.ipv4.tcp_wmem": Sysctl(1 << 20, 4096, 1 << 30, "bytes of a TCP send buffer"),
    "net.ipv4.tcp_window_scaling": Sysctl(1, 0, 1, "offer window scaling (RFC 7323)"),
    "net.ipv4.tcp_syn_retries": Sysctl(6, 1, 127, "retransmissions of a SYN before giving up"),
    "net.ipv4.tcp_synack_retries": Sysctl(5, 0, 255, "retransmissions of a SYN-ACK before giving up"),
    "net.ipv4.tcp_retries1": Sysctl(
        3, 1, 255, "R1: retransmissions before the network layer is told (RFC 9293 §3.8.3)"
    ),
    "net.ipv4.tcp_retries2": Sysctl(15, 1, 255, "R2: retransmissions before giving up (RFC 9293 §3.8.3)"),
    "net.ipv4.tcp_orphan_retries": Sysctl(8, 1, 255, "R2 once the application has closed"),
    "net.ipv4.tcp_fin_timeout": Sysctl(60, 1, 3600, "seconds in FIN-WAIT-2 after close, and in TIME-WAIT"),
    "net.ipv4.tcp_max_syn_backlog": Sysctl(4096, 1, 1 << 20, "half-open connections of one listener"),
    "net.ipv4.tcp_max_tw_buckets": Sysctl(16_384, 0, 1 << 20, "connections in TIME-WAIT"),
    "net.ipv4.tcp_rto_min_us": Sysctl(200_000, 1, 120_000_000, "least retransmission timeout, us"),
    "net.ipv4.tcp_rto_max_ms": Sysctl(120_000, 1000, 120_000, "greatest retransmission timeout, ms"),
    "net.ipv4.tcp_delack_min": Sysctl(40, 0, 499, "ms an acknowledgment may wait for company"),
    "net.ipv4.tcp_reordering": Sysctl(3, 1, 300, "duplicate ACKs that mean loss (RFC 5681)"),
    "net.ipv4.tcp_invalid_ratelimit": Sysctl(500, 0, 60_000, "ms between ACKs that answer unacceptable segments"),
    "net.ipv4.tcp_min_snd_mss": Sysctl(48, 48, 65_535, "least segment size a peer can make us use"),
    "net.ipv4.tcp_init_cwnd": Sysctl(10, 1, 1000, "segments in the initial window (RFC 6928)"),
    "net.ipv4.tcp_max_islands": Sysctl(1024, 1, 1 << 20, "separate pieces held beyond a gap"),
}


class Config(dict[str, int]):
    """An immutable set of sysctls: config["net.ipv4.tcp_rmem"]. A dict, because rules look into it for every packet."""

    __slots__ = ()

    def __init__(self, **changes: int) -> None:
        super().__init__({name: entry.default for name, entry in SYSCTLS.items()})
        super().update(_checked(changes))

    def replace(self, changes: Mapping[str, Any]) -> "Config":
        """Another Config with these sysctls changed. Raises StackError EINVAL for an unknown name or value."""
        return Config(**{**self, **changes})

    def _immutable(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Config does not change; replace() makes another one")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _immutable

    def __copy__(self, _: object = None) -> "Config":
        return self

    __deepcopy__ = __copy__

    def __repr__(self) -> str:
        changed = {k: v for k, v in self.items() if v != SYSCTLS[k].default}
        return f"Config({changed})"

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))


def _checked(changes: Mapping[str, Any]) -> dict[str, int]:
    for name, value in changes.items():
        entry = SYSCTLS.get(name)
        if entry is None:
            raise StackError(EINVAL, f"no sysctl {name!r}; see labstack.core.config.SYSCTLS")
        if not isinstance(value, int) or not entry.least <= value <= entry.most:
            raise StackError(EINVAL, f"{name} = {value!r}: expected a number in {entry.least}..{entry.most}")
    return dict(changes)
