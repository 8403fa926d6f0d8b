# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of scripts: what a target is asked for each form of arguments, and what is compared."""

from struct import pack
from typing import Any

import pytest
from toy_target import MS, Toy, play

from labstack.scenario.target import Message, Result
from labstack.scenario.verdict import Failure

SOCKET = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
LIVE = 9  # what the target calls the script's 3


def toy(**calls: Any) -> Toy:
    return Toy(**{"socket": Result(LIVE), **calls})


def asked(text: str, name: str, **settings: Any) -> tuple[Any, ...]:
    """The arguments that a target gets for a call of this script, which follows a socket()."""
    it = toy()
    play(SOCKET + text, it, **settings)
    return next(call[1:] for _, call in it.done[1:] if call[0] == name)


def kind(failure: Failure | None) -> str:
    return failure.kind if failure else ""


def differing(failure: Failure | None) -> dict[str, tuple[str, str]]:
    return {row.name: (row.expected, row.actual) for row in failure.fields if row.differs} if failure else {}


# arguments


@pytest.mark.parametrize(
    ("text", "name", "args"),
    [
        ("0 bind(3, ..., ...) = 0", "bind", (LIVE, ("192.168.0.1", 8080))),
        ("0 bind(3, NULL, 16) = -1 EFAULT", "bind", (LIVE, None)),
        (
            '0 bind(3, {sa_family=AF_INET, sin_port=htons(99), sin_addr=inet_addr("10.0.0.1")}, ...) = 0',
            "bind", (LIVE, ("10.0.0.1", 99)),
        ),
        ("0 listen(3, 5) = 0", "listen", (LIVE, 5)),
        ("0 connect(3, ..., ...) = 0", "connect", (LIVE, ("192.0.2.1", 8080))),
        ("0 connect(3, AF_UNSPEC, ...) = 0", "connect", (LIVE, 0)),
        ("0 connect(3, NULL, 16) = 0", "connect", (LIVE, None)),
        ("0 accept(3, ..., ...) = 4", "accept", (LIVE,)),
        ("0 accept4(3, ..., ..., SOCK_NONBLOCK) = 4", "accept4", (LIVE, 0x800)),
        ("0 shutdown(3, SHUT_WR) = 0", "shutdown", (LIVE, 1)),
        ("0 close(99) = -1 EBADF", "close", (1_000_099,)),
        ("0 read(-1, ..., 9) = -1 EBADF", "read", (-1, 9)),
        ("0 read(3, ..., 1000) = 0", "read", (LIVE, 1000)),
        ("0 read(3, NULL, 1000) = -1 EFAULT", "read", (LIVE, None)),
        ("0 recv(3, ..., 10, MSG_PEEK|MSG_DONTWAIT) = 0", "recv", (LIVE, 10, 0x42)),
        ("0 recvfrom(3, ..., 10, MSG_PEEK, ..., ...) = 0", "recvfrom", (LIVE, 10, 2)),
        ("0 readv(3, [{..., 10}, {..., 20}], 2) = 0", "readv", (LIVE, [10, 20])),
        ("0 write(3, ..., 4) = 4", "write", (LIVE, b"\0\0\0\0")),
        ('0 write(3, "hello", 4) = 4', "write", (LIVE, b"hell")),
        ("0 write(3, 0, 4) = -1 EFAULT", "write", (LIVE, None)),
        ("0 send(3, ..., 2, MSG_MORE) = 2", "send", (LIVE, b"\0\0", 0x8000)),
        ("0 writev(3, [{..., 1}, {..., 2}], 2) = 3", "writev", (LIVE, [b"\0", b"\0\0"])),
        ("0 sendto(3, ..., 2, MSG_FASTOPEN, ..., ...) = 2", "sendto", (LIVE, b"\0\0", 0x20000000, ("192.0.2.1", 8080))),
        ("0 sendto(3, ..., 2, 0, NULL, 0) = 2", "sendto", (LIVE, b"\0\0", 0, None)),
        ("0 sendto(3, ..., 2, 0, AF_INET6, ...) = 2", "sendto", (LIVE, b"\0\0", 0, 10)),
        (
            "0 sendmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 1}, {..., 2}], msg_flags=0,"
            " msg_control=[{cmsg_level=SOL_SOCKET, cmsg_type=SO_TIMESTAMPING, cmsg_data=4}]}, MSG_DONTWAIT) = 3",
            "sendmsg", (LIVE, [b"\0", b"\0\0"], 0x40, ("192.0.2.1", 8080), [(1, 37, b"\4\0\0\0")]),
        ),
        ("0 fcntl(3, F_GETFL) = 2", "fcntl", (LIVE, 3, 0)),
        ("0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", "fcntl", (LIVE, 4, 0x802)),
        ("0 ioctl(3, SIOCINQ, [0]) = 0", "ioctl", (LIVE, 0x541B, 0)),
        ("0 ioctl(3, SIOCINQ, NULL) = -1 EFAULT", "ioctl", (LIVE, 0x541B, None)),
        ("0 getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0", "getsockopt", (LIVE, 1, 4, 4)),
        ("0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0", "setsockopt", (LIVE, 1, 2, b"\1\0\0\0")),
        ("0 setsockopt(3, SOL_TCP, TCP_CONGESTION, \"reno\", 4) = 0", "setsockopt", (LIVE, 6, 13, b"reno")),
        ("0 setsockopt(3, SOL_TCP, TCP_NOTSENT_LOWAT, [0xffffffff], 4) = 0", "setsockopt", (LIVE, 6, 25, b"\xff" * 4)),
        ("0 setsockopt(3, SOL_IP, IP_TOS, [4], 1) = 0", "setsockopt", (LIVE, 0, 1, b"\4")),
        ("0 setsockopt(3, SOL_TCP, TCP_NODELAY, NULL, 4) = -1 EFAULT", "setsockopt", (LIVE, 6, 1, None)),
        (
            "0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=5}, 8) = 0",
            "setsockopt", (LIVE, 1, 13, b"\1\0\0\0\5\0\0\0"),
        ),
        ("0 poll([{fd=3, events=POLLIN|POLLOUT, revents=0}], 1, -1) = 0", "poll", ([(LIVE, 5)], -1)),
        ("0 epoll_create(1) = 5", "epoll_create", (1,)),
        ("0 epoll_create1(EPOLL_CLOEXEC) = 5", "epoll_create1", (0x80000,)),
        ("0 epoll_ctl(5, EPOLL_CTL_ADD, 3, {events=EPOLLIN, fd=3}) = 0", "epoll_ctl", (1_000_005, 1, LIVE, 1, 3)),
        ("0 epoll_ctl(5, EPOLL_CTL_DEL, 3, NULL) = 0", "epoll_ctl", (1_000_005, 2, LIVE, 0, 0)),
        ("0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0", "epoll_wait", (1_000_005, 1, 0)),
    ],
)  # fmt: skip
def test_arguments_are_those_of_a_target(text: str, name: str, args: tuple[Any, ...]) -> None:
    assert asked(text, name) == args


