# SPDX-License-Identifier: GPL-2.0-or-later
"""A story as a Python scenario: several connections and hosts, UDP, ARP, fragments, whatever crossed the link.

TCP is told by `play_tcp.End`s, one for each connection, so that numbers are relative; everything else as packets.
Payload is kept where it is short or all the same; of other payload the length is, and zeros are sent. Addresses
become those of a scenario's host and peers.
"""

import ast
from textwrap import dedent
from typing import Any, NamedTuple

import layers
from labstack.core.config import line
from labstack.ip.family import text
from labstack.packetdrill import symbols
from labstack.scenario.packets.wire import ACK, SYN, Wire
from labstack.scenario.play.packets import HOST, HOST6, HOST_MAC, PEER, PEER6, PEER_MAC
from labstack.scenario.play.pattern import read
from labstack.scenario.play.tcp import apart, shifted, stamped
from labstack.scenario.profiles import beside, profile_of
from labstack.scenario.record import expression as record_expression
from labstack.scenario.record.expression import SHORT, written
from labstack.scenario.record.story import QUERIES, Called, Changed, Crossed, Happened, Story, ends, ports, told
from labstack.scenario.script.plan import AF_INET, AF_INET6
from labstack.scenario.target import OPENS, Result

LETTERS = "FSRPAUEC"
MAPPED = "::ffff:"
INDENT = "    "
ARP, IPV6 = 0x0806, 0x86DD
USUAL = {("HOST", False): HOST, ("HOST", True): HOST6, ("HOST_MAC", True): HOST_MAC,
         ("PEER", False): PEER, ("PEER", True): PEER6, ("PEER_MAC", True): PEER_MAC}  # fmt: skip
GROUPS, NOBODY = ("224.", "239.", "ff"), ("255.255.255.255", "0.0.0.0", "::")
UNITS = ((10**9, "s"), (10**6, "ms"), (10**3, "us"), (1, "ns"))
HEAD = '''# SPDX-License-Identifier: GPL-2.0-or-later
"""{about}"""

{imports}

{constants}


@scenario({arguments})
def recorded(t):
    "What happened, step by step."
'''


class _End(NamedTuple):
    """A connection of the script: the name of its End, and where the numbers of both ends begin."""

    name: str
    isn: int  # the peer's
    irs: int | None  # ours, None until it was seen
    window: int
    stamp: int = 0  # our first timestamp


def source(story: Story, about: str, link: str) -> str:
    """The text of the scenario; link: "ip" or "ether"."""
    return _Writer(story, link).source(about)


def links(story: Story) -> list[str]:
    """The kinds of links on which a story may be told, the better one first."""
    frames = [it for it in story.happened if isinstance(it, Crossed)]
    six = any(it.ethertype == IPV6 and not it.housekeeping for it in frames)
    arp = any(it.net and it.ethertype == ARP for it in frames)
    return ["ether", "ip"] if arp and not six else ["ip"]


