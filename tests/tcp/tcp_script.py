# SPDX-License-Identifier: GPL-2.0-or-later
"""Script: one real stack on a bare-IP link, and the test as its peer, segment by segment, in virtual time.

    s.listen()                              our side listens on port 80
    s.rx("S", win=65535, mss=1460)          a segment from the peer; numbers relative to both initial ones
    s.tx("SA", seq=0, ack=1)                the next segment that our side sent, at once
    s.tx("A", after=40)                     ... or after exactly 40 ms of silence
    s.wait(1000); s.nothing()               time passes; nothing was sent

Every step is printed, so pytest shows the story of a test that fails. After each event `check()` must hold; every
frame that leaves is verified (lengths, checksums, the peer's window); `end()` wants no output left, nothing
quarantined and balanced counters.
"""

import hashlib
from typing import Any

import pytest

from labstack.core.config import CONGESTION, MS, Config
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick, Tx, Wake
from labstack.core.frame import Frame
from labstack.stack import make
from labstack.tcp.md5 import Key
from layers import ICMP, IP, TCP, IPv6
from layers.checksum import ones_sum

ADDRS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
HLEN = {4: 20, 6: 40}
LETTERS = "FSRPAUEWN"  # E, W, N: ECE, CWR, AE
RENO = {"net.ipv4.tcp_congestion_control": CONGESTION.index("reno")}  # the controller whose figures are the RFCs'
ALWAYS = ("TcpExtTCPDelivered", "TcpExtTCPOrigDataSent")  # counters that count whenever something is sent
PATIENCE = 400_000  # ms that tx(after=...) waits at most


class Seg:
    """One segment that left, numbers relative; `at` in ms."""

    def __init__(self, tcp: TCP, data: bytes, seq: int, ack: int, at: float, raw: bytes) -> None:
        self.flags = "".join(c for i, c in enumerate(LETTERS) if tcp.flags >> i & 1)
        self.seq, self.ack, self.win = seq, ack, tcp.window
        self.data, self.at, self.raw = data, at, raw
        self.size = len(data)
        self.tos = raw[1] if raw[0] >> 4 == 4 else (raw[0] << 4 | raw[1] >> 4) & 0xFF
        self.sport, self.dport = tcp.sport, tcp.dport
        options = dict(tcp.options)
        self.mss, self.ws = options.get("MSS"), options.get("WScale")
        self.md5 = options.get("MD5")
        self.ts = options.get("Timestamp")
        self.sack: list[tuple[int, int]] = []  # blocks, relative
        self.options = [name for name, _ in tcp.options]

    def __repr__(self) -> str:
        mine = f" mss={self.mss}" if self.mss is not None else ""
        return f"{self.flags} seq={self.seq} ack={self.ack} win={self.win} size={self.size}{mine}"