@pytest.mark.parametrize(
    ("ip_version", "family", "local"),
    [("ipv4", 2, "192.168.0.1"), ("ipv6", 10, "fd3d:a0b:17d6::1"), ("ipv4-mapped-ipv6", 10, "::ffff:192.168.0.1")],
)
def test_dots_are_what_the_run_says(ip_version: str, family: int, local: str) -> None:
    it = toy()
    play(SOCKET + "0 bind(3, ..., ...) = 0", it, ip_version=ip_version)
    assert [call for _, call in it.done][:2] == [("socket", family, 1, 6), ("bind", LIVE, (local, 8080))]


def test_a_family_that_the_script_names_is_that() -> None:
    it = Toy(socket=Result(3))
    play("0 socket(AF_INET, SOCK_DGRAM|SOCK_NONBLOCK, 0) = 3", it, ip_version="ipv6")
    assert it.done[0][1] == ("socket", 2, 2 | 0x800, 0)


# descriptors


def test_descriptors_are_names() -> None:
    it = Toy(socket=[Result(3), Result(4)], epoll_create=Result(5))
    text = "0 socket(..., SOCK_STREAM, 0) = 7\n0 socket(..., SOCK_STREAM, 0) = 3\n0 epoll_create(1) = 4\n"
    text += "0 listen(7, 1) = 0\n0 listen(3, 1) = 0\n0 epoll_wait(4, ..., 1, 0) = 0"
    assert play(text, it) is None
    assert [call[1] for _, call in it.done if call[0] in ("listen", "epoll_wait")] == [3, 4, 5]