class _Writer:
    def __init__(self, story: Story, link: str) -> None:
        self.story, self.link = story, link
        self.happened = self._happened()
        self.lines: list[str] = []
        self.names: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.ends: dict[tuple[bytes, int, int], _End] = {}
        self.blocked: list[tuple[int, str, str]] = []  # until, its name, what it must do then
        self.waits = 0
        self.start = self.now = self.happened[0].at if self.happened else 0
        self.six = any(len(pair[0]) == 16 for pair in map(self._pair, self.happened) if pair)
        self._name_all()

    def _happened(self) -> list[Happened]:
        if self.link == "ip":
            return told(self.story.happened)
        return [it for it in self.story.happened
                if not isinstance(it, Crossed) or it.ethertype == ARP or not it.housekeeping]  # fmt: skip

    def source(self, about: str) -> str:
        config = self.story.config
        profile = profile_of(config)
        for it in self.happened:
            self._until(it.at)
            self._tell(it)
        self._until(1 << 62)
        body = "\n".join(self.lines)
        arguments = {
            "link": self.link,
            "ip": "ipv6" if self.six else "ipv4",
            "profile": profile,
            "sysctls": beside(config, profile) or None,
            "mtu": self.story.mtu if self.story.mtu != 1500 else None,
            "neighbours": False if self.link == "ether" else None,
            "quiet": 0,
        }
        return HEAD.format(
            about=about.replace("\\", "\\\\").replace('"', "'"),
            imports=_imports(body),
            constants="\n".join(f"{name} = {value!r}" for name, value in self.constants.items()),
            arguments=", ".join(f"{name}={value!r}" for name, value in arguments.items() if value is not None),
        ) + body + "\n"  # fmt: skip

    # names of addresses

    def _pair(self, it: Happened) -> tuple[bytes, bytes] | None:
        """(local, remote) address of a packet."""
        wire = it.wire if isinstance(it, Crossed) else None
        return ends(it, wire) if wire is not None and isinstance(it, Crossed) else None

    def _name_all(self) -> None:
        for pair in map(self._pair, self.happened):
            for address, kind in zip(pair or (), ("HOST", "PEER"), strict=False):
                self._named(text(address), kind)
        for it in self.happened:
            if isinstance(it, Crossed) and it.net:
                frame = read(it.frame, "ether")
                for mac, kind in zip(
                    (frame.dst, frame.src), ("HOST", "PEER") if it.inbound else ("PEER", "HOST"), strict=True
                ):
                    self._named(mac, f"{kind}_MAC")

    def _named(self, address: str, kind: str) -> str:
        """The constant that stands for an address: of the host, of the peer, of the peers after it."""
        if address not in self.names:
            if address.startswith(GROUPS) or address in NOBODY or (kind.endswith("MAC") and int(address[:2], 16) & 1):
                return self.names.setdefault(address, repr(address))
            n = len([name for name in self.names.values() if name.rstrip("0123456789") == kind])
            self.names[address] = name = f"{kind}{n + 1}" if n else kind
            self.constants[name] = _another(USUAL[kind, kind.endswith("MAC") or ":" in address], n)
        return self.names[address]

    # step by step

    def _say(self, line: str) -> None:
        self.lines.append(INDENT + line)

    def _at(self, at: int) -> None:
        """It is that time now."""
        if at > self.now:
            self._say(f't.sleep("{duration(at - self.now)}")')
            self.now = at

    def _until(self, at: int) -> None:
        """Calls that have returned before then are asked for."""
        due = sorted(it for it in self.blocked if it[0] < at)
        self.blocked = [it for it in self.blocked if it not in due]
        for until, name, verdict in due:
            self._at(until)
            self._say(f"{name}.{verdict}")

    def _tell(self, it: Happened) -> None:
        if isinstance(it, Called):
            self._call(it)
        elif isinstance(it, Changed):
            self._at(it.at)
            self._say(f't.sysctl("{line(it.sysctl)}", "{it.value}")')
        else:
            self._cross(it)

    def _call(self, it: Called) -> None:
        if it.name in QUERIES:
            return
        self._at(it.at)
        args = ", ".join([f'"{it.name}"', *(self._argument(arg) for arg in self._args(it))])
        if it.until is None and it.back is not None:
            word, value = self._verdict(it, it.back)
            self._say(f"t.call({args}, {word}={value})" if value else f"t.call({args})")
            return
        self.waits += 1
        self._say(f"b{self.waits} = t.blocking({args})")
        if it.until is None or it.back is None:
            self._say(f"b{self.waits}.blocks()")
        else:
            self.blocked.append((it.until, f"b{self.waits}", "{}({})".format(*self._verdict(it, it.back))))

    def _verdict(self, it: Called, back: Result) -> tuple[str, str]:
        """What the call must do: fails or returns, and with what; "": with anything."""
        if back.result < 0:
            return "fails", f'"{symbols.name("errno", back.errno)}"'
        if it.name in OPENS or back.data is None:
            return "returns", str(back.result) if back.result else ""
        if isinstance(back.data, bytes):
            return "returns", _told(back.data, "size")
        known = it.name == "recvfrom" and back.data[1] is not None and _kept(back.data[0])
        return "returns", self._argument(back.data) if known else ""

    def _args(self, it: Called) -> tuple[Any, ...]:
        if it.name == "socket":
            return it.args[0] or (AF_INET6 if self.six else AF_INET), *it.args[1:]
        return it.args

    def _argument(self, arg: Any) -> str:
        if isinstance(arg, tuple) and len(arg) == 2 and isinstance(arg[0], str) and isinstance(arg[1], int):
            host = arg[0] or ("::" if self.six else "0.0.0.0")
            bare = host.removeprefix(MAPPED)
            mapped = f'"{MAPPED}" + ' if host != bare in self.names else ""
            return f"({mapped}{self.names.get(bare if mapped else host, repr(host))}, {arg[1]})"
        if isinstance(arg, tuple | list):
            opening, closing = "()" if isinstance(arg, tuple) else "[]"
            return f"{opening}{''.join([self._argument(it) + ', ' for it in arg]).strip()}{closing}"
        return _told(arg, "bytes") if isinstance(arg, bytes) else repr(arg)

    # packets

    def _cross(self, it: Crossed) -> None:
        wire = it.wire
        data = it.frame if self.link == "ether" else it.packet
        net = it.net if self.link == "ether" else 0
        if wire is not None and wire.tcp is not None and not wire.fragment and wire.good:
            self._segment(it, wire)
        elif it.inbound:
            self._at(it.at)
            self._say(f"t.send({record_expression.sent(data, net, self.names)})")
        else:
            self._say(f"t.expect({record_expression.expected(data, net, self.names)}, {self._when(it)})")

    def _when(self, it: Crossed) -> str:
        """That it leaves at this time: the time has come when it did."""
        if it.at <= self.now:
            return "within=0"
        within, self.now = duration(it.at - self.now), it.at
        return f'at="{duration(it.at - self.start)}"' if within else ""

    def _segment(self, it: Crossed, wire: Wire) -> None:
        end = self._end(it, wire)
        if it.inbound:
            self._at(it.at)
            self._say(f"{end.name}.send({', '.join(self._sent(wire, end))})")
        else:
            self._say(f"{end.name}.expect({', '.join([*self._awaited(wire, end), self._when(it)])})")

    def _sent(self, wire: Wire, end: _End) -> list[str]:
        """The arguments of End.send() for a segment of the peer's."""
        head, irs = wire.head, end.irs or 0
        words = [_told(wire.payload, "bytes")] if wire.payload else []
        words += [f'flags="{_letters(head)}"', f"seq={apart(head.seq, end.isn)}"]
        words += [f"ack={apart(head.ack, irs)}"] if head.flags & ACK else []
        words += [f"window={head.window}"] if head.window != end.window else []
        options = stamped(shifted(head.options, -irs), 0, -end.stamp if head.flags & ACK else 0)
        words += [f"options={options}"] if head.flags & SYN or head.options else []
        return [*words, *([f"urgptr={head.urgptr}"] if head.urgptr else [])]

    def _awaited(self, wire: Wire, end: _End) -> list[str]:
        """The arguments of End.expect() for a segment of the host's."""
        head, data = wire.head, wire.payload
        words = [f'flags="{_letters(head)}"', f"seq={apart(head.seq, end.irs or 0)}"]
        words += [f"ack={apart(head.ack, end.isn)}"] if head.flags & ACK else []
        words += [f"data={written(data)}" if data and _kept(data) else f"size={len(data)}"]
        return [
            *words,
            *([f"options={stamped(shifted(head.options, -end.isn), -end.stamp, 0)}"] if head.options else []),
        ]

    def _end(self, it: Crossed, wire: Wire) -> _End:
        """The End of a segment's connection; it is made when the first one crosses."""
        pair: Any = ports(it, wire)
        remote = ends(it, wire)[1]
        key = (remote, *pair)
        head, syn = wire.head, bool(wire.head.flags & SYN)
        again = syn and it.inbound and key in self.ends and self.ends[key].isn not in (head.seq, -1)
        if key not in self.ends or again:
            isn = head.seq if it.inbound else -1
            name = f"c{len({end.name for end in self.ends.values()}) + 1 + again}"
            self.ends[key] = _End(name, isn, None, head.window if it.inbound else 65535)
            own = pair[0] if it.inbound else 0
            called = self._named(text(remote), "PEER")
            iss = 1_000_000 * int(name[1:])
            self._say(f"{name} = t.peer_tcp({own}, {pair[1]}, ip={called}, iss={iss}, window={self.ends[key].window})")
        end = self.ends[key]
        if it.inbound and end.isn < 0:
            end = end._replace(isn=head.seq)
        if not it.inbound and syn and end.irs is None:
            end = end._replace(irs=head.seq, stamp=wire.stamp[0] if wire.stamp else 0)
        self.ends[key] = end
        return end


