# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors, every code of them: what they do to connections and sockets, and what is no error at all."""

from labstack.scenario import scenario
from layers import (
    ICMP,
    TCP,
    UDP,
    HBHOptUnknown,
    ICMPv6DestUnreach,
    ICMPv6EchoRequest,
    ICMPv6ParamProblem,
    ICMPv6Unknown,
    IPv6ExtHdrDestOpt,
    Raw,
)

# (type, code): the errno that ends an attempt to connect
HARD4 = {
    (3, 2): "ENOPROTOOPT",
    (3, 3): "ECONNREFUSED",
    (3, 6): "ENETUNREACH",
    (3, 7): "EHOSTDOWN",
    (3, 8): "ENONET",
    (3, 9): "ENETUNREACH",
    (3, 10): "EHOSTUNREACH",
    (3, 13): "EHOSTUNREACH",
    (3, 14): "EHOSTUNREACH",
    (3, 15): "EHOSTUNREACH",
}
HARD6 = {(1, 1): "EACCES", (1, 4): "ECONNREFUSED", (1, 5): "EACCES", (1, 6): "EACCES"}
SOFT4 = [(3, 0), (3, 1), (3, 5), (3, 11), (3, 12), (11, 0), (11, 1), (12, 0), (12, 1), (12, 2)]
SOFT6 = [(1, 0), (1, 2), (1, 3), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)]
FAMILIES = "ipv4 ipv6"


def error(t, kind, code, quoted):
    """An ICMP error of the family, from the peer, about a packet of the host."""
    if t.v6:
        return t.IP() / ICMPv6Unknown(type=kind, code=code, msgbody=bytes(4) + bytes(quoted)[:1000])
    return t.IP() / ICMP(type=kind, code=code) / Raw(load=bytes(quoted)[:28])


def connecting(t, port):
    """A socket that connects to a port of the peer and does not block, and its SYN."""
    s = t.socket()
    s.nonblocking()
    s.connect(port, fails="EINPROGRESS")
    return s, t.expect(TCP(dport=port, flags="S"))


@scenario(covers="MUST-54 SHLD-26 MUST-47", ip=FAMILIES)
def hard_errors_end_an_attempt_to_connect(t):
    "The application learns which one it was, and no SYN is sent again (RFC 9293 §3.9.2.2)."
    for n, ((kind, code), errno) in enumerate((HARD6 if t.v6 else HARD4).items()):
        s, syn = connecting(t, 1000 + n)
        t.send(error(t, kind, code, syn))
        t.check(s.error() == errno, f"type {kind} code {code} is {errno}")
    t.silence("4s")


@scenario(
    covers="MUST-54 MUST-56",
    ip=FAMILIES,
    xfail={"kernel": "Linux ends an attempt to connect at any error, so that applications can try the next address"},
)
def soft_errors_do_not_end_an_attempt_to_connect(t):
    "Unreachable networks and hosts, loops and puzzled routers pass: the SYN is sent again (RFC 9293 §3.9.2.2)."
    for n, (kind, code) in enumerate(SOFT6 if t.v6 else SOFT4):
        s, syn = connecting(t, 1000 + n)
        t.send(error(t, kind, code, syn))
        t.check(not t.call("poll", [(s, 4)], 0)[0], f"type {kind} code {code} does not end it")
        t.expect(TCP(dport=1000 + n, flags="S", seq=syn[TCP].seq), after=0.9)
        s.close()


@scenario(covers="MUST-54 MUST-55 MUST-56 PMTU4-1", ip=FAMILIES)
def no_error_ends_an_open_connection(t):
    "Whatever anybody says of a segment in flight, data and acknowledgments go on (RFC 5927 §5.2)."
    c = t.accepts(80)
    hard, soft, other = (HARD6, SOFT6, [(1, 99), (100, 0)]) if t.v6 else (HARD4, SOFT4, [(3, 99), (4, 0), (5, 1)])
    for kind, code in [*hard, *soft, *other]:
        c.fd.send(b"hello")
        sent = c.expect(data=b"hello", within=0)
        sent[TCP].seq = (sent[TCP].seq + c.irs) % (1 << 32)  # as it was on the wire
        t.send(error(t, kind, code, sent))
        c.send()
        t.check(not t.call("poll", [(c.fd, 1)], 0)[0], f"type {kind} code {code} does no harm")


