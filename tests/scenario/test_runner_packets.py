# SPDX-License-Identifier: GPL-2.0-or-later
"""The packets of scripts: which connection they belong to, what is compared, what becomes of those nobody expects."""

import pytest
from toy_target import MS, THEIRS, Toy, from_host, play, script

from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from labstack.scenario.target import Result
from layers import IP, TCP, UDP

SYN = "< S 0:0(0) win 1000 <mss 1000>"
SYN_ACK = from_host("S. 0:0(0) ack 1 win 5000 <mss 1460>", isn=77_000)
LISTEN = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n"
OPEN = LISTEN + f"0 {SYN}\n0 > S. 0:0(0) ack 1 <mss 1460>\n0 < . 1:1(0) ack 1 win 1000\n"


def data(seq: int, size: int, flags: str = ".", isn: int = 77_000) -> bytes:
    return from_host(f"{flags} {seq}:{seq + size}({size}) ack 1 win 5000", isn=isn)


def injected(toy: Toy) -> list[IP]:
    return [IP(it) for _, it in toy.done if isinstance(it, bytes)]


def test_a_connection_with_numbers_from_the_scripts_space() -> None:
    """The host's initial number is learned; 1 is its first byte."""
    toy = Toy((0, SYN_ACK), (100 * MS, data(1, 500)))
    assert play(OPEN + ".1 > . 1:501(500) ack 1\n.2 < . 1:1(0) ack 501 win 1000", toy) is None
    assert [(it[TCP].seq, it[TCP].ack) for it in injected(toy)] == [(0, 0), (1, 77_001), (1, 77_501)]
    assert {(it[TCP].sport, it[TCP].dport) for it in injected(toy)} == {(THEIRS, 8080)}


def test_a_packet_that_differs_is_shown_beside_the_expected_one() -> None:
    failure = play(OPEN + ".1 > P. 1:501(500) ack 1", Toy((0, SYN_ACK), (100 * MS, data(1, 500, "F."))))
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.event, failure.at) == ("packet", 7, 6, 100 * MS)
    assert [row[:3] for row in failure.fields if row.differs] == [("flags", "P.", "F.")]
    assert ("win", "*", "5000") in [row[:3] for row in failure.fields]
    assert failure.fields[-1][:3] == ("time", ".1", ".1")


def test_pieces_are_glued_and_the_last_one_has_the_time() -> None:
    sends = [(0, SYN_ACK), (100 * MS, data(1, 500)), (150 * MS, data(501, 500)), (200 * MS, data(1001, 100, "P."))]
    assert play(OPEN + ".2 > P. 1:1101(1100) ack 1", Toy(*sends)) is None
    strict = play("--strict_segments\n" + OPEN + ".2 > P. 1:1101(1100) ack 1", Toy(*sends))
    assert strict is not None
    assert strict.kind == "packet"


def test_only_a_part_of_a_packet_is_missing() -> None:
    failure = play(OPEN + ".1 > P. 1:1101(1100) ack 1", Toy((0, SYN_ACK), (100 * MS, data(1, 500))))
    assert failure is not None
    assert failure.kind == "missing"
    assert failure.why.startswith("only a part came by 2.1")


def test_packets_of_other_connections_are_ignored() -> None:
    other = from_host("R 5:5(0) win 0", theirs=4444)
    assert play(OPEN + ".1 > . 1:501(500) ack 1", Toy((0, SYN_ACK), (1, other), (100 * MS, data(1, 500)))) is None


def test_each_inbound_packet_to_a_listener_begins_a_connection() -> None:
    second = from_host("S. 0:0(0) ack 1 win 5000 <mss 1460>", theirs=THEIRS + 1, isn=5)
    text = OPEN + "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4\n0 bind(4, ..., ...) = 0\n0 listen(4, 1) = 0\n"
    text += f".1 {SYN}\n.1 > S. 0:0(0) ack 1 <mss 1460>\n.2 < . 1:1(0) ack 1 win 9"
    toy = Toy((0, SYN_ACK), (100 * MS, second))
    assert play(text, toy) is None
    assert [it[TCP].sport for it in injected(toy)] == [THEIRS, THEIRS, THEIRS + 1, THEIRS + 1]
    assert injected(toy)[-1][TCP].ack == 6


def test_without_a_socket_an_inbound_packet_begins_a_connection_too() -> None:
    reset = from_host("R. 0:0(0) ack 1 win 0", isn=0)
    assert play(f"0 {SYN}\n0 > R. 0:0(0) ack 1", Toy((0, reset))) is None


def test_the_port_of_a_connecting_socket_is_learned_from_its_syn() -> None:
    sends = [(100 * MS, tcp(4321, flags="S", seq=9)), (300 * MS, tcp(4321, flags="A", seq=10, ack=1))]
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n.1 connect(3, ..., ...) = -1 EINPROGRESS\n.1 > S 0:0(0)\n"
    toy = Toy(*sends, connect=Result(-1, 115))
    assert play(text + ".2 < S. 0:0(0) ack 1 win 9\n.3 > . 1:1(0) ack 1", toy) is None
    [answer] = injected(toy)
    assert (answer[TCP].sport, answer[TCP].dport, answer[TCP].ack) == (8080, 4321, 10)


def tcp(sport: int, **fields: object) -> bytes:
    return bytes(IP(src="192.168.0.1", dst="192.0.2.1") / TCP(sport=sport, dport=8080, window=5000, **fields))


