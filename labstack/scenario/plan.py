# SPDX-License-Identifier: GPL-2.0-or-later
"""Plan: how one script is run: its own options over the settings of the run over packetdrill's defaults.

A script's addresses win over those of a run (Fast Open cookies depend on them); what the run was told by name
(Settings.options) wins over the script.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from labstack.ip.family import parse_addr, text
from labstack.packetdrill.script import Place, RefusedError, Script, ScriptError
from labstack.scenario.settings import IP_VERSIONS, Settings

V4 = {"local_ip": "192.168.0.1", "gateway_ip": "192.168.0.1", "netmask_ip": "255.255.0.0", "remote_ip": "192.0.2.1"}
V6 = {"local_ip": "fd3d:a0b:17d6::1", "gateway_ip": "fd3d:a0b:17d6:8888::1", "remote_ip": "fd3d:fa7b:d17d::1"}
USUAL: dict[str, dict[str, str]] = {
    "ipv4": V4,
    "ipv6": V6 | {"mtu": "1520"},  # so that the MSS is that of IPv4
    "ipv4-mapped-ipv6": V4,
}
_V4_WORDS = {"TFO_COOKIE": "3021b9d889017eeb", "CODE": "host_unreachable"}
_V6_WORDS = {"TFO_COOKIE": "c1d1e9742a47a9bc", "CODE": "address_unreachable"}
_SOL_IP = {"CMSG_LEVEL_IP": "SOL_IP", "CMSG_TYPE_RECVERR": "IP_RECVERR"}
_SOL_IPV6 = {"CMSG_LEVEL_IP": "SOL_IPV6", "CMSG_TYPE_RECVERR": "IPV6_RECVERR"}
DEFINES: dict[str, dict[str, str]] = {
    "ipv4": _V4_WORDS | _SOL_IP,
    "ipv6": _V6_WORDS | _SOL_IPV6,
    "ipv4-mapped-ipv6": _V4_WORDS | _SOL_IPV6,
}
NON_FATAL = ("packet", "syscall")


class Plan(NamedTuple):
    """local, remote: addresses as text; gateway, plen: of the local network; ports: what bind and connect really use.

    tolerance: ns, and percent of the time since the event before; mss: of injected super-segments, 0 none
    tick: us of the timestamp clock, 0: outbound timestamps are not compared; ecr_scaled: see flow.Flow
    strict: pieces are not glued; non_fatal: of NON_FATAL, what is a warning; profile: by name
    """

    ip_version: str
    local: str
    remote: str
    gateway: str
    plen: int
    bind_port: int
    connect_port: int
    mtu: int
    mss: int
    tolerance: int
    percent: float
    tick: int
    ecr_scaled: bool
    strict: bool
    non_fatal: frozenset[str]
    profile: str

    @property
    def v6(self) -> bool:
        """IPv6 on the wire?"""
        return self.ip_version == "ipv6"

    @property
    def cidr(self) -> str:
        """The local address with its prefix length."""
        return f"{self.local}/{self.plen}"

    def name(self, address: str) -> str:
        """An address as the sockets of this run have it: mapped in an ipv4-mapped-ipv6 run."""
        return f"::ffff:{address}" if self.ip_version == "ipv4-mapped-ipv6" else address


def plan(script: Script, settings: Settings) -> Plan:
    """How to run a script; an address of the other family than the run's is left aside.

    Raises RefusedError for an option of packetdrill's that we do not have, ScriptError for others and for values.
    """
    place = Place(script.file, 1, 1)
    given = dict(script.options) | dict(settings.options)
    for name in given:
        if name in REFUSED or name.startswith("so_"):
            raise RefusedError(place, f"--{name}")
        if name not in OPTIONS:
            raise ScriptError(place, f"there is no option --{name}")
    ip_version = given.get("ip_version", settings.ip_version)
    if ip_version not in IP_VERSIONS:
        raise ScriptError(place, f"--ip_version={ip_version}: expected {', '.join(IP_VERSIONS)}")
    v6 = ip_version == "ipv6"
    own = {name: value for name, value in given.items() if name not in V6 or v6 == (":" in value)}  # of this family
    values = {}
    for name, value in (DEFAULTS | USUAL[ip_version] | own).items():
        try:
            values[name] = OPTIONS[name](value)
        except ValueError as error:
            raise ScriptError(place, f"--{name}={value}: {error}") from None
    return _plan(ip_version, values, _profile(script, settings), settings.tolerance_us)


def defines(settings: Settings) -> dict[str, str]:
    """The words that scripts of a run may use, and what stands for them."""
    return DEFINES[settings.ip_version] | dict(settings.defines)


def _profile(script: Script, settings: Settings) -> str:
    return next((note.value for note in script.notes if note.key == "profile"), settings.profile)


def _plan(ip_version: str, values: Mapping[str, Any], profile: str, tolerance_us: int | None) -> Plan:
    exact = tolerance_us is not None
    return Plan(
        ip_version=ip_version,
        local=values["local_ip"],
        remote=values["remote_ip"],
        gateway=values["gateway_ip"],
        plen=64 if ip_version == "ipv6" else values["netmask_ip"],
        bind_port=values["bind_port"],
        connect_port=values["connect_port"],
        mtu=values["mtu"],
        mss=values["mss"],
        tolerance=1000 * (tolerance_us if tolerance_us is not None else values["tolerance_usecs"]),
        percent=0.0 if exact else values["tolerance_percent"],
        tick=values["tcp_ts_tick_usecs"],
        ecr_scaled=values.get("tcp_ts_ecr_scaled", False),
        strict=values.get("strict_segments", False),
        non_fatal=values["non_fatal"],
        profile=profile,
    )


def _number(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"expected a number in {least}..{most}")
        return int(value)

    return read


def _percent(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 100:
        raise ValueError("expected a number in 0..100")
    return number


def _address(value: str) -> str:
    """An address as we write it; its prefix length (of the remote network) says nothing to us."""
    try:
        return text(parse_addr(value.partition("/")[0]))
    except OSError:
        raise ValueError("expected an address") from None


def _plen(value: str) -> int:
    """The prefix length of a netmask."""
    try:
        bits = int.from_bytes(bytes(map(int, value.split("."))), "big")
    except ValueError:
        bits = 1
    ones = bits.bit_count()
    if value.count(".") != 3 or bits != 0xFFFFFFFF ^ (0xFFFFFFFF >> ones):
        raise ValueError("expected a netmask such as 255.255.0.0")
    return ones


def _flag(value: str) -> bool:
    if value:
        raise ValueError("expected no value")
    return True


def _kinds(value: str) -> frozenset[str]:
    kinds = frozenset(filter(None, value.split(",")))
    if not kinds <= set(NON_FATAL):
        raise ValueError(f"expected {','.join(NON_FATAL)}")
    return kinds


def _any(value: str) -> str:
    return value


def _python(value: str) -> str:
    """Code blocks are Python, and interpreted here."""
    if not value.startswith("python"):
        raise ValueError("code blocks are Python here")
    return value


DEFAULTS = {
    "bind_port": "8080", "connect_port": "8080", "mtu": "1500", "mss": "0",
    "tolerance_usecs": "4000", "tolerance_percent": "12.5", "tcp_ts_tick_usecs": "0", "non_fatal": "",
}  # fmt: skip
OPTIONS: dict[str, Callable[[str], Any]] = {
    "ip_version": _any,
    "local_ip": _address,
    "remote_ip": _address,
    "gateway_ip": _address,
    "netmask_ip": _plen,
    "bind_port": _number(1, 65535),
    "connect_port": _number(1, 65535),
    "mtu": _number(68, 65535),
    "mss": _number(0, 65535),
    "tolerance_usecs": _number(0, 10**9),
    "tolerance_percent": _percent,
    "tcp_ts_tick_usecs": _number(0, 10**6),
    "tcp_ts_ecr_scaled": _flag,
    "strict_segments": _flag,
    "non_fatal": _kinds,
    "define": _any,  # the parser has put them in
    "code_command": _python,
    "code_format": _python,
    "code_sockopt": _any,  # what a code block needs is sampled anyway
    "verbose": _any,
    "debug": _any,
    "dry_run": _any,  # whoever starts scripts asks for it
    "send_omit_free": _any,
}
REFUSED = frozenset({"speed", "init_scripts", "is_anyip", "wire_client", "wire_server"})
