# SPDX-License-Identifier: GPL-2.0-or-later
"""The lexer: the longest match wins, defined words are replaced, comments go aside."""

import pytest

from labstack.packetdrill.lexer import Source, tokens
from labstack.packetdrill.script import ScriptError


def lex(text: str, **defines: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens(Source(text, "a.pkt"), defines)[0][:-1]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("0...0.2", ["integer", "...", "float"]),
        ("+.1", ["+", "float"]),
        ("+0....5", ["+", "integer", "...", "float"]),
        ("1.5~2", ["float", "~", "integer"]),
        ("1:1001(1000)", ["integer", ":", "integer", "(", "integer", ")"]),
        ("1:2:3:4:5:6:7", ["integer", ":"] * 6 + ["integer"]),
        ("1:2:3:4:5:6:7:8", ["address"]),
        ("fd::1", ["address"]),
        ("::ffff:192.0.2.1", ["address"]),
        ("192.0.2.1", ["address"]),
        ("192.0.2", ["float", "float"]),
        ("S.", ["word", "."]),
        ("P.3", ["word", "float"]),
        (".5", ["float"]),
        (". 5", [".", "integer"]),
        ("-5", ["integer"]),
        ("- 5", ["-", "integer"]),
        ("3021b9d889017eeb", ["word"]),
        ("3021999", ["integer"]),
        ("-3x", ["integer", "word"]),
        ("0x1f", ["hex"]),
        ("0x1fz", ["word"]),
        ("accepted", ["word"]),
        ("--mtu=1500", ["option"]),
        ("a|b", ["word", "|", "word"]),
        ('"a\\"b"', ["string"]),
        ("`a\nb`", ["command"]),
        ("%{ a }% }%", ["code", "}", "%"]),
        ("é", ["é"]),
    ],
)
def test_the_longest_match_wins(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in lex(text)] == kinds


@pytest.mark.parametrize(
    ("value", "token"),
    [
        ('"a b"', ("string", "a b")),
        ("`a b`", ("command", "a b")),
        ("17", ("integer", "17")),
        ("-1", ("integer", "-1")),
        ("0x10", ("hex", "0x10")),
        (".5", ("float", ".5")),
        ("abcd", ("word", "abcd")),
    ],
)
def test_a_defined_word_is_replaced_by_what_it_stands_for(value: str, token: tuple[str, str]) -> None:
    assert lex("X XY", X=value) == [token, ("word", "XY")]


def test_words_in_strings_commands_and_code_are_not_replaced() -> None:
    assert lex('"X" `X` %{X}%', X="1") == [("string", "X"), ("command", "X"), ("code", "X")]


def test_a_define_of_the_script_holds_from_there_on_and_the_callers_wins() -> None:
    assert lex("X --define=X=1 X") == [("word", "X"), ("option", "define=X=1"), ("integer", "1")]
    assert lex("--define=X=1 X", X="2") == [("option", "define=X=1"), ("integer", "2")]
    assert lex('--define=X="a b" X')[1] == ("string", "a b")
    assert lex('--define="X=a" X')[1] == ("word", "a")


def test_an_options_value_ends_at_a_blank_or_a_comment_unless_it_is_quoted() -> None:
    assert lex("--local_ip=fd::1//x\n--a=/b --c") == [("option", "local_ip=fd::1"), ("option", "a=/b"), ("option", "c")]
    assert lex('--a="b c" d') == [("option", "a=b c"), ("word", "d")]
    assert lex("--a = b") == [("option", "a=b")]


def test_comments_are_kept_aside_and_quotes_protect_what_looks_like_one() -> None:
    found, comments = tokens(Source('a // b\n/* c\n*/ "// d"', "a.pkt"), {})
    assert [(token.kind, token.text) for token in found] == [("word", "a"), ("string", "// d"), ("end", "")]
    assert [token.text for token in comments] == ["// b", "/* c\n*/"]


@pytest.mark.parametrize(
    ("text", "what"),
    [('a "b', "string"), ("a `b", "command"), ("a %{b", "code block"), ("a /*b", "comment"), ('a "b\\"', "string")],
)
def test_what_is_opened_has_to_be_closed(text: str, what: str) -> None:
    with pytest.raises(ScriptError) as caught:
        lex(text)
    assert caught.value.place == ("a.pkt", 1, 3)
    assert caught.value.why.endswith(f"opens a {what} that is never closed")


def test_places_count_lines_and_columns_from_one() -> None:
    source = Source("ab\n\n  c", "a.pkt")
    places = [source.place(offset)[1:] for offset in (0, 1, 2, 3, 6, 7)]
    assert places == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 3), (3, 4)]
    assert source.line(6) == "  c"
