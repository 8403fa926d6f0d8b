# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripted end of a TCP connection: it keeps the numbers, so that a scenario says only what matters.

    c = t.accepts(80)                       the host accepts a connection on port 80; c is the other end of it
    c.send(b"hello")                        the next bytes, with the acknowledgment of all that came in order
    c.expect(flags="A", ack=6)              the host's next segment on this connection
    c.send(b"lo", seq=4)                    out of order, overlapping, old: any number can be given
    c.send(flags="FA"); c.send(b"x", chksum=1, window=0, options=[("NOP", None)])

All numbers are relative to the initial ones, as tcpdump has them: 0 is the SYN, 1 the first byte. That goes for seq,
ack and the edges of SACK blocks, in what is sent, expected, returned and shown. The host's timestamps, and our echoes
of them, count from its first. Nothing is sent unless it is said.
"""

from typing import Any

from labstack.scenario.play.condition import size as sized
from labstack.scenario.play.pattern import Pattern, payload
from labstack.scenario.play.socket import Descriptor
from labstack.scenario.verdict import PlayError
from layers import TCP, Raw

MOD = 1 << 32
FIN, SYN, ACK = 1, 2, 16
MOST = 10_000  # segments that one collect() takes


class End:
    """ip, port: of this end; peer: the host's port, 0 while it is not known; iss: where our numbers begin.

    mss: what our SYN says, 0: nothing; window: what every segment says
    irs: where the host's numbers begin, -1 while that is not known; snd_nxt: our next byte; rcv_nxt: the next that we
    lack; received: the host's bytes in order; stamp: the host's first timestamp
    fd: the host's descriptor of this connection, if it has one
    """

    fd: Descriptor

    def __init__(self, play: Any, ip: str, port: int, peer: int, iss: int, mss: int, window: int) -> None:
        self.play, self.ip, self.port, self.peer = play, ip, port, peer
        self.iss, self.irs, self.mss, self.window = iss, -1, mss, window
        self.snd_nxt = self.rcv_nxt = self.stamp = 0
        self.received = b""

    # from us to the host

    def send(self, data: bytes = b"", flags: str = "", **fields: Any) -> None:
        """Send a segment: see segment(). Our next byte is then behind it, unless it is an older one."""
        self.play.send(self.segment(data, flags, **fields))
        seq = fields.get("seq", self.snd_nxt)
        self.snd_nxt = max(self.snd_nxt, seq + len(data) + sum(it in flags for it in "SF"))

    def segment(self, data: bytes = b"", flags: str = "", **fields: Any) -> Any:
        """A segment as a packet that nobody has sent yet: to be fragmented, held back, changed.

        flags: letters as Scapy's, "PA" with data and "A" without if none is given
        fields: any of TCP's: seq (our next byte), ack (all that came in order), window, options, chksum, urgptr ...;
        and `ip`, a dict of fields of the IP header
        """
        flags = flags or ("PA" if data else "A")
        header = self.play.IP(**{"src": self.ip, **fields.pop("ip", {})})
        seq, ack = fields.pop("seq", self.snd_nxt), fields.pop("ack", self.rcv_nxt if "A" in flags else 0)
        options = fields.pop("options", [("MSS", self.mss)] if "S" in flags and self.mss else [])
        options = stamped(options, 0, self.stamp) if "A" in flags else options
        packet = header / TCP(
            sport=self.port,
            dport=self.peer,
            flags=flags,
            seq=(self.iss + seq) % MOD,
            ack=(max(self.irs, 0) + ack) % MOD if "A" in flags else ack,
            options=shifted(options, max(self.irs, 0)),
            **{"window": self.window, **fields},
        )
        return packet / data if data else packet

    # from the host to us

    def expect(self, flags: Any = None, *, data: Any = None, size: Any = None, **rest: Any) -> Any:
        """The host's next segment on this connection, which must be this one; as a packet with relative numbers.

        flags: exactly these, or a condition: has("A"); data: the payload, size: its length, or conditions on them
        rest: fields of TCP, and at=, within=, after= as for Play.expect; what is not given is not compared
        """
        when = {name: rest.pop(name) for name in ("at", "within", "after") if name in rest}
        wanted: Any = TCP(**rest) if flags is None else TCP(flags=flags, **rest)
        if data is not None:
            wanted = wanted / Raw(load=data)
        elif size is not None:
            wanted = wanted / sized(size)
        packet = self.play.take(Pattern(wanted), self.mine, self.view, **when)
        self._learn(packet)
        return packet

    def collect(self, n: int, **when: Any) -> bytes:
        """The next n bytes of the host, cut into segments however it likes, each in order and acknowledged at once.

        when: at=, within=, after= as for Play.expect, of each segment.
        """
        start = len(self.received)
        for _ in range(MOST):
            left = n - (len(self.received) - start)
            if left <= 0:
                return self.received[start:]
            self.expect(seq=self.rcv_nxt, size=range(1, left + 1), **when)
            self.send()
        raise PlayError(f"collect({n}): {MOST} segments did not bring so many bytes")

    def mine(self, packet: Any) -> bool:
        """Is a packet of the host one of this connection?"""
        top = packet.getlayer("IPv6" if ":" in self.ip else "IP")
        if top is None or not isinstance(top.payload, TCP) or top.dst != self.ip:
            return False
        return bool(top.payload.dport == self.port and top.payload.sport == (self.peer or top.payload.sport))

    def view(self, packet: Any) -> Any:
        """A packet of the host with relative numbers; its first SYN says where they begin, and from which port."""
        seen = packet.copy()
        tcp = seen[TCP]
        if tcp.flags & SYN and not self.rcv_nxt:
            self.irs, self.peer = tcp.seq, tcp.sport
            self.stamp = next((it[1][0] for it in tcp.options if _is_stamp(it)), 0)
        tcp.seq = apart(tcp.seq, max(self.irs, 0))
        if tcp.flags & ACK:
            tcp.ack = apart(tcp.ack, self.iss)
            tcp.options = shifted(tcp.options, -self.iss)
        tcp.options = stamped(tcp.options, -self.stamp, 0)
        return seen

    def _learn(self, packet: Any) -> None:
        """Take note of a segment that came as expected."""
        tcp = packet[TCP]
        data = payload(tcp)
        first = tcp.seq + bool(tcp.flags & SYN)  # the number of its first byte
        end = first + len(data) + bool(tcp.flags & FIN)
        if tcp.seq <= self.rcv_nxt < end:
            self.received += data[max(0, self.rcv_nxt - first) :]
            self.rcv_nxt = end


def shifted(options: Any, by: int) -> Any:
    """TCP options with the edges of SACK blocks moved."""
    if not isinstance(options, list):
        return options
    return [
        ("SAck", tuple((edge + by) % MOD for edge in it[1])) if it[0] == "SAck" and isinstance(it[1], tuple) else it
        for it in options
    ]


def _is_stamp(option: Any) -> bool:
    return option[0] == "Timestamp" and isinstance(option[1], tuple)


def stamped(options: Any, value: int, echo: int) -> Any:
    """TCP options with both numbers of a timestamp moved."""
    if not isinstance(options, list):
        return options
    return [
        ("Timestamp", ((it[1][0] + value) % MOD, (it[1][1] + echo) % MOD)) if _is_stamp(it) else it for it in options
    ]


def apart(number: int, base: int) -> int:
    """How far a 32-bit number is from another, either way."""
    return (number - base + MOD // 2) % MOD - MOD // 2
