# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections, listeners and UDP sockets as values at the prompt."""

import errno
import socket

import pytest

from labstack.core.errors import StackError
from labstack.lab.errors import LabError
from labstack.lab.handles import Connection
from labstack.lab.lab import Lab
from layers import IP, TCP, Ether


def test_a_handle_is_there_before_its_socket_and_says_so() -> None:
    lab = Lab()
    server = lab.h2.listen(80)
    assert "queued" in str(server)
    with pytest.raises(LabError, match="still waits"):
        server.accept()
    lab.step()
    assert "LISTEN" in str(server)


def test_reading_too_early_is_no_event() -> None:
    lab = Lab()
    server = lab.h2.listen(80)
    lab.step()
    with pytest.raises(LabError, match="nothing there yet"):
        server.accept()
    assert len(lab.records) == 1


def test_data_goes_both_ways_and_half_closing_keeps_the_other_half() -> None:
    lab = Lab()
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip6, 80).send("question")
    lab.run()
    served = server.accept()
    assert served.recv() == b"question"
    client.shutdown("w")
    served.send(b"answer")
    lab.run()
    assert client.recv() == b"answer"
    assert (client.state, served.state) == ("FIN_WAIT_2", "CLOSE_WAIT")
    assert served.recv() == b""


def test_abort_resets_and_the_peer_is_told() -> None:
    """RFC 9293 §3.10.5."""
    lab = Lab()
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    served = server.accept()
    client.abort()
    lab.run()
    with pytest.raises(StackError) as raised:
        served.recv()
    assert raised.value.errno == errno.ECONNRESET


def test_udp_goes_to_its_port_and_tells_who_sent_it() -> None:
    lab = Lab()
    there = lab.h2.udp(53)
    here = lab.h1.udp()
    lab.run()
    here.sendto("name?", lab.h2.ip, 53)
    lab.run()
    data, (addr, port) = there.recvfrom()
    assert (data, addr) == (b"name?", lab.h1.ip)
    there.sendto(b"name!", addr, port)
    lab.run()
    assert here.recvfrom()[0] == b"name!"