def _letters(head: Any) -> str:
    return "".join([letter for bit, letter in enumerate(LETTERS) if head.flags >> bit & 1])


def _kept(data: bytes) -> bool:
    return len(data) <= SHORT or len(set(data)) == 1


def _told(data: bytes, otherwise: str) -> str:
    """Payload, or what stands for it if that is long: bytes(100), size(100)."""
    return written(data) if _kept(data) else f"{otherwise}({len(data)})"


def _another(address: str, n: int) -> str:
    """The n-th address after one of the usual ones."""
    head, mark, last = address.rpartition(":" if ":" in address else ".")
    return f"{head}{mark}{int(last) + n:0{len(last)}}"


def _imports(body: str) -> str:
    """What the lines of a scenario need."""
    used = {node.id for node in ast.walk(ast.parse(dedent(body))) if isinstance(node, ast.Name)}
    lines = [f"from labstack.scenario import {', '.join(['scenario', *(['size'] if 'size' in used else [])])}"]
    kinds = sorted(used & set(layers.__all__))
    return "\n".join([*lines, *([f"from layers import {', '.join(kinds)}"] if kinds else [])])


def duration(ns: int) -> str:
    """A time with the unit that makes it short: 10ms, 1.5s."""
    for size, unit in UNITS:
        if ns >= size and (ns * 1000) % size == 0:
            return f"{ns / size:.3f}".rstrip("0").rstrip(".") + unit
    return f"{ns}ns"
