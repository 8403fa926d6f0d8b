# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls of scripts: arguments of every form, results, errnos, and what is said about slips of the pen."""

import pytest

from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import (
    ANY,
    Apply,
    Array,
    Braces,
    Expr,
    Field,
    Number,
    RefusedError,
    ScriptError,
    Symbol,
    Syscall,
    Text,
    Union,
)


def call(text: str, **defines: str) -> Syscall:
    (event,) = parse(f"0 {text}", defines=defines).events
    assert isinstance(event.action, Syscall)
    return event.action


def argument(text: str, **defines: str) -> Expr:
    return call(f"close({text}) = 0", **defines).args[0]


def error(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        call(text)
    return caught.value.why


def test_a_call_has_arguments_and_a_result() -> None:
    args = ANY, Symbol("SOCK_STREAM"), Number(0)
    assert call("socket(..., SOCK_STREAM, 0) = 3") == Syscall("socket", args, Number(3))


@pytest.mark.parametrize(
    ("text", "result", "errno", "note"),
    [
        ("0", Number(0), None, ""),
        ("-1", Number(-1), None, ""),
        ("-1 EAGAIN", Number(-1), "EAGAIN", ""),
        ("-1 EAGAIN (Try again)", Number(-1), "EAGAIN", "Try again"),
        ("-1 (Invalid\n  argument)", Number(-1), None, "Invalid argument"),
        ("0x802 (flags O_RDWR|O_NONBLOCK)", Number(0x802, 16), None, "flags O_RDWR|O_NONBLOCK"),
        ("-1 EAGAIN (one) (two)", Number(-1), "EAGAIN", "one) (two"),
    ],
)
def test_behind_the_result_stand_an_errno_and_words(text: str, result: Number, errno: str | None, note: str) -> None:
    assert call(f"close(3) = {text}")[2:5] == (result, errno, note)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("...", ANY),
        ("-7", Number(-7)),
        ("0xffffffff", Number(0xFFFFFFFF, 16)),
        ("NULL", Symbol("NULL")),
        ("O_RDWR|O_NONBLOCK|1", Union((Symbol("O_RDWR"), Symbol("O_NONBLOCK"), Number(1)))),
        ('"abc"', Text(b"abc")),
        ('"a" "b"\n"c"', Text(b"abc")),
        (r'"\f\n\r\t\v\x00\xfF\"\\"', Text(b'\f\n\r\t\v\x00\xff"\\')),
        ('"é"', Text("é".encode())),
        ("[]", Array(())),
        ("[1, 2]", Array((Number(1), Number(2)))),
        ("{}", Braces(())),
        ("{..., 100}", Braces((ANY, Number(100)))),
        ("{onoff=1, linger=0}", Braces((Field("onoff", Number(1)), Field("linger", Number(0))))),
        ("{msg_name(...)=...}", Braces((Field("msg_name", ANY, (ANY,)),))),
        ("{msg_iov(2)=[{..., 1}]}", Braces((Field("msg_iov", Array((Braces((ANY, Number(1))),)), (Number(2),)),))),
        ("{TCP_NLA_BUSY, 1}", Braces((Symbol("TCP_NLA_BUSY"), Number(1)))),
        ("{TCP_NLA_BUSY=...}", Braces((Field("TCP_NLA_BUSY", ANY),))),
        ("[{fd=4, events=POLLIN}]", Array((Braces((Field("fd", Number(4)), Field("events", Symbol("POLLIN")))),))),
        (
            '{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}',
            Braces(
                (
                    Field("sa_family", Symbol("AF_INET")),
                    Field("sin_port", Apply("htons", (Number(80),))),
                    Field("sin_addr", Apply("inet_addr", (Text(b"192.0.2.1"),))),
                )
            ),
        ),
    ],
)
def test_every_form_of_argument_is_read(text: str, expression: Expr) -> None:
    assert argument(text) == expression


def test_defined_words_stand_for_numbers_strings_and_symbols() -> None:
    assert argument("X", X="5") == Number(5)
    assert argument("X", X='"a"') == Text(b"a")
    assert argument("X", X="SOL_IP") == Symbol("SOL_IP")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clsoe(3) = 0", "found the unknown system call 'clsoe', expected perhaps close"),
        ("close(3, 4) = 0", "found 2 arguments, expected close(fd)"),
        ("close() = 0", "found 0 arguments, expected close(fd)"),
        ("fcntl(3) = 0", "found 1 argument, expected fcntl(fd, command, [argument])"),
        ("close 3 = 0", "found number 3, expected '('"),
        ("close(3 = 0", "found '=', expected ',' or ')'"),
        ("close(3,) = 0", "found ')', expected '...', a number, a symbol, a string, '[' or '{'"),
        ("close(3)", "found the end of the script, expected '=' and the result"),
        ("close(3) = EAGAIN", "found 'EAGAIN', expected the result (a number"),
        ("close(3) = -1 EAGIAN (x)", "found the unknown errno 'EAGIAN', expected perhaps EAGAIN"),
        ("close(3) = 0 (x", "found '(', which is never closed"),
        ("close(SO_REUSADDR) = 0", "found the unknown symbol 'SO_REUSADDR', expected perhaps SO_REUSEADDR"),
        ("close(FOO_BAR_BAZ_9) = 0", "found the unknown symbol 'FOO_BAR_BAZ_9', expected a symbol of Linux's"),
        ("close(htnos(1)) = 0", "found the unknown function 'htnos', expected perhaps htons"),
        ('close(htons("1")) = 0', "found other arguments of htons, expected one number"),
        ("close(inet_addr(1)) = 0", "found other arguments of inet_addr, expected one string"),
        ("close({onof=1}) = 0", "found the unknown field 'onof', expected perhaps onoff"),
        ("close({fd}) = 0", "found the unknown symbol 'fd'"),
        ("close({msg_iov(1)}) = 0", "found '}', expected '='"),
        ("close(1|...) = 0", "found '|' beside something that is neither a number nor a symbol"),
        (r'close("\q") = 0', r"found the escape \q, expected \f \n"),
        (r'close("\x1") = 0', r"found the escape \x, expected \f \n"),
        ("close(18446744073709551616) = 0", "found number 18446744073709551616, expected an argument from"),
        ("close([1) = 0", "found ')', expected ',' or ']'"),
    ],
)
def test_a_slip_of_the_pen_is_named_with_what_was_expected(text: str, why: str) -> None:
    assert error(text).startswith(why)


@pytest.mark.parametrize("text", ["[" * 17, "{" * 17, "htons(" * 17, "{fd=" * 17, "{msg_iov(" * 17])
def test_there_is_a_limit_to_what_stands_inside_each_other(text: str) -> None:
    assert "at most 16 of them inside each other" in error(f"close({text}")


def test_control_data_are_well_within_the_limit() -> None:
    args = call(
        "recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE,"
        " msg_control=[{cmsg_level=SOL_IP, cmsg_type=IP_RECVERR,"
        " cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_info=0}}]}, MSG_ERRQUEUE) = 0"
    ).args
    assert isinstance(args[1], Braces)
    assert [field.key for field in args[1].items if isinstance(field, Field)] == [
        "msg_name", "msg_iov", "msg_flags", "msg_control",
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "what"), [("psp_tx_assoc", "PSP"), ("sctp_sendmsg", "SCTP")])
def test_calls_of_what_is_not_supported_are_refused_by_name(name: str, what: str) -> None:
    with pytest.raises(RefusedError) as caught:
        call(f"{name}(3, 4) = 0")
    assert caught.value.why == f"{what} (system call {name}) is not supported"