def test_a_queued_call_that_fails_is_an_event_with_its_error() -> None:
    lab = Lab()
    lab.h2.listen(80)
    lab.h2.listen(80)
    lab.run()
    assert "taken" in str(lab.why(2))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda c: c.send(3), "expected bytes"),
        (lambda c: c.shutdown("x"), "expected 'r', 'w' or 'rw'"),
        (lambda c: c.recv(), "no such socket"),
    ],
)
def test_wrong_uses_say_what_was_expected(wrong, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(LabError, match=says):
        wrong(Lab().h1.connect("10.0.0.2", 80))


def test_sysctls_are_set_for_one_host_and_undone_by_back() -> None:
    lab = Lab()
    lab.h1.sysctl("net.ipv4.tcp_delack_min", 5)
    assert lab.h1.stack.env.config["net.ipv4.tcp_delack_min"] == 5
    assert lab.h2.stack.env.config["net.ipv4.tcp_delack_min"] == 40
    lab.back()
    assert lab.h1.stack.env.config["net.ipv4.tcp_delack_min"] == 40


def test_sysctls_are_read_and_written_as_linux_has_them_and_looking_is_no_event() -> None:
    lab = Lab()
    assert lab.h1.sysctl("net.ipv4.tcp_congestion_control", "bbr") == "bbr"
    assert lab.h1.sysctl("net.ipv4.tcp_rmem", "4096 10000 70000") == "4096 10000 70000"
    assert len(lab.records) == 2
    lab.back()
    for wrong, says in (
        (("tcp_sack",), "mean 'net.ipv4.tcp_sack'"), (("net.ipv4.tcp_sak", 0), "mean 'net.ipv4.tcp_sack'"),
        (("net.ipv4.tcp_sack", 7), "expected a number in 0..1"), (("net.ipv4.tcp_rmem", 7), "is 3: net.ipv4.tcp_rmem"),
        (("net.ipv4.tcp_congestion_control", "vegas"), "expected reno, cubic, bbr"), (("net.ipv4",), "no sysctl"),
        ((5,), "expected text"),
    ):  # fmt: skip
        with pytest.raises(LabError, match=says):
            lab.h1.sysctl(*wrong)
    assert lab.h1.sysctl("net.ipv4.tcp_rmem") == "4096 131072 6291456"
    assert len(lab.step()) == 1  # the future is there still
    assert lab.h1.sysctl("net.ipv4.tcp_rmem.max") == "70000"
    assert lab.h1.sysctl("net.ipv4.tcp_sack", True) == "1"


def test_the_lab_lists_sysctls_and_sets_one_everywhere() -> None:
    lab = Lab()
    assert str(lab.sysctl("rmem", "h1")).splitlines() == [
        "h1   net.core.rmem_default = 212992",
        "h1   net.core.rmem_max = 4194304",
        "h1   net.ipv4.tcp_rmem = 4096 131072 6291456",
    ]
    assert str(lab.sysctl("net.ipv4.tcp_sack = 0")) == "h1   net.ipv4.tcp_sack = 0\nh2   net.ipv4.tcp_sack = 0"
    assert "no sysctl 'tcp_sock'; did you mean" in str(lab.sysctl("tcp_sock"))


def test_both_open_at_once_from_ports_of_their_choice() -> None:
    """RFC 9293 §3.5, figure 7."""
    lab = Lab()
    left, right = lab.h1.connect(lab.h2.ip, 5000, 4000), lab.h2.connect(lab.h1.ip, 4000, lport=5000)
    assert "queued: connect" in str(left)
    lab.until(lambda: right.state == "SYN_RECEIVED")
    lab.run()
    assert (left.state, right.state, left.status()["local"]) == ("ESTABLISHED", "ESTABLISHED", "10.0.0.1:4000")


def test_a_backlog_an_option_and_urgent_data() -> None:
    """RFC 9293 §3.8.5."""
    lab = Lab()
    server = lab.h2.listen(80, backlog=3)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    assert server.status()["send_q"] == 3
    client.setopt("congestion", "bbr")
    assert client.status()["cc"] == "bbr"
    lab.h1.now("setopt", client, "nodelay", 1)
    before = len(lab.records)
    with pytest.raises(StackError, match="no option 'colour'"):
        client.setopt("colour", 1)
    assert len(lab.records) == before
    client.send(b"now!", socket.MSG_OOB)
    lab.step()
    assert any(Ether(s.frame.cuts()[0])[TCP].flags.U for s in lab.records[-1].sent)


def test_a_connection_says_its_variables_and_they_forge_a_reset_that_hits() -> None:
    """RFC 9293 §3.3.1; RFC 5961 §3.2."""
    lab = Lab()
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80).send(b"hello")
    lab.run()
    served = server.accept()
    said = str(lab.tcb(client))
    assert f"ISS {client.snd.iss}  IRS {client.rcv.irs}" in said
    assert "SND.UNA 6  SND.NXT 6" in said
    assert "RCV.NXT 6" in str(lab.tcb(served))
    assert "h1's" not in str(lab.tcb("h2"))
    assert str(lab.tcb(server)) == "(no connection)"
    lport = int(client.status()["local"].rpartition(":")[2])
    reset = TCP(sport=lport, dport=80, flags="R", seq=served.rcv.nxt & 0xFFFFFFFF)
    lab.inject(IP(src=lab.h1.ip, dst=lab.h2.ip) / reset)
    assert served.state == "CLOSED"
    with pytest.raises(LabError, match="no such socket"):
        _ = Connection(lab.h1, 7).snd


def test_connections_inherit_what_a_listener_was_told() -> None:
    lab = Lab()
    srv = lab.h2.listen(80)
    lab.h1.connect(lab.h2.ip, 80)
    lab.step(2)
    srv.setopt("nodelay", 1)
    srv.setopt("congestion", "bbr")
    with pytest.raises(StackError, match="no option 'colour'"):
        srv.setopt("colour", 1)
    lab.run()
    snd = srv.accept().snd
    assert (snd.nodelay, snd.cc.name) == (True, "bbr")