def test_a_closed_descriptor_is_one_that_no_target_has() -> None:
    it = toy()
    play(SOCKET + "0 close(3) = 0\n0 read(3, ..., 1) = 0", it)
    assert it.done[-1][1] == ("read", 1_000_003, 1)


def test_what_is_open_at_the_end_is_closed() -> None:
    it = Toy(socket=[Result(3), Result(4)])
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 socket(..., SOCK_STREAM, 0) = 4\n0 close(3) = 0"
    assert play(text, it) is None
    assert [call for _, call in it.done if call[0] == "close"] == [("close", 3), ("close", 4)]


# results


@pytest.mark.parametrize(
    ("said", "back", "what"),
    [
        ("10", Result(10), ""), ("10", Result(9), "result"), ("-1 EAGAIN", Result(-1, 11), ""),
        ("-1 EWOULDBLOCK", Result(-1, 11), ""), ("-1 EAGAIN", Result(-1, 104), "errno"), ("-1", Result(-1, 104), ""),
        ("0", Result(-1, 11), "result"), ("-1 EAGAIN", Result(0), "result"), ("0xa", Result(10), ""),
    ],
)  # fmt: skip
def test_results_and_errnos_are_compared(said: str, back: Result, what: str) -> None:
    assert kind(play(f"0 read(3, ..., 10) = {said}", Toy(read=back))) == what


@pytest.mark.parametrize("call", ["socket(..., SOCK_STREAM, 0)", "epoll_create(1)", "accept(3, ..., ...)"])
def test_any_new_descriptor_will_do(call: str) -> None:
    name = call.partition("(")[0]
    for live, what in ((0, ""), (50, ""), (-1, "result")):
        back = Result(live, 22 if live < 0 else 0, ("192.0.2.1", 1))
        assert kind(play(f"0 {call} = 3", Toy(**{name: back}))) == what


def test_a_failure_shows_result_and_errno_and_the_line() -> None:
    failure = play("0 listen(3, 1) = 0\n.5 read(3, ..., 10) = 10", Toy(read=Result(-1, 11)))
    assert failure is not None
    assert (failure.place.line, failure.event, failure.at) == (2, 1, 500 * MS)
    assert failure.why == "read(): expected 10, got -1 EAGAIN"
    assert differing(failure) == {"result": ("10", "-1")}
    assert failure.fields[1][:3] == ("errno", "*", "EAGAIN")


def test_a_call_that_may_fail_goes_on() -> None:
    it = Toy(read=Result(-1, 11))
    assert play("--non_fatal=syscall\n0 read(3, ..., 10) = 10\n1 listen(3, 1) = 0", it) is None
    assert it.times("listen") == [1000 * MS]


# what is handed back


def data(call: str, name: str, back: Result) -> dict[str, tuple[str, str]]:
    failure = play(f"0 {call} = {back.result}", Toy(**{name: back}))
    assert kind(failure) in ("", "data")
    return differing(failure)


