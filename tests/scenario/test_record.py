# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened as a packetdrill script: of every scenario of ours that is played, the recording passes again."""

from pathlib import Path
from typing import Any

import pytest

from labstack.packetdrill.parser import parse
from labstack.packetdrill.printer import show
from labstack.packetdrill.script import Command, Script, ScriptError, Syscall
from labstack.scenario import kinds
from labstack.scenario.calls import Calls
from labstack.scenario.record import record
from labstack.scenario.record import script as record_script
from labstack.scenario.record.history import of_history
from labstack.scenario.record.story import Called, Crossed, Story, UnfitError
from labstack.scenario.script import arguments, runner
from labstack.scenario.script.messages import Stamps
from labstack.scenario.script.plan import Usual, plan
from labstack.scenario.script.undertest import Sockets
from labstack.scenario.settings import Settings
from labstack.scenario.target import Message, Result
from layers import ARP, ICMP, IP, TCP, UDP, Ether, IPv6, Raw

RMEM = {"net.ipv4.tcp_rmem.min": 4096, "net.ipv4.tcp_rmem.max": 70000}
OURS = sorted((Path(__file__).parents[2] / "scenarios").rglob("*.pkt"))
REFUSED = dict.fromkeys(  # what cannot be said in the language
    ("calls_in_the_wrong_state", "taken_but_not_offered_by_default"), "a port that the host chose itself"
)
UNSAID = {  # what ip has done to routes, and tc to queues, is no part of a record
    "route_that_is_locked_believes_no_message_v4", "own_device_takes_nothing", "own_device_takes_no_retransmission"
}  # fmt: skip
MS = 10**6
SERVER = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0...0.2 accept(3, ..., ...) = 4
+.1 < S 7:7(0) win 65535 <mss 1460,nop,wscale 7>
+0 > S. 0:0(0) ack 8 <mss 1460,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
+.1 < [tos 0x28, ttl 3] P. 1:1001(1000) ack 1 win 257
+0 > . 1:1(0) ack 1001
+.1 `sysctl -q -w net.ipv4.tcp_delack_min=100`
+0 read(4, ..., 2000) = 1000
+0 write(4, ..., 500) = 500
+0 > P. 1:501(500) ack 1001
"""


def played(script: Script, settings: Settings = Settings()) -> Story:  # noqa: B008
    calls = runner.lab(script, settings)
    runner.play(script, calls, settings)
    return of_history(calls.history, calls.host.name)


# what is played passes again


@pytest.mark.parametrize("file", OURS, ids=lambda path: path.stem)
def test_a_scenario_of_ours_is_recorded_as_one_that_passes(file: Path) -> None:
    families = kinds.scenarios(str(file))[0].ips
    ip = families[OURS.index(file) % len(families)]
    settings = Settings(ip_version=ip)
    try:
        script = kinds.read(str(file), settings)
    except ScriptError as error:
        pytest.skip(f"it cannot be read: {error}")
    story = played(script, settings)
    if file.stem in REFUSED:
        with pytest.raises(UnfitError, match=REFUSED[file.stem]):
            record_script.script(story)
    elif story.happened:  # else we do not have what its first line sets
        assert (record.failure(record_script.script(story)) is None) == (file.stem not in UNSAID)


def test_there_are_scenarios_to_be_recorded() -> None:
    assert len(OURS) > 100


def test_every_line_is_there_in_its_time() -> None:
    """Virtual times are exact; numbers are those of the script; what goes without saying is not said."""
    made = record.relative(record_script.script(played(parse(SERVER))))
    said = [line.strip() for line in show(made).splitlines()]
    assert said[:13] == [
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
        "+0 bind(3, ..., ...) = 0",
        "+0 listen(3, 1) = 0",
        "+0...0.2 accept(3, ..., ...) = 4",
        "+.1 < S 7:7(0) win 65535 <mss 1460,nop,wscale 7>",
        "+0 > S. 0:0(0) ack 8 <mss 1460,nop,wscale 8>",
        "+.1 < . 1:1(0) ack 1 win 257",
        "+.1 < [tos 0x28, ttl 3] P. 1:1001(1000) ack 1 win 257",
        "+0 > . 1:1(0) ack 1001",
        "+.1 `sysctl -q -w net.ipv4.tcp_delack_min=100`",
        "+0 read(4, ..., 2000) = 1000",
        "+0 write(4, ..., 500) = 500",
        "+0 > P. 1:501(500) ack 1001",
    ]  # the runner closes what is left open


def test_a_recording_is_recorded_as_itself() -> None:
    once = record.relative(record_script.script(played(parse(SERVER))))
    assert record.relative(record_script.script(played(parse(show(once))))) == once


# how the host was set


@pytest.mark.parametrize("profile", ["linux", "plain", "none"])
def test_the_profile_that_comes_nearest_is_named(profile: str) -> None:
    """The host begins as it did: by a profile, and by the sysctls that differ from it."""
    text = f"// profile: {profile}\n0 `sysctl -q -w net.ipv4.tcp_rmem='4096 9000 70000'`\n+0 < S 0:0(0) win 9"
    made = record_script.script(played(parse(text)))
    assert made.init == Command('sysctl -q -w net.ipv4.tcp_rmem="4096 9000 70000"')
    again = played(parse(show(made)))
    assert again.config == played(parse(text)).config.replace({"net.ipv4.tcp_rmem.default": 9000, **RMEM})


def test_options_say_what_is_not_usual() -> None:
    text = "--ip_version=ipv6\n--mtu=1400\n--bind_port=99\n--local_ip=fd00::7\n" + SERVER.replace("1460>", "1340>")
    made = record_script.script(played(parse(text)))
    given = dict(made.options)
    assert given == {"ip_version": "ipv6", "mtu": "1400", "bind_port": "99", "local_ip": "fd00::7"}


# what the language cannot say


def happened(*packets: Any, out: bool = False) -> Story:
    return Story("h", tuple(Crossed(i, not out, bytes(it)) for i, it in enumerate(packets)))


BAD = {
    "fragments": IP(src="192.0.2.1", dst="192.168.0.1", flags="MF") / UDP() / Raw(load=bytes(8)),
    "wrong checksum": IP(src="192.0.2.1", dst="192.168.0.1") / TCP(chksum=1),
    "IP protocol 99": IP(src="192.0.2.1", dst="192.168.0.1", proto=99) / Raw(load=b"x"),
    "IP options": bytes.fromhex("46000030000040004006b51bc0000201c0a8000101010101") + bytes(12) + b"\x50" + bytes(7),
    "cut short": bytes(IP(src="192.0.2.1", dst="192.168.0.1") / UDP() / Raw(load=bytes(8)))[:-3],
    "no word for the TCP option": IP(src="192.0.2.1", dst="192.168.0.1") / TCP(options=[(77, b"ab")]),
    "reserved bits": IP(src="192.0.2.1", dst="192.168.0.1") / TCP(reserved=1),
}


@pytest.mark.parametrize("why", BAD)
def test_a_packet_that_cannot_be_said_is_named(why: str) -> None:
    with pytest.raises(UnfitError, match=why):
        record_script.script(happened(BAD[why]))


def test_one_address_at_each_end_is_all_there_is() -> None:
    with pytest.raises(UnfitError, match=r"192\.0\.2\.1, 192\.0\.2\.2"):
        record_script.script(happened(*(IP(src=f"192.0.2.{n}", dst="192.168.0.1") / UDP() for n in (1, 2))))


def test_one_call_blocks_at_a_time() -> None:
    calls = [Called(0, "accept", (3,), Result(4), 50 * MS), Called(10 * MS, "accept", (3,), Result(5), 60 * MS)]
    with pytest.raises(UnfitError, match="another one blocks"):
        record_script.script(Story("h", tuple(calls)))


def test_a_connect_that_blocks_at_the_end_is_told_as_one_that_does_not_wait() -> None:
    story = played(parse("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0...9 connect(3, ..., ...) = 0"))
    made = record_script.script(story._replace(happened=tuple(it for it in story.happened if it.at < 1000 * MS)))
    assert "connect(3, ..., ...) = -1 EINPROGRESS" in show(made)
    assert record.failure(made) is None


# several connections, and what keeps a link running


def test_packets_name_their_ports_where_the_runner_could_not_know_them() -> None:
    text = """
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        +0 bind(3, ..., ...) = 0
        +0 listen(3, 2) = 0
        +.1 < 1001>8080 S 0:0(0) win 65535 <mss 1460>
        +0 > 8080>1001 S. 0:0(0) ack 1 <mss 1460>
        +.1 < 1002>8080 S 0:0(0) win 65535 <mss 1460>
        +0 > 8080>1002 S. 0:0(0) ack 1 <mss 1460>
        +.1 < 1001>8080 . 1:1(0) ack 1 win 65535
    """
    made = record_script.script(played(parse(text)))
    assert "< 1001>8080 . 1:1(0) ack 1 win 65535" in show(made)
    assert record.failure(made) is None


def test_a_datagram_for_a_port_that_nobody_bound_names_it() -> None:
    """The runner knows no port of a socket that has none."""
    told = "0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3\n+1 < udp 5>8080 (10)\n+0 > icmp unreachable port_unreachable"
    made = record.of_story(played(parse(told)), "")
    assert "< udp 5>8080 (10)" in made.source
    assert made.differs == 0


def test_a_packet_that_waited_for_arp_is_told_as_if_it_had_been_caused_later() -> None:
    question = Ether() / ARP(psrc="192.168.0.1", pdst="192.0.2.1")
    answer = Ether() / ARP(op=2, psrc="192.0.2.1", pdst="192.168.0.1")
    syn = (
        Ether()
        / IP(src="192.168.0.1", dst="192.0.2.1")
        / TCP(sport=4000, dport=8080, flags="S", options=[("MSS", 1460)])
    )
    story = Story("h", (
        Called(0, "socket", (2, 1, 6), Result(3)),
        Called(0, "connect", (3, ("192.0.2.1", 8080)), Result(-1, 115)),
        Crossed(0, False, bytes(question), 14),
        Crossed(20 * MS, True, bytes(answer), 14),
        Crossed(20 * MS, False, bytes(syn), 14),
    ))  # fmt: skip
    assert [event.when.at for event in record_script.script(story).events] == [0, 0, 0]


# what our stack does otherwise


def test_a_script_that_fails_is_settled_and_what_it_said_stands_above() -> None:
    wrong = SERVER.replace("> . 1:1(0) ack 1001", "> . 1:1(0) ack 999").replace("+0 > P. 1:501", "+.2 > P. 1:501")
    absolute = record_script.script(played(parse(SERVER)))
    events = list(absolute.events)
    for i, event in enumerate(parse(wrong).events):
        events[i] = events[i]._replace(
            action=event.action if not isinstance(event.action, Syscall) else events[i].action
        )
    events[-1] = events[-1]._replace(when=events[-1].when._replace(at=events[-1].when.at + 200 * MS))
    theirs = absolute._replace(events=tuple(events))
    assert not record.passes(theirs)
    ours, remarks = record.settled(theirs)
    assert record.passes(ours)
    assert list(remarks.values()) == ["recorded: > . 1:1(0) ack 999", "recorded: at .6"]
    text = show(record.relative(ours), remarks)
    assert "// recorded: > . 1:1(0) ack 999\n      +0 > . 1:1(0) ack 1001" in text
    assert parse(text).events[-1].action == ours.events[-1].action


# system calls


CALLS = [
    ("socket", (2, 1 | 0o4000, 6), Result(3)),
    ("bind", (3, ("192.168.0.1", 8080)), Result(0)),
    ("bind", (3, ("192.168.0.77", 99)), Result(-1, 99)),
    ("connect", (3, ("192.0.2.1", 8080)), Result(-1, 115)),
    ("connect", (3, 0), Result(0)),
    ("listen", (3, 5), Result(0)),
    ("accept4", (3, 0o4000), Result(4, 0, ("192.0.2.1", 1))),
    ("shutdown", (4, 1), Result(0)),
    ("close", (4,), Result(-1, 9)),
    ("read", (4, 100), Result(5, 0, bytes(5))),
    ("recv", (4, 100, 0x40 | 2), Result(-1, 11)),
    ("recvfrom", (4, 100, 0), Result(5, 0, (bytes(5), ("192.0.2.1", 8080)))),
    ("readv", (4, [10, 20]), Result(5, 0, bytes(5))),
    ("recvmsg", (4, [10], 0x2000), Result(0, 0, Message(b"", None, 0x2000, ((0, 11, bytes(16)),)))),
    ("write", (4, bytes(9)), Result(9)),
    ("write", (4, None), Result(-1, 14)),
    ("send", (4, bytes(9), 0x4000), Result(9)),
    ("sendto", (4, bytes(9), 0, ("192.0.2.1", 8080)), Result(9)),
    ("sendto", (4, bytes(9), 0, None), Result(9)),
    ("writev", (4, [bytes(1), bytes(2)]), Result(3)),
    ("sendmsg", (4, [bytes(1)], 0, ("192.0.2.1", 8080), [(0, 1, (4).to_bytes(4, "little"))]), Result(1)),
    ("fcntl", (4, 4, 2 | 0o4000), Result(0)),
    ("fcntl", (4, 3, 0), Result(2)),
    ("ioctl", (4, 0x541B, 7), Result(0, 0, 7)),
    ("getsockopt", (4, 1, 4, 4), Result(0, 0, (111).to_bytes(4, "little"))),
    ("setsockopt", (4, 6, 1, (1).to_bytes(4, "little")), Result(0)),
    ("setsockopt", (4, 1, 13, (1).to_bytes(4, "little") + bytes(4)), Result(0)),
    ("setsockopt", (4, 6, 13, b"reno"), Result(-1, 2)),
    ("poll", ([(4, 1), (5, 4)], -1), Result(1, 0, [1, 0])),
    ("epoll_create1", (0,), Result(5)),
    ("epoll_ctl", (5, 1, 4, 1 | 1 << 31, 9), Result(0)),
    ("epoll_wait", (5, 3, 100), Result(1, 0, [(1, 9)])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "args", "back"), CALLS, ids=[f"{i}-{it[0]}" for i, it in enumerate(CALLS)])
def test_a_call_in_a_script_is_the_call_that_was_made(name: str, args: tuple[Any, ...], back: Result) -> None:
    """What is said, printed, parsed and prepared has the same arguments, and expects what was handed back."""
    usual = Usual(2, ("192.168.0.1",), "192.0.2.1", 8080, 8080)
    said = record_script.syscall(Called(0, name, args, back), usual, 0)
    script = parse(show(Script("x", (parse("0 close(3) = 0").events[0]._replace(action=said),))))
    sockets = Sockets(plan(script, Settings()))
    for fd in (3, 4, 5):
        sockets.other(fd, fd)
    call = script.events[0].action
    assert isinstance(call, Syscall)
    ready = arguments.prepare(call, sockets, Stamps(lambda at: at, 0))
    assert (ready.name, ready.args) == (name, args)
    assert not [row for row in ready.judge(back) if row.differs]
    assert (call.result, call.errno is None) == (said.result, back.errno == 0)


def test_calls_of_a_target_are_recorded_with_what_they_returned_later() -> None:
    calls = Calls(local=("192.168.0.1/16",))
    fd = calls.socket(2, 1, 6).result  # type: ignore[union-attr]
    calls.connect(fd, ("192.0.2.1", 8080))
    calls.advance(200 * 10**9)
    connect: Any = of_history(calls.history, "h1").happened[1]
    assert (connect.name, connect.back, connect.until) == ("connect", Result(-1, 110), 131 * 10**9)


def test_echo_requests_and_ipv6_are_told() -> None:
    request = IP(src="192.0.2.1", dst="192.168.0.1") / ICMP(type=8, id=5, seq=1) / Raw(load=bytes(20))
    text = show(record_script.script(happened(request)))
    assert text.endswith("\n    0 < icmp echo_request id 5 [raw (28)]\n")
    six = IPv6(src="fd00::9", dst="fd00::1") / UDP(sport=1, dport=2) / Raw(load=bytes(3))
    assert dict(record_script.script(happened(six)).options)["ip_version"] == "ipv6"