@scenario(covers="MUST-54 ICMP4-2 ICMP6-1", ip=FAMILIES)
def errors_that_cannot_be_read_are_dropped(t):
    "A quote that is cut, or is no packet of ours, names no connection; nothing happens, and nothing is answered."
    s, syn = connecting(t, 1000)
    kind, code = (1, 4) if t.v6 else (3, 3)
    whole = bytes(syn)
    head = 40 if t.v6 else 20
    wrong = [whole[:n] for n in (0, 1, head - 1, head, head + 7)]
    wrong += [b"\x45" * 28, bytes(60), whole[:head] + bytes(20)]
    if not t.v6:
        wrong += [b"\x4f" + whole[1:], b"\x40" + whole[1:]]  # lengths of the header that cannot be
    for quoted in wrong:
        t.send(error(t, kind, code, quoted))
        t.check(
            not t.call("poll", [(s, 4)], 0)[0], f"it still connects after an error about {quoted.hex() or 'nothing'}"
        )
    damaged = bytearray(bytes(error(t, kind, code, whole)))
    damaged[-1] ^= 1
    t.send(bytes(damaged))
    t.check(not t.call("poll", [(s, 4)], 0)[0], "an error with a wrong checksum is none")
    t.send(error(t, kind, code, whole))
    t.check(s.error() == "ECONNREFUSED", "the whole one is believed")


@scenario(covers="ICMP6-1", ip="ipv6")
def of_messages_that_nobody_knows_only_errors_are_passed_on(t):
    "Types below 128 are errors, and go to whom they quote; those above vanish (RFC 4443 §2.4 (a), (b))."
    s = t.socket("dgram")
    s.setsockopt("IPPROTO_IPV6", "IPV6_RECVERR", 1)
    s.connect(7)
    s.nonblocking()
    s.send(b"hello")
    sent = t.expect(UDP(dport=7), within=0)
    t.send(error(t, 200, 0, sent))
    s.recv(fails="EAGAIN")
    t.send(error(t, 100, 0, sent))
    s.recv(fails="EPROTO")
    t.silence("1s")


@scenario(covers="ICMP6-3", ip="ipv6")
def there_is_no_error_about_an_error(t):
    "Two hosts that complain about each other's complaints would never end (RFC 4443 §2.4 (e.1))."
    strange = HBHOptUnknown(otype=0x80, optdata=b"1234")  # an option that must be complained of
    ping = ICMPv6EchoRequest(id=7, seq=1)
    t.send(t.IP() / IPv6ExtHdrDestOpt(options=[strange]) / ping)
    t.expect(t.IP(src=t.ip, dst=t.peer.ip) / ICMPv6ParamProblem(code=2), within=0)
    for kind in (1, 2, 3, 4, 100, 127):
        t.send(t.IP() / IPv6ExtHdrDestOpt(options=[strange]) / ICMPv6Unknown(type=kind, msgbody=bytes(80)))
        t.silence("10ms")


@scenario(
    covers="ICMP6-3",
    ip="ipv6",
    xfail={"kernel": "Linux takes a redirect for a message like others, for it is no error"},
)
def there_is_no_error_about_a_redirect(t):
    "A redirect is an error in all but its number (RFC 4443 §2.4 (e.2))."
    strange = HBHOptUnknown(otype=0x80, optdata=b"1234")
    t.send(t.IP() / IPv6ExtHdrDestOpt(options=[strange]) / ICMPv6Unknown(type=137, msgbody=bytes(80)))
    t.silence("10ms")


@scenario(covers="ICMP6-4", ip=FAMILIES)
def errors_are_rationed(t):
    "Nobody can make a host complain without end: after a burst time must pass (RFC 4443 §2.4 (f), RFC 1812 §4.3.2.8)."
    for _ in range(40):
        t.send(t.IP() / UDP(sport=5000, dport=9) / b"again")
    refused = ICMPv6DestUnreach(code=4) if t.v6 else ICMP(type=3, code=3)
    t.expect(refused, count=6, within="50ms")
    t.silence("100ms")
    t.sleep("2s")
    t.send(t.IP() / UDP(sport=5000, dport=9) / b"again")
    t.expect(refused, within=0)
