# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening, as packetdrill's language cannot say it: broken options, initial numbers, impossible addresses."""

from labstack.scenario import scenario
from layers import TCP
from layers.tcp import REST

MOD = 1 << 32
MSS_1000 = b"\x02\x04\x03\xe8"
SILLY = {
    "length 0": b"\x03\x00\x00\x00",
    "length 1": b"\x03\x01\x00\x00",
    "a wrong length for its kind": b"\x03\x04\x07\x00",
    "a length beyond the header": b"\x01\x01\x03\x28",
    "no byte left for its length": b"\x01\x01\x01\x03",
}


@scenario(covers="MUST-7 MUST-68")
def options_with_silly_lengths_do_no_harm(t):
    "An option that cannot be read ends the list, and that is all: on SYN, on ACK and with data (RFC 9293 §3.1)."
    listener = t.listen(80)
    for what, silly in SILLY.items():
        c = t.peer_tcp(80)
        c.send(flags="S", options=[(REST, MSS_1000 + silly)])
        c.expect(flags="SA", ack=1, within=0)
        c.send(options=[(REST, silly)])
        fd = listener.accept()
        c.send(b"x" * 100, options=[(REST, silly)])
        c.expect(flags="A", ack=101, within="50ms")
        t.check(fd.recv() == b"x" * 100, f"data arrive behind an option with {what}")
        fd.send(b"y" * 1000)
        c.expect(data=b"y" * 1000)  # the MSS before it counts
        c.send(flags="R")


@scenario(covers="MUST-69")
def header_padding_is_zero(t):
    "A header is padded to a multiple of four bytes; behind an End of Option List stand only zeros (RFC 9293 §3.1)."
    t.listen(80)
    for offered in ([], [("MSS", 1460)], [("WScale", 2)], [("MSS", 1460), ("WScale", 2)]):
        c = t.peer_tcp(80)
        c.send(flags="S", options=offered)
        back = c.expect(flags="SA", ack=1)
        options = bytes(back[TCP])[20 : 4 * back[TCP].dataofs]
        t.check(not _padding(options).strip(b"\0"), f"only zeros stand behind the end of {options.hex()}")
        c.send(flags="R")


def _padding(options):
    """What stands behind the End of Option List."""
    at = 0
    while at < len(options) and options[at]:
        at += 1 if options[at] == 1 else options[at + 1]
    return options[at:]


@scenario(covers="MUST-8 SHLD-1 SEC-5")
def initial_numbers_follow_a_clock_and_a_secret(t):
    "For the same ports they grow by at least 250,000 a second; other ports begin somewhere else (RFC 9293 §3.4.1)."
    t.listen(80)
    first, other = _initial(t, 40001), _initial(t, 40002)
    t.sleep("1s")
    grown = (_initial(t, 40001) - first) % MOD
    t.check(200_000 <= grown < MOD // 4, f"a clock that grows by {grown} in a second")
    t.check(5_000_000 < (other - first) % MOD < MOD - 5_000_000, f"{first} and {other} are far apart")


def _initial(t, port):
    """Our initial number in the answer to a SYN of the peer from this port; the connection is reset again."""
    c = t.peer_tcp(80, sport=port)
    c.send(flags="S")
    c.expect(flags="SA", ack=1)
    c.send(flags="R")
    return c.irs


@scenario(covers="MUST-57")
def syn_to_a_group_is_ignored(t):
    "A SYN to a multicast or broadcast address is dropped without a word (RFC 9293 §3.9.2.3)."
    t.listen(80)
    for group in ("ff02::1",) if t.v6 else ("224.0.0.1", "255.255.255.255"):
        t.send(t.IP(dst=group) / TCP(sport=1000, dport=80, flags="S", seq=1))
        t.silence("100ms")
    t.accepts(80)


@scenario(covers="MUST-63")
def syn_from_an_impossible_source_is_ignored(t):
    "No host can be at a multicast or broadcast address, or at loopback's on the wire (RFC 9293 §3.9.2.3)."
    t.listen(80)
    for source in ("ff02::1", "::1") if t.v6 else ("224.0.0.1", "255.255.255.255", "127.0.0.1"):
        t.send(t.IP(src=source) / TCP(sport=1000, dport=80, flags="S", seq=1))
        t.silence("100ms")
    t.accepts(80)


@scenario(covers="MUST-42 MUST-43 MUST-41")
def listeners_with_local_addresses_of_their_own_share_a_port(t):
    "A passive OPEN may name the local address, and hears only of SYNs to that (RFC 9293 §3.9.1.1)."
    there, loopback = t.listen(80), t.socket()
    loopback.bind(("::1" if t.v6 else "127.0.0.1", 80))
    loopback.listen()
    c = t.peer_tcp(80)
    c.send(flags="S")
    c.expect(flags="SA")
    c.send()
    there.accept()