@pytest.mark.parametrize(
    ("value", "live", "wrong"),
    [
        ("[5]", b"\5\0\0\0", None), ("[5]", b"\6\0\0\0", ("5", "6")), ("[0xffffffff]", b"\xff" * 4, None),
        ("[-1]", b"\xff" * 4, None), ("...", b"\6\0\0\0", None), ('"reno"', b"reno", None),
        ('"reno"', b"cubi", ("'reno'", "'cubi'")), ("{onoff=1, linger=5}", b"\1\0\0\0\5\0\0\0", None),
        ("{onoff=1, linger=5}", b"\1\0\0\0\6\0\0\0", ("5", "6")), ('inet6_addr("::1")', bytes(15) + b"\1", None),
        ("[SO_DEBUG]", b"\2\0\0\0", ("SO_DEBUG", "2")),
    ],
)  # fmt: skip
def test_getsockopt_compares_the_value(value: str, live: bytes, wrong: tuple[str, str] | None) -> None:
    found = data(f"getsockopt(3, SOL_TCP, 1, {value}, [{len(live)}])", "getsockopt", Result(0, 0, live))
    assert [(a.lstrip("b"), b.lstrip("b")) for a, b in found.values()] == ([wrong] if wrong else [])


def test_getsockopt_compares_the_length() -> None:
    assert data("getsockopt(3, SOL_IP, IP_TOS, [1], [4])", "getsockopt", Result(0, 0, b"\1")) == {"length": ("4", "1")}


def test_ioctl_compares_what_it_wrote() -> None:
    assert data("ioctl(3, SIOCINQ, [10])", "ioctl", Result(0, 0, 10)) == {}
    assert data("ioctl(3, SIOCINQ, [10])", "ioctl", Result(0, 0, 11)) == {"value": ("10", "11")}


def test_poll_compares_revents() -> None:
    call = "poll([{fd=3, events=POLLIN, revents=POLLIN}, {fd=4, events=POLLOUT, revents=...}], 2, 0)"
    assert data(call, "poll", Result(1, 0, [1, 4])) == {}
    assert data(call, "poll", Result(1, 0, [0x11, 4])) == {"revents 1": ("POLLIN", "POLLIN|POLLHUP")}


def test_epoll_wait_compares_the_first_event() -> None:
    call = "epoll_wait(5, {events=EPOLLIN|EPOLLOUT, fd=4}, 2, 0)"
    assert data(call, "epoll_wait", Result(2, 0, [(5, 4), (1, 9)])) == {}
    assert data(call, "epoll_wait", Result(1, 0, [(1, 9)])) == {
        "events": ("EPOLLIN|EPOLLOUT", "EPOLLIN"),
        "data": ("4", "9"),
    }
    assert data("epoll_wait(5, {events=0, ptr=0}, 1, 0)", "epoll_wait", Result(0, 0, [])) == {}


def test_getsockname_compares_an_address_that_is_given() -> None:
    given = '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.1")}'
    assert data(f"getsockname(3, {given}, ...)", "getsockname", Result(0, 0, ("10.0.0.1", 80))) == {}
    assert list(data(f"getsockname(3, {given}, ...)", "getsockname", Result(0, 0, ("10.0.0.2", 80)))) == ["address"]
    assert data("getsockname(3, ..., ...)", "getsockname", Result(0, 0, ("10.0.0.2", 80))) == {}


def test_text_that_is_read_is_compared() -> None:
    assert data('read(3, "hello", 10)', "read", Result(5, 0, b"hello")) == {}
    assert data('recvfrom(3, "hello", 10, 0, ..., ...)', "recvfrom", Result(5, 0, (b"hullo", None))) == {
        "data": ("b'hello'", "b'hullo'")
    }


# messages


def message(expected: str, *control: tuple[int, int, bytes], flags: int = 0, **settings: Any) -> dict[str, Any]:
    back = Result(0, 0, Message(b"", None, flags, control))
    text = f"0 recvmsg(3, {{msg_name(...)=..., msg_iov(1)=[{{..., 0}}], {expected}}}, MSG_ERRQUEUE) = 0"
    failure = play(text, Toy(recvmsg=back), **settings)
    assert kind(failure) in ("", "data")
    return differing(failure)