class Script:
    """See the module's head. sport/dport of a segment: the peer's port and ours; sack, stamps: the options that our
    side offers beside MSS and window scale; our timestamps are the time in ms."""

    def __init__(
        self,
        family: int = 4,
        seed: int = 1,
        mtu: int = 1500,
        gso: int = 0,
        irs: int = 10_000,
        tracing: bool = True,
        sysctl: dict[str, int] | None = None,
        sack: bool = False,
        stamps: bool = False,
    ) -> None:
        self.family, self.mtu, self.now = family, mtu, 0
        options = {"net.ipv4.tcp_sack": int(sack), "net.ipv4.tcp_timestamps": 2 * stamps}
        self.stack = make("h1", seed, Config().replace({**options, **(sysctl or {})}), tracing)
        self.stack.call("link_add", "tun0", b"", mtu, gso)
        self.us, self.peer = ADDRS[family]
        self.stack.call("addr_add", 1, self.us + ("/24" if family == 4 else "/64"), False)
        self.irs, self.iss = irs, None  # first numbers on the wire: the peer's, and ours once we know it
        self.sport, self.dport = 4000, 80
        self.pseq, self.pack = 0, 0  # the peer's next sequence number, and what it has seen of ours
        self.out: list[Seg] = []
        self.frames: list[Frame] = []
        self.others: list[bytes] = []  # packets that left and are no TCP
        self.wakes: list[Wake] = []
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.sock = self.listener = 0
        self.edge = 1  # the farthest right edge that the peer offered, relative
        self.pshift = 0  # the scale of the peer's windows
        self.any_window = False

    # ---- events -------------------------------------------------------------------------------------------------

    def event(self, event: Event) -> Any:
        """One event, drained."""
        try:
            return self.stack.handle(event, self.now)
        finally:
            self.settle()

    def settle(self) -> None:
        self.stack.check()
        self._collect(self.stack.drain(self.now))
        self.stack.check()

    def call(self, op: str, *args: Any) -> Any:
        """A call; its result."""
        self._say(f"call {op} {_short(args)}")
        return self.event(Call(op, args))

    def fails(self, code: int, op: str, *args: Any) -> StackError:
        """A call that must be refused with this errno and a sentence."""
        with pytest.raises(StackError) as caught:
            self.call(op, *args)
        assert caught.value.errno == code, f"{op}: expected errno {code}, got {caught.value}"
        assert len(str(caught.value)) > 20, f"{op}: {caught.value} is no sentence"
        return caught.value

    def packet(
        self, flags: str, seq: int | None = None, ack: int | None = None, data: bytes = b"", **more: Any
    ) -> bytes:
        """The bytes of a segment from the peer."""
        seq = self.pseq if seq is None else seq
        ack = self.pack if ack is None else ack
        options = list(more.get("options", []))
        if more.get("mss") is not None:
            options.append(("MSS", more["mss"]))
        if more.get("ws") is not None:
            options += [("NOP", None), ("WScale", more["ws"])]
        if more.get("md5") is not None:
            options = [("NOP", None), ("NOP", None), ("MD5", bytes(16)), *options]
        if more.get("sack_ok"):
            options.append(("SAckOK", b""))
        if more.get("ts") is not None:
            options += [("NOP", None), ("NOP", None), ("Timestamp", more["ts"])]
        bits = sum(1 << LETTERS.index(c) for c in flags)
        tcp = TCP(
            sport=more.get("sport", self.sport),
            dport=more.get("dport", self.dport),
            seq=(self.irs + seq) & 0xFFFFFFFF,
            ack=((self.iss or 0) + ack) & 0xFFFFFFFF if "A" in flags else more.get("raw_ack", 0),
            flags=bits,
            window=more.get("win", 65535),
            urgptr=more.get("urg", 0),
            options=options,
        )
        ip = self.ip(more.get("tos", 0))
        raw = bytes(ip / tcp / data) if data else bytes(ip / tcp)
        return raw if more.get("md5") is None else self.sealed(raw, seal(raw, self.family, more["md5"]))

    def sealed(self, raw: bytes, signature: bytes) -> bytes:
        """The packet with this signature (RFC 2385), and the right checksum again."""
        at = HLEN[self.family]
        tcp = raw[at : at + 16] + bytes(2) + raw[at + 18 : at + 24] + signature + raw[at + 40 :]
        pseudo = raw[12:20] if self.family == 4 else raw[8:40]
        checksum = 0xFFFF - ones_sum(pseudo + b"\0\6" + len(tcp).to_bytes(2, "big") + tcp)
        return raw[:at] + tcp[:16] + checksum.to_bytes(2, "big") + tcp[18:]

    def ip(self, tos: int = 0) -> Any:
        src, dst = self.peer, self.us
        if self.family == 4:
            return IP(src=src, dst=dst, flags=2, id=0, ttl=64, tos=tos)
        return IPv6(src=src, dst=dst, tc=tos)

    def rx(
        self, flags: str, seq: int | None = None, ack: int | None = None, data: bytes | int = b"", **more: Any
    ) -> None:
        """A segment from the peer: by default the next in its stream, acknowledging all that it has seen."""
        data = pattern(self.pseq if seq is None else seq, data) if isinstance(data, int) else data
        raw = self.packet(flags, seq, ack, data, **more)
        seq = self.pseq if seq is None else seq
        ack = self.pack if ack is None else ack
        self._say(f"rx {flags} seq={seq}" + (f" ack={ack}" if "A" in flags else "") + f" size={len(data)} {more or ''}")
        self.pseq = max(self.pseq, seq + len(data) + ("S" in flags) + ("F" in flags))
        if "A" in flags and "R" not in flags:
            shift = 0 if "S" in flags else self.pshift
            self.edge = max(self.edge, ack + (more.get("win", 65535) << shift))
        if more.get("ws") is not None:
            self.pshift = min(more["ws"], 14)
        self.frame(raw)

    def frame(self, raw: bytes) -> None:
        """Any packet on the link."""
        self.event(Rx(1, Frame(raw, net=0)))

    def icmp(self, kind: int, code: int, quote: bytes, mtu: int = 0) -> None:
        """An ICMP error about one of our packets (IPv4)."""
        self._say(f"icmp {kind}/{code}")
        body = bytes((kind, code)) + bytes(4) + mtu.to_bytes(2, "big") + quote
        body = body[:2] + (0xFFFF - ones_sum(body)).to_bytes(2, "big") + body[4:]
        self.frame(bytes(IP(src=self.peer, dst=self.us, proto=1) / body))

    def too_big(self, quote: bytes, mtu: int) -> None:
        """A router says that a packet of ours does not fit: "fragmentation needed", or "packet too big"."""
        if self.family == 4:
            self.icmp(3, 4, quote[:28], mtu)
            return
        self._say(f"packet too big, {mtu}")
        body = bytes((2, 0, 0, 0)) + mtu.to_bytes(4, "big") + quote[:60]
        pseudo = ones_sum(bytes(IPv6(src=self.peer, dst=self.us))[8:40], 58 + len(body))
        body = body[:2] + (0xFFFF - ones_sum(body, pseudo)).to_bytes(2, "big") + body[4:]
        self.frame(bytes(IPv6(src=self.peer, dst=self.us, nh=58) / body))

    def wait(self, ms: float) -> None:
        """Time passes; what falls due is done on time."""
        self._say(f"wait {ms} ms")
        until = self.now + int(ms * MS)
        while self._tick(until):
            pass
        self.now = until

    def _tick(self, until: int) -> bool:
        due = self.stack.deadline()
        if due is None or due > until:
            return False
        self.now = max(due, self.now)
        self.event(Tick())
        return True

    # ---- what must have happened --------------------------------------------------------------------------------

    def tx(self, flags: str | None = None, after: float | None = None, **wanted: Any) -> Seg:
        """The next segment that left; the fields named must be as given. after: ms of silence before it."""
        begin = self.now
        if after is not None:
            while not self.out and self._tick(begin + PATIENCE * MS):
                pass
        if not self.out:
            raise AssertionError(f"expected {flags} {wanted}, but nothing was sent ({self.now / MS} ms)")
        seg = self.out.pop(0)
        self._say(f"   tx {seg} at {seg.at} ms")
        wanted = {"flags": flags, **wanted} if flags is not None else wanted
        wrong = {k: (getattr(seg, k), v) for k, v in wanted.items() if getattr(seg, k) != v}
        assert not wrong, f"sent {seg}; (is, expected): {wrong}"
        if after is not None:
            assert seg.at - begin / MS == after, f"sent {seg} after {seg.at - begin / MS} ms, expected {after}"
        return seg

    def soon(self) -> Seg:
        """The next segment, whenever it comes."""
        begin = self.now
        while not self.out and self._tick(begin + PATIENCE * MS):
            pass
        return self.tx()

    def burst(self) -> list[Seg]:
        """Everything that has left so far."""
        out, self.out = self.out, []
        for seg in out:
            self._say(f"   tx {seg} at {seg.at} ms")
        return out

    def nothing(self, ms: float = 0) -> None:
        """Nothing was sent, nor will be for so long."""
        if ms:
            self.wait(ms)
        assert not self.out, f"unexpected: {self.out}"

    def state(self, name: str, sock: int | None = None) -> None:
        is_now = self.stack.call("status", sock or self.sock)["state"]
        assert is_now == name, f"state {is_now}, expected {name}"

    def gone(self, sock: int | None = None) -> None:
        """The connection has left no trace."""
        sock = sock or self.sock
        stack = self.stack
        assert sock not in stack.conns
        assert sock not in stack.flows.values()
        assert not [key for key in stack.env.timers.at if key[-1] == sock and key[0] >= 10]

    def noted(self, rule: str) -> int:
        """How often a rule was followed (or a packet dropped for this reason) so far."""
        return self.notes.count(rule)

    def count(self, name: str) -> int:
        return self.stack.env.count[name]

    @property
    def conn(self) -> Any:
        return self.stack.conns[self.sock]

    def end(self) -> None:
        """The script is over: nothing unexpected is left."""
        assert not self.out, f"never expected: {self.out}"
        assert not self.faults, self.faults[0]
        assert unbalanced(self.stack.env.count) == []

    # ---- ready-made beginnings ----------------------------------------------------------------------------------

    def listen(self, port: int = 80, backlog: int = 128, options: dict[str, int] | None = None) -> int:
        self.dport = port
        self.listener = self.call("listen", port, b"", backlog, 0, options or {})
        return self.listener

    def accept(self) -> int:
        self.sock, _ = self.call("accept", self.listener)
        return self.sock

    def passive(self, win: int = 65535, mss: int | None = 1460, ws: int | None = None, **options: int) -> "Script":
        """A connection that the peer opened and we accepted."""
        return self.opened({"win": win, "mss": mss, "ws": ws}, options=options)

    def opened(self, syn: dict[str, Any], ts: int = 0, options: dict[str, int] | None = None) -> "Script":
        """The same, with a SYN that says this; ts: the peer's first timestamp, which then counts ms."""
        self.listen(options=options or {})
        self.rx("S", **syn, ts=(ts, 0) if ts else None)
        self.tx("SA", seq=0, ack=1)
        self.rx("A", win=syn.get("win", 65535), ts=(ts, self.now // MS) if ts else None)
        self.accept()
        self.state("ESTABLISHED")
        return self

    def active(self, win: int = 65535, mss: int | None = 1460, ws: int | None = None, **options: int) -> "Script":
        """A connection that we opened."""
        self.connect(**options)
        self.tx("S", seq=0)
        self.rx("SA", win=win, mss=mss, ws=ws)
        self.tx("A", seq=1, ack=1)
        self.state("ESTABLISHED")
        return self

    def settled(self) -> "Script":
        """As after many segments: acknowledgments no longer go out at once."""
        self.conn.rcv.ato = 40 * MS
        return self

    def connect(self, port: int = 4000, keys: tuple[Key, ...] = (), **options: int) -> int:
        """We begin to open a connection to the peer's port; keys: of its signatures."""
        self.sport = port
        self._say(f"call connect {port} {options or ''}")
        self.sock = self.stack.call("connect", self.peer, port, options=options, now=self.now)
        if keys:
            self.stack.call("sign", self.sock, keys, now=self.now)
        self.dport = self.stack.conns[self.sock].lport
        self.settle()
        return self.sock

    # ---- inside -------------------------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        print(f"{self.now / MS:10.3f}  {line}")

    def _collect(self, actions: list[Any]) -> None:
        self.notes += [it.rule for it in self.stack.take_trace() if hasattr(it, "rule")]
        for action in actions:
            if isinstance(action, Tx):
                self.frames.append(action.frame)
                for raw in action.frame.cuts():
                    self._left(raw)
            elif isinstance(action, Wake):
                self.wakes.append(action)
            elif isinstance(action, Quarantine):
                self.faults.append(action.why)
                print(action.why)

    def _left(self, raw: bytes) -> None:
        proto = raw[9] if self.family == 4 else raw[6]
        if proto != 6:
            self.others.append(raw)
            return
        tcp = verify(raw, self.family, self.mtu)
        data = raw[HLEN[self.family] + tcp.dataofs * 4 :]
        if tcp.flags & 2:
            self.iss = tcp.seq if self.iss is None or tcp.seq != self.iss else self.iss
        seq = (tcp.seq - (self.iss or 0)) & 0xFFFFFFFF if self.iss is not None else tcp.seq
        ack = (tcp.ack - self.irs) & 0xFFFFFFFF if tcp.flags & 16 else 0
        seg = Seg(tcp, data, seq, ack, self.now / MS, raw)
        edges = [(edge - self.irs) & 0xFFFFFFFF for edge in dict(tcp.options).get("SAck", ())]
        seg.sack = list(zip(edges[::2], edges[1::2], strict=True))
        end = seq + len(data) + (tcp.flags & 1)
        if not tcp.flags & 6:
            assert self.any_window or end <= self.edge + 1, f"{seg} is outside the window that the peer offered"
        if self.iss is not None and seq < 1 << 31:
            self.pack = max(self.pack, end + (tcp.flags >> 1 & 1))
        self.out.append(seg)


def verify(raw: bytes, family: int, mtu: int) -> TCP:
    """The TCP header of a packet that left; everything about it must be right."""
    hlen = HLEN[family]
    if family == 4:
        assert raw[0] == 0x45
        assert int.from_bytes(raw[2:4], "big") == len(raw)
        assert ones_sum(raw[:20]) == 0xFFFF, "IP checksum"
        pseudo = raw[12:20]
    else:
        assert raw[0] >> 4 == 6
        assert int.from_bytes(raw[4:6], "big") == len(raw) - 40
        pseudo = raw[8:40]
    assert len(raw) <= mtu, f"a packet of {len(raw)} bytes on a link of {mtu}"
    assert ones_sum(pseudo + b"\0\6" + (len(raw) - hlen).to_bytes(2, "big") + raw[hlen:]) == 0xFFFF, "TCP checksum"
    tcp = TCP.parse(raw, hlen, len(raw))
    assert isinstance(tcp, TCP), tcp
    assert tcp.reserved == 0
    if not tcp.flags & 2:
        assert not {"MSS", "WScale", "SAckOK"} & {name for name, _ in tcp.options}, "an option of SYNs alone"
    return tcp


def seal(raw: bytes, family: int, secret: bytes) -> bytes:
    """RFC 2385 §2.0, for IPv6 with its own pseudo-header: the signature that a packet must have."""
    tcp = raw[HLEN[family] :]
    size = len(tcp)
    if family == 4:
        pseudo = raw[12:20] + b"\0\x06" + size.to_bytes(2, "big")
    else:
        pseudo = raw[8:40] + size.to_bytes(4, "big") + b"\0\0\0\x06"
    return hashlib.md5(pseudo + tcp[:16] + b"\0\0" + tcp[18:20] + tcp[(tcp[12] >> 4) * 4 :] + secret).digest()


def pattern(at: int, size: int) -> bytes:
    """The bytes [at, at + size) of a stream in which every place is recognizable."""
    return bytes((i * 7 + (i >> 8)) & 0xFF for i in range(at, at + size))


def _short(args: tuple[Any, ...]) -> str:
    return "(" + ", ".join(_said(a) for a in args) + ")"


def _said(arg: Any) -> str:
    if isinstance(arg, bytes) and len(arg) > 20:
        return f"<{len(arg)} bytes>"
    return f"<{arg.bit_length()} bits>" if isinstance(arg, int) and arg >> 100 else repr(arg)


__all__ = ["ALWAYS", "ICMP", "RENO", "Script", "Seg", "pattern", "verify"]
