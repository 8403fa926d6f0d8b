# SPDX-License-Identifier: GPL-2.0-or-later
"""The fields of a packet beside those that a script expects: one row each, in the script's terms.

What the script does not give is not compared (its row says "*"), apart from what it means by leaving it out: no
options, ack 0, no urgent pointer. Sums, lengths and reserved bits are always judged. Nothing is learned here.
"""

from itertools import zip_longest
from typing import Any

from labstack.packetdrill.printer import span
from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp, Udp
from labstack.scenario.packets import icmpnames, tcpopt
from labstack.scenario.packets.flow import MOD, Flow
from labstack.scenario.packets.segments import ACE, BITS, ECN
from labstack.scenario.packets.view import seen
from labstack.scenario.packets.wire import PROTOCOLS, Wire
from labstack.scenario.verdict import ANYTHING, Field

MARKS = {bits: name for name, bits in ECN.items()}
KINDS = {Tcp: "tcp", Udp: "udp", Icmp: "icmp"}


def rows(expected: Packet, wire: Wire, flow: Flow, slack_us: float) -> tuple[Field, ...]:
    """All fields side by side; slack_us: how far (us) a timestamp may be off where they are compared.

    Raises PacketError if the script expects what this family does not have.
    """
    actual = seen(wire, flow)
    body, other = expected.body, None if isinstance(actual, str) else actual.body
    if isinstance(body, Tcp) and isinstance(other, Tcp):
        found = _tcp(body, other, flow, slack_us, wire)
    elif isinstance(body, Udp) and isinstance(other, Udp):
        found = [Field("length", f"({body.size})", f"({other.size})")]
    elif isinstance(body, Icmp) and isinstance(other, Icmp):
        return (*_icmp(body, other, wire.version), *_sums(wire), *_ip(expected.ip, wire, flow))
    else:
        return (Field("protocol", KINDS[type(body)], actual if isinstance(actual, str) else KINDS[type(other)]),)
    ports = expected.ports or (flow.local_port, flow.remote_port)
    found.insert(0, Field("ports", _ports(*ports), _ports(wire.head.sport, wire.head.dport)))
    return (*found, _payload(wire.payload), *_sums(wire), *_ip(expected.ip, wire, flow))


def _ports(sport: int, dport: int) -> str:
    return f"{sport}>{dport}"


def _asked(name: str, expected: object, actual: object) -> Field:
    return Field(name, ANYTHING if expected is None else str(expected), str(actual))


def _tcp(body: Tcp, other: Tcp, flow: Flow, slack_us: float, wire: Wire) -> list[Field]:
    return [
        Field("flags", flags(body, body.ace), flags(other, body.ace)),
        Field("seq", span(body.seq, body.size), span(other.seq, other.size)),
        Field("ack", str(body.ack or 0), str(other.ack)),
        _asked("win", body.win, other.win),
        Field("urg", str(body.urg or 0), str(other.urg)),
        *_options(body.options, other.options or (), flow, slack_us),
        Field("reserved bits", "0", str(wire.head.reserved)),
    ]


def flags(body: Tcp, ace: int | None) -> str:
    """The flags as a script writes them; with `ace` the digit instead of the letters that it stands for."""
    letters = "".join([flag for flag in BITS if flag in body.flags])
    if ace is None:
        return letters or "-"
    digit = sum(mark for mark, flag in ACE if flag in body.flags) if body.ace is None else body.ace
    return "".join([flag for flag in letters if flag not in "EWA"]) + str(digit)


def _options(
    expected: tuple[Option, ...] | None, actual: tuple[Option, ...], flow: Flow, slack_us: float
) -> list[Field]:
    if expected is None:
        return [Field("options", ANYTHING, tcpopt.text(actual))]
    pairs = enumerate(zip_longest(expected, actual), 1)
    return [
        Field(f"option {number}", _word(one), _word(two), _stamped(one, two, flow, slack_us))
        for number, (one, two) in pairs
    ]


def _word(option: Option | None) -> str:
    return tcpopt.word(option) if option else ""


def _stamped(one: Option | None, two: Option | None, flow: Flow, slack_us: float) -> bool:
    """Is it a timestamp that will do? What is echoed is not compared, and the value only if the script has a clock."""
    if one is None or two is None or (one.name, two.name) != ("TS", "TS"):
        return False
    if not flow.tick_us or flow.first is None:
        return True
    values: Any = one.values[0], two.values[0]
    off = (values[0] - values[1] + MOD // 2) % MOD - MOD // 2
    return bool(abs(off) * flow.tick_us <= slack_us)


def _icmp(body: Icmp, other: Icmp, version: int) -> list[Field]:
    kind, code = icmpnames.names(version, *icmpnames.numbers(version, body))
    pairs = ("mtu", body.mtu, other.mtu), ("id", body.ident, other.ident)
    return [
        Field("type", str(kind), str(other.type)),
        Field("code", str(code), str(other.code)),
        *[_asked(name, one, "" if two is None else two) for name, one, two in pairs if (one, two) != (None, None)],
        _asked("quote", body.quote and quoted(body.quote), (other.quote and quoted(other.quote)) or ""),
    ]


def quoted(quote: Quote) -> str:
    """What an ICMP error quotes as a script writes it."""
    return f"[{span(quote.seq, quote.size)}]" if quote.kind == "tcp" else f"[{quote.kind} ({quote.size})]"


def _payload(payload: bytes) -> Field:
    rest = payload.lstrip(b"\0")
    at = len(payload) - len(rest)
    return Field("payload", "zeros", f"{rest[:8].hex()} at byte {at}" if rest else "zeros")


def _sums(wire: Wire) -> list[Field]:
    what = PROTOCOLS[wire.proto]
    return [
        Field(f"{what} checksum", "good", "good" if wire.good else "wrong"),
        Field("ip checksum", "good", "good" if wire.ip_good else "wrong"),
    ]


def _ip(ip: Ip, wire: Wire, flow: Flow) -> list[Field]:
    version = 4 if len(flow.local) == 4 else 6
    found = [
        Field("ip version", str(version), str(wire.version)),
        Field("ip header length", "20" if version == 4 else "40", str(wire.hlen)),
        Field("ip length", str(min(wire.length, wire.size)), str(wire.length)),
        Field("fragment", "no", "yes" if wire.fragment else "no"),
        _ecn(ip.ecn, MARKS[wire.tos & 3]),
        _asked("tos", None if ip.tos is None else f"{ip.tos:#04x}", f"{wire.tos:#04x}"),
        _asked("ttl", ip.ttl, wire.ttl),
    ]
    return found + ([_label(ip.flowlabel, wire.label, flow)] if wire.version == 6 or ip.flowlabel is not None else [])


def _ecn(expected: str | None, actual: str) -> Field:
    return Field("ecn", expected or ANYTHING, actual, expected == "ect01" and actual in ("ect0", "ect1"))


def _label(name: int | None, live: int, flow: Flow) -> Field:
    """A script's flow label is a name: the same stands for the same label, another for another."""
    if len(flow.local) == 4:
        return Field("flow label", f"{name:#07x}", "none in IPv4")
    called = next((f"{other:#07x}" for other, label in flow.labels.items() if label == live), f"{live:#07x} (new)")
    if name is None:
        return Field("flow label", ANYTHING, f"{live:#07x}")
    fresh = name not in flow.labels and live not in flow.labels.values()
    return Field("flow label", f"{name:#07x}", called, fresh)
