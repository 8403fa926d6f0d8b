# SPDX-License-Identifier: GPL-2.0-or-later
"""Relative numbers: what they count from, what of them was sent before, what a pure ACK has to tell."""

from labstack import Lab
from labstack.core.frame import Frame
from labstack.lab.words import Reader
from layers import IP, TCP, Ether, Raw

HERE, THERE = {"src": "10.0.0.1", "dst": "10.0.0.2"}, {"src": "10.0.0.2", "dst": "10.0.0.1"}
ISS, IRS = 4294967290, 77


class Talk:
    """Both sides of one connection; every segment that is said returns its words."""

    def __init__(self, opened: bool = True) -> None:
        self.reader = Reader()
        if opened:
            self.here("S", 0, options=[("WScale", 2)])
            self.there("SA", 0, 1, options=[("WScale", 3)])
            self.here("A", 1, 1)

    def here(self, flags: str, seq: int, ack: int = 0, size: int = 0, **fields: object) -> str:
        return self._say(HERE, 5, 80, flags, seq + ISS, ack + IRS if ack else 0, size, fields)

    def there(self, flags: str, seq: int, ack: int = 0, size: int = 0, **fields: object) -> str:
        return self._say(THERE, 80, 5, flags, seq + IRS, ack + ISS if ack else 0, size, fields)

    def _say(
        self, ends: dict[str, str], sport: int, dport: int, flags: str, seq: int, ack: int, size: int, fields: object
    ) -> str:
        tcp = TCP(sport=sport, dport=dport, flags=flags, seq=seq % 2**32, ack=ack % 2**32, **fields)
        return self.reader.read(Frame(bytes(Ether() / IP(**ends) / tcp / Raw(b"x" * size)))).label


# what they count from


def test_a_forged_syn_inside_a_connection_changes_no_numbers() -> None:
    talk = Talk()
    assert talk.here("S", 1001) == "SYN seq=1001"
    assert talk.there("A", 1, 1) == "ACK ack=1"
    assert talk.here("A", 1, 1, size=1400) == "ACK seq=1:1401 ack=1 len=1400"
    assert talk.there("A", 1, 1401) == "ACK ack=1401"


def test_a_forged_syn_while_half_open_changes_no_numbers() -> None:
    talk = Talk(opened=False)
    talk.here("S", 0)
    talk.there("SA", 0, 1)
    assert talk.here("S", 500) == "SYN seq=500"
    assert talk.here("A", 1, 1) == "ACK ack=1"


def test_after_a_reset_or_after_both_fins_a_syn_begins_anew() -> None:
    reset, closed = Talk(), Talk()
    reset.there("R", 1)
    assert reset.here("S", 9000) == "SYN seq=0"
    assert reset.there("SA", 7000, 9001) == "SYN,ACK seq=0 ack=1"
    closed.here("FA", 1, 1)
    closed.there("FA", 1, 2)
    closed.here("A", 2, 2)
    assert closed.here("S", 9000) == "SYN seq=0"
    assert closed.there("SA", 7000, 9001) == "SYN,ACK seq=0 ack=1"
    assert closed.here("A", 9001, 7001) == "ACK ack=1"


def test_a_syn_that_is_answered_opened_a_connection_though_the_old_one_seemed_to_stand() -> None:
    """RFC 9293 §3.5.1: one side has forgotten the connection."""
    talk = Talk()
    assert talk.here("S", 9000) == "SYN seq=9000"
    assert talk.there("SA", 7000, 9001) == "SYN,ACK seq=0 ack=1"
    assert talk.here("A", 9001, 7001) == "ACK ack=1"


def test_a_server_that_answers_with_another_number_is_believed_until_it_is_acknowledged() -> None:
    """RFC 4987 §3.6: a cookie is another number in another minute."""
    talk = Talk(opened=False)
    talk.here("S", 0)
    talk.there("SA", 0, 1)
    talk.here("S", 0)
    assert talk.there("SA", 600, 1) == "SYN,ACK seq=0 ack=1"
    assert talk.here("A", 1, 601) == "ACK ack=1"


def test_the_lab_tells_a_connection_with_a_forged_syn_as_it_was_before() -> None:
    lab = Lab()
    lab.h2.listen(80)
    c = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    [conn] = lab.h1.stack.conns.values()
    forged = TCP(sport=conn.lport, dport=80, flags="S", seq=(conn.snd.nxt + 1000) & 0xFFFFFFFF)
    lab.inject(Ether(dst=lab.h2.mac) / IP(src=lab.h1.ip, dst=lab.h2.ip) / forged, to="h2")
    c.send(b"x" * 1448)
    lab.run()
    text = lab.ladder().text()
    assert "SYN seq=1001" in text
    assert "seq=1:1449 ack=1 len=1448 ─" in text
    assert "ACK ack=1449" in text


def test_a_reset_of_no_connection_has_number_zero_whatever_was_counted_from() -> None:
    """RFC 9293 §3.10.7.1"""
    talk = Talk()
    assert talk.there("RA", -IRS, 1) == "RST,ACK seq=0 ack=1"


# what was sent before


def test_bytes_cut_otherwise_are_told_to_be_sent_again() -> None:
    talk = Talk()
    talk.here("A", 1, 1, size=1400)
    talk.here("A", 1401, 1, size=1400)
    assert talk.here("A", 949, 1, size=948).endswith("rtx #1")
    assert talk.here("A", 1897, 1, size=904).endswith("rtx #1")
    assert talk.here("A", 1801, 1, size=1400).endswith("rtx #2")
    assert talk.here("A", 3201, 1, size=100).endswith("len=100")


def test_a_syn_and_a_fin_are_counted_as_what_they_are() -> None:
    talk = Talk(opened=False)
    talk.here("S", 0)
    assert talk.here("S", 0).endswith("rtx #1")
    talk.there("SA", 0, 1)
    talk.here("PA", 1, 1, size=10)
    assert talk.here("FA", 11, 1) == "FIN,ACK seq=11 ack=1"
    assert talk.here("FPA", 1, 1, size=10).endswith("rtx #1")


# what a pure ACK tells


def test_a_pure_ack_whose_number_is_not_the_next_one_says_its_number() -> None:
    """RFC 9293 §3.8.4, §3.8.6.1: a keep-alive and a window probe are one below."""
    talk = Talk()
    talk.here("A", 1, 1, size=100)
    assert talk.here("A", 101, 1) == "ACK ack=1"
    assert talk.here("A", 100, 1) == "ACK seq=100 ack=1"
    assert talk.here("A", 101, 1) == "ACK ack=1"


def test_the_window_is_told_when_it_closes_and_when_it_opens() -> None:
    talk = Talk()
    assert talk.there("A", 1, 1, window=5) == "ACK ack=1"
    assert talk.there("A", 1, 1, window=0) == "ACK ack=1 win=0"
    assert talk.there("A", 1, 1, window=5) == "ACK ack=1 win=40"
    assert talk.there("A", 1, 1, window=6) == "ACK ack=1"


def test_what_arrives_is_told_in_the_words_in_which_it_was_sent() -> None:
    talk = Talk()
    talk.there("A", 1, 1, window=0)
    opens = Frame(bytes(Ether() / IP(**THERE) / TCP(sport=80, dport=5, flags="A", seq=IRS + 1, ack=ISS + 1, window=5)))
    assert talk.reader.read(opens).label == "ACK ack=1 win=40"
    talk.there("A", 1, 1, 100)
    assert talk.reader.look(opens).label == "ACK ack=1 win=40"
