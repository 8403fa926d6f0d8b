# SPDX-License-Identifier: GPL-2.0-or-later
"""Two frames that have killed a stack: a SYN whose options end within one, and a solicitation with a byte too many.

Here each costs itself at most: it is dropped for a named and counted reason, or read as far as it makes sense (RFC 9293
§3.1: a malformed option ends the options; RFC 4861 §7.1.1: options behind a solicitation must have a length), and the
host goes on as if nothing had been.
"""

from labstack.core.counters import drops, unbalanced
from labstack.scenario import scenario
from layers import IP, TCP, Ether, ICMPv6ND_NS, IPv6, Raw

BAD_OPTIONS = bytes.fromhex("01010108")  # NOP, NOP, NOP, and a timestamp without even a length


def syn(lab):
    """A SYN to h2 with the bad options behind a header that counts them."""
    link = Ether(dst=lab.h2.mac, src=lab.h1.mac)
    segment = TCP(sport=4000, dport=80, flags="S", dataofs=6) / Raw(BAD_OPTIONS)
    return bytes(link / IP(src=lab.h1.ip, dst=lab.h2.ip) / segment)


def solicitation(lab):
    """A neighbour solicitation for h2 with one byte behind it."""
    link = Ether(dst=lab.h2.mac, src=lab.h1.mac)
    return bytes(link / IPv6(src=lab.h1.ip6, dst=lab.h2.ip6, hlim=255) / ICMPv6ND_NS(tgt=lab.h2.ip6) / Raw(b"\0"))


@scenario(hosts=2)
def two_malformed_frames_cost_themselves_at_most(lab):
    "Hand both frames to h2, then use h2 as if nothing had been."
    server = lab.h2.listen(80)
    lab.step()
    lab.inject(syn(lab), to="h2")
    lab.inject(solicitation(lab), to="h2")
    lab.run("500ms")
    count = lab.h2.stack.env.count
    assert sum(count[name] for name in count if name.startswith("Contained")) == 0
    assert drops(count) == {"drop.nd.option": 1}
    assert count["TcpInBadOptions"] == 1
    assert unbalanced(count) == []

    client = lab.h1.connect(lab.h2.ip6, 80)
    client.send(b"still there?")
    lab.run("5s")
    assert client.state == "ESTABLISHED"
    assert server.state == "LISTEN"