def cmsg(level: str, type_: str, said: str) -> str:
    return f"{{cmsg_level={level}, cmsg_type={type_}, cmsg_data={said}}}"


def test_recvmsg_gets_the_sizes_of_its_buffers() -> None:
    it = Toy(recvmsg=Result(0, 0, Message(b"", None, 0, ())))
    assert (
        play("0 recvmsg(3, {msg_name(...)=..., msg_iov(2)=[{..., 5}, {..., 6}], msg_flags=0}, MSG_PEEK) = 0", it)
        is None
    )
    assert it.done[0][1] == ("recvmsg", 1_000_003, [5, 6], 2)


def test_msg_flags_are_compared_where_they_are_given() -> None:
    assert message("msg_flags=MSG_TRUNC", flags=0x20) == {}
    assert message("msg_flags=0", flags=0x2020) == {"msg_flags": ("0", "MSG_TRUNC|MSG_ERRQUEUE")}
    assert message("msg_flags=...", flags=0x2020) == {}


def test_a_number_in_a_control_message() -> None:
    inq = cmsg("SOL_TCP", "TCP_CM_INQ", "100")
    assert message(f"msg_control=[{inq}]", (6, 36, pack("<i", 100))) == {}
    assert message(f"msg_control=[{inq}]", (6, 36, pack("<i", 101))) == {"cmsg 1 data": ("100", "101")}


def test_control_messages_are_compared_in_order_and_all_of_them() -> None:
    one, two = (6, 36, pack("<i", 1)), (1, 37, bytes(48))
    first, second = cmsg("SOL_TCP", "TCP_CM_INQ", "1"), cmsg("SOL_SOCKET", "SCM_TIMESTAMPING", "...")
    assert message(f"msg_control=[{first}, {second}]", one, two) == {}
    assert set(message(f"msg_control=[{first}, {second}]", two, one)) == {
        "cmsg 1 level", "cmsg 1 type", "cmsg 2 level", "cmsg 2 type",
    }  # fmt: skip
    assert message(f"msg_control=[{first}]", one, two) == {"cmsg 2": ("", "level SOL_SOCKET, type 37, 48 bytes")}
    assert list(message(f"msg_control=[{first}, {second}]", one)) == ["cmsg 2"]


def test_extended_errors_are_compared_field_by_field() -> None:
    said = "{ee_errno=ECONNREFUSED, ee_origin=SO_EE_ORIGIN_ICMP, ee_type=3, ee_code=1, ee_info=0, ee_data=7}"
    control = f"msg_control=[{cmsg('SOL_IP', 'IP_RECVERR', said)}]"
    assert message(control, (0, 11, pack("<IBBBxII", 111, 2, 3, 1, 0, 7) + bytes(16))) == {}
    assert message(control, (0, 11, pack("<IBBBxII", 113, 2, 3, 1, 0, 8))) == {
        "cmsg 1 ee_errno": ("ECONNREFUSED", "EHOSTUNREACH"),
        "cmsg 1 ee_data": ("7", "8"),
    }
    assert list(message(control, (0, 11, b""))) == ["cmsg 1 data"]


@pytest.mark.parametrize(
    ("said", "live", "tolerance", "wrong"),
    [
        ("{scm_sec=1, scm_nsec=500}", (1, 500), 0, None),
        ("{scm_sec=1, scm_nsec=500}", (1, 501), 0, ("1.0000005", "1.000000501")),
        ("{scm_sec=1, scm_nsec=0}", (1, 3000), 3, None),
        ("{scm_sec=1, scm_nsec=0}", (1, 3001), 3, ("1", "1.000003001")),
        ("{scm_sec=0, scm_nsec=0}", (99, 0), 0, None),
    ],
)  # fmt: skip
def test_time_stamps_are_in_the_scripts_time(
    said: str, live: tuple[int, int], tolerance: int, wrong: tuple[str, str] | None
) -> None:
    """0 is not looked at. The script began when the target was 2 s old, and its wall clock shows 100 s more."""
    control = (1, 37, pack("<qq", 102 + live[0], live[1]) + bytes(32))
    toy = Toy(start=2000 * MS, recvmsg=Result(0, 0, Message(b"", None, 0, (control,))))
    toy.epoch = 100_000 * MS
    said = cmsg("SOL_SOCKET", "SCM_TIMESTAMPING", said)
    text = f"0 recvmsg(3, {{msg_name(...)=..., msg_iov(1)=[{{..., 0}}], msg_control=[{said}]}}, MSG_ERRQUEUE) = 0"
    assert differing(play(text, toy, tolerance_us=tolerance)) == ({"cmsg 1 time": wrong} if wrong else {})


