# SPDX-License-Identifier: GPL-2.0-or-later
"""What `why` says is true where it says it: situations in which a sentence could easily claim too much."""

from labstack import Lab
from labstack.lab.handles import Connection
from layers import IP, TCP, Ether


def opened(lab: Lab) -> Connection:
    """h1's end of a connection to h2."""
    lab.h2.listen(80)
    c = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    return c


def told(lab: Lab, *words: str) -> list[str]:
    """The lines of `why`, of all that happened, with one of these words."""
    lines = [line for record in lab.records for line in lab.why(record.n).text().splitlines()]
    return [line for line in lines if any(word in line for word in words)]


def test_a_syn_that_goes_again_as_syn_ack_is_not_said_to_have_gone_once() -> None:
    """RFC 9293 §3.5, figure 7: in a simultaneous open the SYN goes twice, and nothing is counted as retransmitted."""
    lab = Lab()
    h1, h2 = lab.h1, lab.h2
    h1.ping(h2.ip)
    lab.run()
    lab.wire.loss(1.0)
    h1.connect(h2.ip, 81)
    lab.step()
    [conn] = h1.stack.conns.values()
    iss, ends = conn.snd.iss, {"sport": 81, "dport": conn.lport}
    link = Ether(dst=h1.mac) / IP(src=h2.ip, dst=h1.ip)
    lab.inject(link / TCP(flags="S", seq=1000, options=[("SAckOK", b"")], **ends), to="h1")
    twice = [("SAck", (iss & 0xFFFFFFFF, iss + 1 & 0xFFFFFFFF))]
    lab.inject(link / TCP(flags="A", seq=1001, ack=iss + 1 & 0xFFFFFFFF, options=twice, **ends), to="h1")
    lab.step(2)
    assert "SYN,ACK seq=0 ack=1 mss=1460 sackOK rtx #1" in lab.events().text()
    doubtful, ignored = told(lab, "RFC 2883 §4", "RFC 2018 §5")
    assert "1 byte arrived twice, says a D-SACK, and we count less as sent again" in doubtful
    assert "a SACK block from 0 to 1 cannot be used" in ignored


def test_a_cookie_that_always_answers_does_not_say_that_there_are_too_many() -> None:
    """RFC 4987 §3.6, RFC 6298 (5.7): nothing was lost, and yet the round trip is not known."""
    lab = Lab()
    lab.h2.sysctl("net.ipv4.tcp_syncookies", 2)
    opened(lab)
    sent, unknown = told(lab, "a cookie answers", "RTO starts")
    assert "or tcp_syncookies is 2" in sent
    assert "or was a cookie" in unknown


def test_what_waits_for_a_compressed_ack_is_not_said_to_be_acknowledged_at_once() -> None:
    """The fourth segment beyond a gap starts the wait, and the timer's ACK has a reason, too."""
    lab = Lab()
    c = opened(lab)
    lab.wire.lose(1, only="h1")
    c.send(b"x" * 15000)
    lab.run()
    assert told(lab, "the sender knows of the loss: one ACK for what comes in")
    assert not any("at once" in line for line in told(lab, "beyond RCV.NXT"))
    [timer] = [r.n for r in lab.records if "tcp_compressed_ack_kick" in lab.why(r.n).text()]
    assert "a timer ran out" in lab.why(timer).text()
    assert "ACK ack=1 sack=" in lab.why(timer).text()


def test_the_first_retransmission_of_a_recovery_is_not_said_to_have_no_room() -> None:
    """RFC 6937 §3: it goes at once, and then as many as the new window has room for, perhaps none."""
    lab = Lab()
    c = opened(lab)
    lab.wire.lose(1, only="h1")
    c.send(b"x" * 15000)
    lab.run()
    counts = told(lab, "RFC 6937 §3] ", " may go")
    assert counts
    assert "1 segment may go: no more are in flight than the new window has room for" in counts[0]


def test_a_loss_at_our_own_neighbour_is_not_laid_at_a_router() -> None:
    """RFC 6069 §4: the wire is cut until our own neighbour cache gives up."""
    lab = Lab()
    c = opened(lab)
    lab.wire.loss(1.0)
    c.send(b"x" * 100)
    lab.advance("30s")
    lines = told(lab, "RFC 6069 §4")
    assert lines
    assert all("had no way to go, from a router or from here" in line for line in lines)


def test_segments_that_left_at_the_same_moment_are_not_said_to_have_left_long_before() -> None:
    """RFC 8985 §6.2 step 4: three SACKs, so that there is no reordering window."""
    lab = Lab()
    c = opened(lab)
    lab.wire.lose(1, only="h1")
    c.send(b"x" * 15000)
    lab.run()
    [line] = told(lab, "RFC 8985 §6.2] ", "was sent before something")
    assert "1 to 1449" in line
    assert "the reordering window, if there is one, is over" in line


def test_a_controller_without_a_window_is_not_said_to_have_a_small_one_of_the_peer() -> None:
    lab = Lab()
    c = opened(lab)
    [conn] = lab.h1.stack.conns.values()
    conn.snd.cc.cwnd = 0
    c.send(b"x" * 5000)
    lab.step()
    [line] = told(lab, "RFC 9293 §3.8.6.2.1")
    assert "a window of 65160 bytes, and less than a segment may go" in line


def test_arp_cites_what_is_of_ipv4_and_neighbour_discovery_what_is_of_ipv6() -> None:
    """RFC 826, RFC 1122 §2.3.2; RFC 4861."""
    four, six = Lab(), Lab()
    four.h1.ping(four.h2.ip)
    six.h1.ping(six.h2.ip6)
    for lab in (four, six):
        lab.advance("200s")
    assert not told(four, "RFC 4861")
    assert not told(six, "RFC 826", "RFC 1122 §2.3")
    assert [line.split()[0] for line in told(four, "Where is", "is at 02:00:00:00:00:02: ")] == ["arp", "arp"]
    assert four.ladder().rows[0].why[0].startswith("ping: RFC 826 Where is 10.0.0.2?")
