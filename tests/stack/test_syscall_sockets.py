# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors and ports: limits, what is shared with the in-process API, what shows on the wire, broken tables."""

import errno
from typing import Any

import pytest
from syscall_host import DGRAM, DONTWAIT, HOME, INET, INET6, NONBLOCK, STREAM, WAITALL, Host, connected
from transcript import i32

from labstack.core.errors import StackError
from labstack.stack.syscall import files


def test_there_are_only_so_many_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 6)
    h = connected()
    assert h.socket(INET, STREAM, 0) == (-1, errno.EMFILE, None)
    assert h.accept(3) == (-1, errno.EMFILE, None)
    h.close(4)
    assert h.socket(INET, STREAM, 0) == (4, 0, None)


def test_an_accept_without_a_descriptor_left_loses_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    h = connected()
    assert h.socket(INET, STREAM, 0)[0] == 6
    assert h.back(h.connect(6, HOME)) == (0, 0, None)
    with monkeypatch.context() as patch:
        patch.setattr(files, "LIMIT", 7)
        assert h.accept(3) == (-1, errno.EMFILE, None)
    assert h.accept(3)[0] == 7


def test_a_port_of_a_descriptor_is_taken_for_the_in_process_api_and_the_other_way_round() -> None:
    h = Host()
    h.socket(INET, STREAM, 0)
    h.bind(3, HOME)
    with pytest.raises(StackError) as caught:
        h.stack.call("listen", 80)
    assert caught.value.errno == errno.EADDRINUSE
    h.stack.call("listen", 81)
    h.stack.call("udp", 82)
    h.socket(INET, STREAM, 0)
    assert h.bind(4, ("127.0.0.1", 81)) == (-1, errno.EADDRINUSE, None)
    h.socket(INET, DGRAM, 0)
    assert h.bind(5, ("127.0.0.1", 82)) == (-1, errno.EADDRINUSE, None)
    assert h.bind(5, ("127.0.0.1", 81)) == (0, 0, None)


def test_a_descriptor_talks_to_the_in_process_api() -> None:
    h = Host()
    listener = h.stack.call("listen", 80)
    h.socket(INET, STREAM, 0)
    h.back(h.connect(3, HOME))
    sock, (host, port) = h.stack.call("accept", listener)
    assert h.getsockname(3) == (0, 0, (host, port))
    h.write(3, b"abc")
    assert h.stack.call("recv", sock) == b"abc"
    ticket = h.read(3, 10)
    h.stack.call("abort", sock)
    h.settle()
    assert h.back(ticket) == (-1, errno.ECONNRESET, None)


def test_ephemeral_ports_are_those_that_nobody_is_bound_to() -> None:
    h = Host()
    h.stack.call("sysctl", "net.ipv4.ip_local_port_range.min", 40_000)
    h.stack.call("sysctl", "net.ipv4.ip_local_port_range.max", 40_002)
    h.socket(INET, STREAM, 0)
    h.bind(3, ("127.0.0.1", 40_001))
    taken = []
    for fd in (4, 5):
        h.socket(INET, STREAM, 0)
        h.bind(fd, ("127.0.0.1", 0))
        taken.append(h.getsockname(fd)[2][1])
    assert sorted(taken) == [40_000, 40_002]
    h.socket(INET, STREAM, 0)
    assert h.bind(6, ("127.0.0.1", 0)) == (-1, errno.EADDRINUSE, None)
    assert h.listen(6, 1) == (-1, errno.EADDRINUSE, None)
    assert h.connect(6, HOME) == (-1, errno.EADDRNOTAVAIL, None)
    assert h.bind(6, ("127.0.0.2", 0)) == (0, 0, None)


def test_lingering_for_no_time_sends_a_reset_and_nothing_else() -> None:
    h = connected()
    before = h.stack.env.count["TcpOutSegs"]
    h.setsockopt(4, 1, 13, i32(1, 0))
    h.close(4)
    assert h.stack.env.count["TcpOutSegs"] - before == h.stack.env.count["TcpOutRsts"] == 1
    assert h.stack.env.count["TcpExtTCPAbortOnData"] == 1


def test_an_accepted_socket_is_a_copy_and_no_twin_of_its_listener() -> None:
    h = connected()
    listener, child = (h.stack.files.sockets[h.stack.files.fds[fd]] for fd in (3, 5))
    h.setsockopt(5, 1, 6, i32(1))
    assert listener.options.get((1, 6)) is None or listener.options is not child.options
    assert listener.number != child.number
    assert (listener.refs, child.refs, child.waiters) == (1, 1, [])


