# SPDX-License-Identifier: GPL-2.0-or-later
"""Plan: how one script is run: its own options over the settings of the run over packetdrill's defaults.

A script that runs in IPv6 alone was written for what packetdrill has in IPv6;
one that runs in both families was written for IPv4, and its IPv6 run is made to look the same.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from labstack.ip.family import parse_addr, text
from labstack.packetdrill import options
from labstack.packetdrill.script import Place, Script, ScriptError
from labstack.scenario.families import families
from labstack.scenario.profiles import PROFILES
from labstack.scenario.settings import NOTHING, Settings

AF_INET, AF_INET6 = 2, 10
V4 = {"local_ip": "192.168.0.1", "gateway_ip": "192.168.0.1", "netmask_ip": "255.255.0.0", "remote_ip": "192.0.2.1"}
V6 = {"local_ip": "fd3d:a0b:17d6::1", "gateway_ip": "fd3d:a0b:17d6:8888::1", "remote_ip": "fd3d:fa7b:d17d::1"}
USUAL: dict[str, dict[str, str]] = {
    "ipv4": V4,
    "ipv6": V6 | {"mtu": "1520"},  # so that the MSS is that of IPv4
    "ipv4-mapped-ipv6": V4,
}
ALONE = USUAL | {"ipv6": V6 | {"gateway_ip": "fd3d:fa7b:d17d:8888::", "remote_ip": "2001:db8::1"}}  # in IPv6 alone
_V4_WORDS = {"TFO_COOKIE": "3021b9d889017eeb", "CODE": "host_unreachable"}
_V6_WORDS = {"TFO_COOKIE": "c1d1e9742a47a9bc", "CODE": "address_unreachable"}
_SOL_IP = {"CMSG_LEVEL_IP": "SOL_IP", "CMSG_TYPE_RECVERR": "IP_RECVERR"}
_SOL_IPV6 = {"CMSG_LEVEL_IP": "SOL_IPV6", "CMSG_TYPE_RECVERR": "IPV6_RECVERR"}
DEFINES: dict[str, dict[str, str]] = {
    "ipv4": _V4_WORDS | _SOL_IP,
    "ipv6": _V6_WORDS | _SOL_IPV6,
    "ipv4-mapped-ipv6": _V4_WORDS | _SOL_IPV6,
}


class Usual(NamedTuple):
    """What `...` stands for: a family; own addresses as text; the remote end's; the ports that are in use.

    names: addresses as a script is to have them, where it has to name them
    """

    family: int
    local: tuple[str, ...]
    remote: str
    bind_port: int
    connect_port: int
    names: Mapping[str, str] = NOTHING


class Plan(NamedTuple):
    """local, remote: addresses as text; plen: of the local network; ports: what bind and connect really use.

    tolerance: ns, and percent of the time since the event before
    tick: us of the timestamp clock, 0: outbound timestamps are not compared; ecr_scaled: see flow.Flow
    strict: pieces are not glued; non_fatal: 'packet', 'syscall': what is a warning; profile: by name
    """

    ip_version: str
    local: str
    remote: str
    plen: int
    bind_port: int
    connect_port: int
    mtu: int
    mss: int  # segments with more data arrive as super-segments of so many bytes; 0: as they are
    tolerance: int
    percent: float
    tick: int
    ecr_scaled: bool
    strict: bool
    non_fatal: frozenset[str]
    profile: str
    dry_run: bool  # only read

    @property
    def v6(self) -> bool:
        """IPv6 on the wire?"""
        return self.ip_version == "ipv6"

    @property
    def cidr(self) -> str:
        """The local address with its prefix length."""
        return f"{self.local}/{self.plen}"

    def needs(self, target: str) -> dict[str, Any]:
        """The arguments of Calls, for the target "lab", or of Kernel."""
        found = {"local": (self.cidr,), "mtu": self.mtu, "mss": self.mss}
        if target == "kernel":  # a TUN of its own takes packets as they are
            found |= {"remote": (self.remote,), "device": "veth" if self.mss else "auto"}
        return found

    @property
    def usual(self) -> Usual:
        """What `...` stands for."""
        family = AF_INET if self.ip_version == "ipv4" else AF_INET6
        return Usual(family, (self.name(self.local),), self.name(self.remote), self.bind_port, self.connect_port)

    def name(self, address: str) -> str:
        """An address as the sockets of this run have it: mapped in an ipv4-mapped-ipv6 run."""
        return f"::ffff:{address}" if self.ip_version == "ipv4-mapped-ipv6" else address


def plan(script: Script, settings: Settings) -> Plan:
    """How to run a script; an address of the other family than the run's is left aside.

    Raises RefusedError for an option of packetdrill's that we do not have, ScriptError for others and for values.
    """
    place = Place(script.file, 1, 1)
    given = dict(script.options)
    ip_version = options.read("ip_version", given.get("ip_version", settings.ip_version), place)
    v6 = ip_version == "ipv6"
    own = {name: value for name, value in given.items() if name not in V6 or v6 == (":" in value)}
    usual = ALONE if families(script) == ("ipv6",) else USUAL
    values = {name: options.read(name, value, place) for name, value in (usual[ip_version] | own).items()}
    return _plan(ip_version, {**options.defaults(), **values}, _profile(script, settings), settings.tolerance_us)


def defines(settings: Settings) -> dict[str, str]:
    """The words that scripts of a run may use, and what stands for them."""
    return DEFINES[settings.ip_version] | dict(settings.defines)


def _profile(script: Script, settings: Settings) -> str:
    said = [(note.value, note.place) for note in script.notes if note.key == "profile"]
    name, place = (*said, (settings.profile, Place(script.file, 1, 1)))[0]
    if name not in PROFILES:
        raise ScriptError(place, f"found the unknown profile {name!r}, expected {', '.join(PROFILES)}")
    return name


def _plan(ip_version: str, values: Mapping[str, Any], profile: str, tolerance_us: int | None) -> Plan:
    exact = tolerance_us is not None
    return Plan(
        ip_version=ip_version,
        local=_bare(values["local_ip"]),
        remote=_bare(values["remote_ip"]),
        plen=64 if ip_version == "ipv6" else _plen(values["netmask_ip"]),
        bind_port=values["bind_port"],
        connect_port=values["connect_port"],
        mtu=values["mtu"],
        mss=values.get("mss", 0),
        tolerance=1000 * (tolerance_us if tolerance_us is not None else values["tolerance_usecs"]),
        percent=0.0 if exact else values["tolerance_percent"],
        tick=values["tcp_ts_tick_usecs"],
        ecr_scaled=values.get("tcp_ts_ecr_scaled", False),
        strict=values.get("strict_segments", False),
        non_fatal=values["non_fatal"],
        profile=profile,
        dry_run=values.get("dry_run", False),
    )


def _bare(value: str) -> str:
    """An address as we write it, without the length of its prefix."""
    return text(parse_addr(value.partition("/")[0]))


def _plen(value: str) -> int:
    """The prefix length of a netmask."""
    return int.from_bytes(parse_addr(value), "big").bit_count()