def test_statistics_are_compared_attribute_by_attribute() -> None:
    live = pack("<HHQ", 12, 1, 1000) + pack("<HHI", 8, 8, 10) + pack("<HHBxxx", 5, 14, 3)
    said = cmsg(
        "SOL_SOCKET", "SCM_TIMESTAMPING_OPT_STATS", "{TCP_NLA_BUSY=1000, TCP_NLA_SND_CWND=10, TCP_NLA_CA_STATE=3}"
    )
    assert message(f"msg_control=[{said}]", (1, 54, live)) == {}
    said = cmsg("SOL_SOCKET", "SCM_TIMESTAMPING_OPT_STATS", "{TCP_NLA_BUSY=..., TCP_NLA_SND_CWND=9, TCP_NLA_MIN_RTT=1}")
    assert message(f"msg_control=[{said}]", (1, 54, live)) == {
        "cmsg 1 TCP_NLA_SND_CWND": ("9", "10"),
        "cmsg 1 TCP_NLA_MIN_RTT": ("1", ""),
    }


# what we do not do


@pytest.mark.parametrize(
    "call", ['open("/etc/passwd", O_RDONLY) = 5', "pipe([5, 6]) = 0", "splice(4, NULL, 6, NULL, 9, 0) = 9"]
)
def test_calls_that_we_do_not_make_are_refused_by_name(call: str) -> None:
    it = Toy()
    failure = play(f"0 {call}", it)
    assert failure is not None
    assert (failure.kind, it.done) == ("refused", [])
    assert call.partition("(")[0] + "()" in failure.why


@pytest.mark.parametrize(
    "call",
    [
        "read(..., ..., 1) = 1", "write(3, [1], 4) = 4", "bind(3, [1], ...) = 0", "readv(3, [{...}], 1) = 1",
        "poll(3, 1, 0) = 0", "getsockopt(3, SOL_TCP, 1, [1], 4) = 0", "epoll_ctl(5, 1, 3, 7) = 0",
        "write(3, ..., 1000000000000) = 1", 'bind(3, {sa_family=AF_INET, sin_port=htons(1)}, ...) = 0',
        "sendmsg(3, {msg_control=[{cmsg_level=1}]}, 0) = 0", "sendmsg(3, [1], 0) = 0",
        "poll([{}], 1, 0) = 0", "poll([{fd=3}], 1, 0) = 0", "epoll_wait(5, 7, 1, 0) = 0",
    ],
)  # fmt: skip
def test_arguments_of_a_wrong_kind_are_refused_with_what_was_expected(call: str) -> None:
    failure = play(f"0 {call}", Toy())
    assert failure is not None
    assert failure.kind == "refused"
    assert failure.why.startswith(call.partition("(")[0] + "(): ")


def test_a_call_that_waited_for_what_cannot_be_compared_is_refused_at_its_line() -> None:
    it = toy(epoll_wait=(500 * MS, Result(0)))
    failure = play(SOCKET + "0...0.5 epoll_wait(5, {sin_port=1}, 1, 500) = 0\n+1 close(3) = 0", it)
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.event) == ("refused", 2, 1)
    assert failure.why.startswith("epoll_wait(): found sin_port=1, expected")


def test_what_is_refused_is_no_warning() -> None:
    assert kind(play("--non_fatal=syscall\n0 open(..., 0) = 5", Toy())) == "refused"
