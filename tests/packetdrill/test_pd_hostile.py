# SPDX-License-Identifier: GPL-2.0-or-later
"""Text from strangers: whatever it is, it is a Script or a ScriptError, in time that is linear in its length."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.packetdrill.parser import parse
from labstack.packetdrill.printer import show
from labstack.packetdrill.script import Script, ScriptError

VALID = r"""// About.
// covers: MUST-1
--mtu=1500 --define=COOKIE=0011223344556677 --local_ip="fd::1/64"
`sysctl -q net.ipv4.tcp_sack=0`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
+0...0.2 connect(3, ..., ...) = -1 EINPROGRESS (in progress)
  * > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8>
+.01 < [ect0] S. 0:0(0) ack 1 win 5792 <FO COOKIE,nop,nop,sack 1:2 3:4,nop,nop>
+.1~+.2 > P.5 1:1001(1000) ack 1 urg 5 <...> /* comment */
+0 < 80>90 icmp unreachable frag_needed mtu 1400 [1:1001(1000)]
+0 < udp (100)
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=0, msg_control=[{cmsg_level=SOL_IP}]}, 0) = 0x10
+0 setsockopt(3, SOL_TCP, TCP_FASTOPEN_KEY, "\x00a" "b", 16) = 0
+0 %{ assert tcpi_snd_cwnd == 10 }%
`cleanup`
"""
PIECES = [
    "0", "+", "-", ".", "...", "*", "~", "<", ">", "(", ")", "[", "]", "{", "}", "|", ",", "=", ":", '"', "`", "%{",
    "}%", "/*", "*/", "//", "\\", "\n", "S", "ack", "win", "urg", "mss", "sack", "TS", "FO", "ECN", "udp", "icmp",
    "type_9", "close", "NULL", "::", "0x", "1" * 30, "9" * 5000, "--", "--mtu=", "\x00", "\ud800", "é", "²", "٣",
]  # fmt: skip


def read(text: str, **defines: str) -> Script | None:
    """The script that a text is; None if it is an error, which must then be a good one."""
    try:
        return parse(text, "a.pkt", defines)
    except ScriptError as caught:
        error = caught
    assert error.place.line >= 1
    assert error.place.column >= 1
    assert str(error).startswith("a.pkt:")
    assert len(error.why) < 1000
    assert str(error).isprintable()
    return None


@given(st.text())
def test_any_text_is_a_script_or_an_error(text: str) -> None:
    read(text)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30))
def test_pieces_of_the_language_in_any_order_are_a_script_or_an_error(pieces: list[str]) -> None:
    read("0 close(3) = 0 " + " ".join(pieces))
    read("".join(pieces))


@given(st.integers(0, len(VALID)), st.integers(0, 12), st.sampled_from(PIECES) | st.text(max_size=3))
def test_a_script_with_a_hole_and_something_foreign_is_a_script_or_an_error(at: int, hole: int, piece: str) -> None:
    script = read(VALID[:at] + piece + VALID[at + hole :])
    if script:
        show(script)


@given(st.dictionaries(st.sampled_from(["S", "close", "O_RDWR", "mss", "COOKIE", "nop", "val"]), st.text()))
def test_defined_words_may_stand_for_anything(defines: dict[str, str]) -> None:
    read(VALID, **defines)


def test_bytes_that_are_no_text_are_an_error_too() -> None:
    read(bytes(range(256)).decode("utf-8", "surrogateescape"))
    assert read('0 write(3, "\udcff\ud800", 1) = 1')


def instructions(work: Callable[[], object]) -> int:
    """How many lines of Python are executed, and calls made: a measure of time that is always the same."""
    count = 0

    def tracer(frame: object, event: str, arg: object) -> Callable[..., object]:
        nonlocal count
        count += 1
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        "[", "{", "htons(", "{fd=", "a:", ":", "0 ", "1.", ".", "- ", '"a" ', "`a` ", "%{a}% ", "--a ",
        "--define=A=A ", "//a\n", "/*a*/", "// covers: x\n", "3|", "nop,", "S.", "\n", "+0 close(3) = 0 ",
        "> . 1:1(0) +0 ", "(", "sack 1:2 ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["", "0 close(", "0 > . 1:1(0) <", "0 close(3) = 0 "])
def test_time_grows_with_the_length_and_no_faster(piece: str, start: str) -> None:
    short, long = (instructions(lambda n=n: read(start + piece * n)) for n in (50, 500))
    assert long < 13 * short