def test_an_older_syn_is_not_taken_for_that_of_a_later_socket() -> None:
    """The first socket's SYN comes again before the second one connects."""
    sends = [(0, tcp(1111, flags="S")), (900 * MS, tcp(1111, flags="S")), (1000 * MS, tcp(2222, flags="S"))]
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 connect(3, ..., ...) = 0\n0 > S 0:0(0)\n"
    text += "1 socket(..., SOCK_STREAM, 0) = 4\n1 connect(4, ..., ...) = 0\n1 > S 0:0(0)\n1.1 < R 0:0(0) win 0"
    toy = Toy(*sends, socket=[Result(3), Result(4)])
    assert play(text, toy) is None
    assert [it[TCP].dport for it in injected(toy)] == [2222]


def test_a_syn_that_is_sent_while_connect_is_being_called_is_its_own() -> None:
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 connect(3, ..., ...) = 0\n+0 > S 0:0(0)"
    toy = Toy((11 * MS, tcp(1111, flags="S")))
    toy.takes = 10 * MS
    assert play(text, toy, tolerance_us=20_000) is None


def test_a_socket_that_connects_again_has_a_new_connection() -> None:
    """AF_UNSPEC in between, which still sends of the first; the second connection has its own initial number."""
    sends = [(0, tcp(1111, flags="S", seq=100)), (1000 * MS, tcp(1111, flags="R", seq=101))]
    sends += [(1000 * MS, tcp(2222, flags="S", seq=900))]
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 connect(3, ..., ...) = 0\n0 > S 0:0(0)\n"
    text += "1 connect(3, AF_UNSPEC, ...) = 0\n1 > R 1:1(0)\n1 connect(3, ..., ...) = 0\n1 > S 0:0(0)\n"
    text += "1 < S. 0:0(0) ack 1 win 9"
    toy = Toy(*sends)
    assert play(text, toy) is None
    assert [(it[TCP].dport, it[TCP].ack) for it in injected(toy)] == [(2222, 901)]


def test_code_sees_the_socket_that_accept_gave_to_the_connection() -> None:
    toy = Toy((0, SYN_ACK), accept=Result(9, 0, ("192.0.2.1", THEIRS)))
    toy.infos = {"tcpi_snd_cwnd": 10}
    assert play(OPEN + ".1 accept(3, ..., ...) = 4\n.1 %{ assert tcpi_snd_cwnd == 10 }%", toy) is None
    assert [it for _, it in toy.done if it[0] == "info"] == [("info", 9)]
    failure = play(OPEN + ".1 %{ assert tcpi_snd_cwnd == 10 }%", Toy((0, SYN_ACK)))
    assert failure is not None  # nobody accepted it: there is nothing to be known
    assert failure.kind == "code"


def test_ports_in_a_script_choose_the_connection() -> None:
    sends = [(100 * MS, from_host("S. 0:0(0) ack 1 win 9", theirs=port, isn=port)) for port in (5555, 6666)]
    text = LISTEN + "0 < 5555>8080 S 0:0(0) win 9\n0 < 6666>8080 S 0:0(0) win 9\n"
    text += ".1 > 8080>6666 S. 0:0(0) ack 1\n.1 > 8080>5555 S. 0:0(0) ack 1\n"
    toy = Toy(*sends)
    failure = play(text + ".2 < 5555>8080 . 1:1(0) ack 1 win 9\n.2 < 6666>8080 . 1:1(0) ack 1 win 9", toy)
    assert failure is None
    assert [(it[TCP].sport, it[TCP].ack) for it in injected(toy)[2:]] == [(5555, 5556), (6666, 6667)]


def test_a_datagram_socket_sends_and_receives() -> None:
    """Its port is asked for where nobody bound it."""
    sent = bytes(IP(src="192.168.0.1", dst="192.0.2.1") / UDP(sport=3333, dport=8080) / bytes(10))
    text = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n0 connect(3, ..., ...) = 0\n0 write(3, ..., 10) = 10\n"
    toy = Toy((0, sent), getsockname=Result(0, 0, ("192.168.0.1", 3333)), write=Result(10))
    assert play(text + "0 > udp (10)\n.1 < udp (5)", toy) is None
    [datagram] = injected(toy)
    assert (datagram[UDP].sport, datagram[UDP].dport) == (8080, 3333)


def test_what_cannot_be_put_on_the_wire_fails_at_its_line() -> None:
    failure = play(OPEN + ".1 < . 1:1(0) ack 1 win 9 <TS val 1 ecr 99,nop,nop>", Toy((0, SYN_ACK)))
    assert failure is not None
    assert (failure.kind, failure.place.line) == ("packet", 7)
    assert "ecr 99" in failure.why


def test_packet_failures_may_be_warnings() -> None:
    text = "--non_fatal=packet\n" + OPEN + ".1 > P. 1:501(500) ack 1\n.2 > . 501:501(0) ack 1\n9 listen(3, 1) = 0"
    toy = Toy((0, SYN_ACK), (100 * MS, data(1, 500)))
    run = runner.Run(it := script(text), toy, runner.plan(it, Settings(profile="none")), Settings(profile="none"))
    assert run.play() is None
    assert [(it.kind, it.place.line) for it in run.warnings] == [("packet", 8), ("missing", 9)]
    assert toy.times("listen") == [0, 9000 * MS]


@pytest.mark.parametrize("text", [OPEN, OPEN + "1 listen(3, 1) = -1"])
def test_a_failure_inside_the_target_is_a_crash_whatever_else_is_wrong(text: str) -> None:
    toy = Toy((0, SYN_ACK))
    toy.fault = "Traceback ... ZeroDivisionError"
    failure = play(text, toy)
    assert failure is not None
    assert (failure.kind, failure.why) == ("crash", toy.fault)