def test_a_link_local_address_needs_its_interface() -> None:
    """As in Linux: sin6_scope_id, written as "%name" or "%index"."""
    h = Host()
    h.stack.call("link_add", "tun0", b"", 1500, 0, False)
    h.stack.call("addr_add", 1, "fe80::1/64", False)
    h.socket(INET6, STREAM | NONBLOCK, 0)
    assert h.connect(3, ("fe80::2", 80)) == (-1, errno.EINVAL, None)
    assert h.connect(3, ("fe80::2%none", 80))[1] == errno.ENODEV
    assert h.connect(3, ("fe80::2%tun0", 80)) == (-1, errno.EINPROGRESS, None)
    assert h.getsockname(3)[2][0] == "fe80::1"
    h.socket(INET6, STREAM | NONBLOCK, 0)
    assert h.bind(4, ("fe80::1", 80)) == (-1, errno.EINVAL, None)
    assert h.bind(4, ("fe80::1%1", 80)) == (0, 0, None)
    assert h.connect(4, ("fe80::2%7", 80))[1] == errno.ENODEV
    assert h.connect(4, ("fe80::2", 80)) == (-1, errno.EINPROGRESS, None)


def test_both_ends_shut_down_by_one_answers_late_data_with_a_reset() -> None:
    """Linux's tcp_rcv_state_process: nobody will read it."""
    h = connected()
    h.shutdown(4, 2)
    h.write(5, b"late")
    assert h.stack.env.count["TcpExtTCPAbortOnData"] == 1
    assert h.write(5, b"later") == (-1, errno.EPIPE, None)


def test_the_last_of_those_who_share_a_datagram_port_gets_what_arrives() -> None:
    h = Host()
    for fd in (3, 4, 5):
        h.socket(INET, DGRAM | NONBLOCK, 0)
        h.setsockopt(fd, 1, 2, i32(1))
        h.bind(fd, HOME)
    h.socket(INET, DGRAM, 0)
    got = []
    for fd in (5, 4, 3):
        h.sendto(6, b"to %d" % fd, 0, HOME)
        got.append(h.recv(fd, 10, 0)[2])
        h.close(fd)
    assert got == [b"to 5", b"to 4", b"to 3"]


def test_ports_and_sockets_come_back_when_all_is_closed() -> None:
    h = connected()
    h.socket(INET, DGRAM, 0)
    h.sendto(6, b"x", 0, HOME)
    for fd in (3, 4, 5, 6):
        h.close(fd)
    h.wait(100_000)
    it = h.stack
    assert (it.files.fds, it.files.sockets, it.files.ports, it.files.owners) == ({}, {}, {}, {})
    assert (it.conns, it.listeners, it.udps, it.bound, it.flows) == ({}, {}, {}, {}, {})


@pytest.mark.parametrize(
    "damage",
    [
        lambda it: it.fds.update({9: 77}),
        lambda it: it.fds.update({9: 0}),
        lambda it: it.fds.pop(4),
        lambda it: it.sockets.pop(it.fds[4]),
        lambda it: it.owners.clear(),
        lambda it: it.owners.update({99: it.fds[4]}),
        lambda it: it.ports.clear(),
        lambda it: it.ports.update({("tcp", 5): [1]}),
        lambda it: it.cloexec.update({99: None}),
        lambda it: it.parked.clear(),
        lambda it: setattr(it.sockets[it.fds[4]], "refs", 2),
        lambda it: setattr(it.sockets[it.fds[4]], "local", None),
        lambda it: setattr(it.sockets[it.fds[4]], "sock", 99),
        lambda it: it.sockets[it.fds[4]].waiters.append(5),
        lambda it: it.sockets[it.fds[5]].waiters.clear(),
        lambda it: setattr(it, "lowest", 9),
        lambda it: setattr(next(iter(it.parked.values())), "patience", -1),
    ],
)
def test_check_finds_tables_that_do_not_agree(damage: Any) -> None:
    h = connected()
    h.setsockopt(5, 1, 20, (1).to_bytes(8, "little") + bytes(8))
    assert isinstance(h.recv(5, 10, WAITALL), int)
    h.stack.check()
    damage(h.stack.files)
    with pytest.raises(AssertionError, match=r"\w+ \w+"):
        h.stack.check()


def test_nothing_waits_on_what_does_not_block() -> None:
    h = Host()
    h.socket(INET, STREAM | NONBLOCK, 0)
    h.bind(3, HOME)
    h.listen(3, 1)
    assert h.accept(3) == (-1, errno.EAGAIN, None)
    h.socket(INET, STREAM | NONBLOCK, 0)
    assert h.connect(4, HOME) == (-1, errno.EINPROGRESS, None)
    assert h.recv(4, 1, WAITALL) == h.recv(4, 1, DONTWAIT) == (-1, errno.EAGAIN, None)
    assert h.stack.files.parked == {}


def test_so_error_tells_a_soft_error_once_behind_the_pending_one() -> None:
    """RFC 9293 §3.9.2.2, SHLD-25."""
    h = connected()
    conn = next(it for it in h.stack.conns.values() if it.lport == HOME[1])
    conn.soft, conn.error = errno.EHOSTUNREACH, errno.ECONNRESET
    told = [h.getsockopt(5, 1, 4, 4)[2] for _ in range(3)]
    assert told == [i32(errno.ECONNRESET), i32(errno.EHOSTUNREACH), i32(0)]
