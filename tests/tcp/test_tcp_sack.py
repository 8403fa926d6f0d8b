# SPDX-License-Identifier: GPL-2.0-or-later
"""The sender hears SACK blocks: RFC 2018 §5 and §8, RFC 2883 §4, RFC 6675 §3."""

from lossy import MSS, NO_PROBES, Tcp, ack, counted, marks, sent, start

from labstack.tcp.loss import DISORDER, LOSS, OPEN, RECOVERY
from labstack.tcp.sent import SACKED


def test_a_block_marks_the_segments_that_lie_in_it(tcp: Tcp) -> None:
    """RFC 2018 §5: the SACKed bit of each segment that is contained in a block."""
    s = start(tcp)
    assert sent(s) == list(range(10))
    ack(s, 0, (2, 4))
    assert marks(s) == "..SS......"
    flight = s.conn.snd.flight
    assert (flight.out, flight.sacked, flight.lost, flight.retrans, flight.now) == (10, 2, 0, 0, 8)
    assert (s.conn.snd.loss.state, s.conn.snd.loss.delivered) == (DISORDER, 1 + 2)
    assert counted(s) == {}


def test_a_segment_that_lies_in_it_only_in_part_is_not_marked(tcp: Tcp) -> None:
    """RFC 2018 §5."""
    s = start(tcp)
    sent(s)
    ack(s, 0, (1.5, 3.5))
    assert marks(s) == "..S......."


def test_three_blocks_are_three_holes(tcp: Tcp) -> None:
    """RFC 2018 §5."""
    s = start(tcp, sysctl={"net.ipv4.tcp_reordering": 10})
    sent(s)
    ack(s, 1, (8, 9), (5, 6), (2, 4))
    assert marks(s) == ".SS.S..S."
    assert s.conn.snd.flight.top == s.conn.snd.iss + 1 + 9 * MSS


def test_neighbours_become_one_record(tcp: Tcp) -> None:
    """RFC 6675 §3: what there is to look through are the gaps."""
    s = start(tcp, sysctl={"net.ipv4.tcp_reordering": 20})
    sent(s)
    before = len(s.conn.snd.flight.queue)
    ack(s, 0, (2, 4))
    ack(s, 0, (6, 8), (2, 4))
    ack(s, 0, (2, 8))
    (record,) = [it for it in s.conn.snd.flight.queue if it.marks & SACKED]
    assert (record.seq, record.end, record.segs) == (s.conn.snd.iss + 2001, s.conn.snd.iss + 8001, 6)
    assert len(s.conn.snd.flight.queue) < before
    assert marks(s) == "..SSSSSS.."


def test_a_super_segment_is_cut_where_a_block_begins_and_ends(tcp: Tcp) -> None:
    """RFC 2018 §5: the unit is the segment, however many left together."""
    s = start(tcp, gso=65_535, sysctl={"net.ipv4.tcp_reordering": 20})
    assert sent(s) == list(range(10))
    assert [it.segs for it in s.conn.snd.flight.queue] == [2, 2, 2, 2, 2]
    ack(s, 0, (1, 5))
    sent(s)
    assert [(it.segs, it.marks) for it in s.conn.snd.flight.queue][:4] == [(1, 0), (4, SACKED), (1, 0), (2, 0)]
    ack(s, 0, (6.5, 8.5), (1, 5))
    assert marks(s) == ".SSSS..S.."


def test_a_super_segment_is_cut_where_what_is_acknowledged_ends(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4: whole segments leave the queue; of the one that is acknowledged in part the rest stays."""
    s = start(tcp, gso=65_535, size=6)
    sent(s)
    flight = s.conn.snd.flight
    ack(s, 1)
    assert (flight.out, flight.queue[0].segs, s.conn.snd.loss.delivered) == (5, 1, 1 + 1)
    ack(s, 2.5)
    assert (flight.out, flight.queue[0].segs, s.conn.snd.loss.delivered) == (4, 2, 1 + 2)
    assert flight.queue[0].seq == s.conn.snd.una


def test_blocks_of_what_was_never_sent_are_discarded(tcp: Tcp) -> None:
    """RFC 2018 §5: a receiver must not report what it has not; so nothing of it is believed."""
    s = start(tcp)
    sent(s)
    ack(s, 0, (9, 11))
    ack(s, 0, (12, 14))
    ack(s, 0, (5, 3))
    assert marks(s) == ".........."
    assert counted(s) == {"SACKDiscard": 3}


def test_blocks_mean_nothing_where_sack_was_not_agreed_on(tcp: Tcp) -> None:
    """RFC 2018 §2: they count as the duplicate ACK that they come with."""
    s = start(tcp, agreed=False)
    sent(s)
    ack(s, 0, (3, 9))
    assert (marks(s), s.conn.snd.flight.sacked) == ("..........", 1)


def test_a_block_takes_back_that_a_segment_was_lost(tcp: Tcp) -> None:
    """RFC 6675 §4: what has arrived is not lost, and leaves the pipe once."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (4, 7))
    assert (sent(s), marks(s)) == ([0, 1], "RRLLSSS...")
    ack(s, 0, (2, 3), (4, 7))
    assert (sent(s), marks(s)) == ([], "RRSLSSS...")
    flight = s.conn.snd.flight
    assert (flight.lost, flight.retrans, flight.now) == (3, 2, 5)


def test_an_old_ack_still_tells_of_blocks(tcp: Tcp) -> None:
    """RFC 2018 §5: ACKs overtake each other, too."""
    s = start(tcp)
    sent(s)
    ack(s, 2)
    sent(s)
    ack(s, 1, (5, 6))
    assert marks(s)[:6] == "...S.."
    assert s.conn.snd.loss.state == DISORDER


# ---- what arrived twice ---------------------------------------------------------------------------------------------


def test_a_first_block_below_the_ack_is_a_dsack(tcp: Tcp) -> None:
    """RFC 2883 §4.1: of data that is acknowledged. Nothing was sent again, so the network has duplicated it."""
    s = start(tcp)
    sent(s)
    ack(s, 5)
    sent(s)
    ack(s, 5, (2, 3))
    assert (s.conn.snd.loss.dsacks, s.conn.snd.loss.state) == (1, OPEN)
    assert counted(s) == {"DSACKRecv": 1, "DSACKIgnoredDubious": 1, "SACKDiscard": 1}
    sent(s)


def test_a_first_block_inside_the_second_is_a_dsack(tcp: Tcp) -> None:
    """RFC 2883 §4.2: of data beyond a gap."""
    s = start(tcp)
    sent(s)
    ack(s, 0, (5, 6), (4, 6))
    assert marks(s) == "....SS...."
    assert counted(s) == {"DSACKOfoRecv": 1, "DSACKIgnoredDubious": 1}


def test_a_dsack_larger_than_any_window_is_nothing(tcp: Tcp) -> None:
    """hostile-inputs, SACK floods: it adds nothing to what counts as duplicated."""
    s = start(tcp)
    sent(s)
    ack(s, 10)
    ack(s, 10, (-2000, 1))
    assert (s.conn.snd.loss.dsacks, s.count("TcpExtTCPDSACKRecvSegs")) == (0, 0)


# ---- reordering -----------------------------------------------------------------------------------------------------


def test_what_arrives_late_tells_how_far_segments_overtake_each_other(tcp: Tcp) -> None:
    """RFC 5681 §3.2, RFC 4653; Linux's tcp_check_sack_reordering: so many duplicates more are no loss."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (5, 6))
    ack(s, 6)
    loss = s.conn.snd.loss
    assert (loss.reordering, loss.reorderings, loss.state) == (6, 1, OPEN)
    assert counted(s) == {"SACKReorder": 1}
    sent(s)


def test_reordering_is_believed_up_to_a_bound(tcp: Tcp) -> None:
    """Linux's tcp_max_reordering; hostile-inputs, SACK floods."""
    s = start(tcp, sysctl={**NO_PROBES, "net.ipv4.tcp_max_reordering": 4})
    sent(s)
    ack(s, 0, (5, 6))
    ack(s, 6)
    assert s.conn.snd.loss.reordering == 4
    sent(s)


# ---- reneging -------------------------------------------------------------------------------------------------------


def test_a_peer_that_takes_back_gets_everything_again(tcp: Tcp) -> None:
    """RFC 2018 §8: blocks are advisory; half a round trip later all that was SACKed counts as lost."""
    s = start(tcp, cwnd=10, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 3))
    ack(s, 1)  # but 1 and 2 had arrived, it said
    new = sent(s)
    assert marks(s)[:3] == "SS."
    s.tx(after=50, seq=1 + MSS, size=MSS)
    assert marks(s) == "R" + "L" * (8 + len(new))
    assert (s.conn.snd.loss.state, s.conn.snd.loss.reneged) == (LOSS, True)
    assert (s.count("TcpExtTCPSACKReneging"), s.count("TcpExtTCPTimeouts")) == (1, 1)


def test_a_peer_that_only_seemed_to_take_back_gets_nothing_again(tcp: Tcp) -> None:
    """RFC 2018 §8; Linux waits for the ACK that may be on its way."""
    s = start(tcp, size=3, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 3))
    ack(s, 1)
    s.wait(20)
    ack(s, 3)
    s.nothing(1000)
    assert counted(s) == {"SACKReorder": 1}


def test_only_the_holes_go_again(tcp: Tcp) -> None:
    """RFC 6675 §4, NextSeg() (1): what is lost, in order; never what has arrived."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 3), (5, 10))
    assert (sent(s), s.conn.snd.loss.state) == ([0, 3, 4], RECOVERY)
    ack(s, 3, (5, 10))
    s.nothing()
    ack(s, 10)
    s.nothing(1000)
    assert s.count("TcpRetransSegs") == 3
