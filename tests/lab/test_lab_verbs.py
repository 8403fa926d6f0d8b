# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of verbs: every word is a method, and what is typed behind it becomes that method's arguments."""

import inspect
from typing import Any

import pytest

from labstack.lab import verbs
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab

H1 = Lab().h1


@pytest.mark.parametrize("verb", verbs.VERBS, ids=lambda verb: verb.word)
def test_every_verb_is_a_documented_method_that_takes_what_its_reader_gives(verb: verbs.Verb) -> None:
    method = getattr(Lab, verb.method)
    assert inspect.getdoc(method)
    typed = {verbs.count: "3", verbs.event: "#3", verbs.duration: "5ms", verbs.packet: "b'' to h1"}.get(verb.read, "x")
    given = verb.read("" if verb.read is verbs.nothing else typed, {})
    inspect.signature(method).bind(None, **given)


def test_no_word_is_there_twice() -> None:
    words = [word for verb in verbs.VERBS for word in (verb.word, *verb.shorts)]
    assert len(words) == len(set(words)) == len(verbs.BY_WORD)


@pytest.mark.parametrize(
    ("read", "typed", "given"),
    [
        (verbs.count, "", {}),
        (verbs.count, "12", {"n": 12}),
        (verbs.event, "#7", {"n": 7}),
        (verbs.host, "h1", {"host": "h1"}),
        (verbs.host, "", {}),
        (verbs.sockets, "-ti", {}),
        (verbs.sockets, "-t -n h2", {"host": "h2"}),
        (verbs.packet, "p", {"packet": b"x"}),
        (verbs.packet, "p to h2", {"packet": b"x", "to": "h2"}),
        (verbs.packet, "b' to ' + p to h2", {"packet": b" to x", "to": "h2"}),
        (verbs.block, "", {}),
        (verbs.block, "p", {"of": b"x"}),
        (verbs.block, "h7", {"of": "h7"}),
        (verbs.setting, "-a", {"words": ""}),
        (verbs.setting, "-w net.ipv4.tcp_sack=0", {"words": "net.ipv4.tcp_sack=0"}),
        (verbs.setting, "h1 net.ipv4.tcp_rmem=1 2 3", {"words": "net.ipv4.tcp_rmem=1 2 3", "host": H1}),
        (verbs.setting, "h1", {"words": "", "host": H1}),
        (verbs.setting, "-az h1 Retrans", {"words": "Retrans", "host": H1}),
        (verbs.file, "a b.pcapng", {"path": "a b.pcapng"}),
    ],
)
def test_arguments_are_read_as_they_are_typed(read: Any, typed: str, given: dict[str, Any]) -> None:
    assert read(typed, {"p": b"x", "h1": H1}) == given


@pytest.mark.parametrize(
    ("read", "typed", "says"),
    [
        (verbs.count, "many", "expected a number"),
        (verbs.sockets, "-ts", "there is no -ts: give the name of a host, or nothing"),
        (verbs.host, "-4", "there is no -4"),
        (verbs.nothing, "5", "nothing goes behind"),
        (verbs.packet, "", "give a packet"),
        (verbs.packet, "1/0", "ZeroDivisionError"),
        (verbs.packet, "a b", "SyntaxError"),
        (verbs.packet, "Ethr()", "name 'Ethr' is not defined; did you mean Ether?"),
        (verbs.file, "", "give a file name"),
        (verbs.other, "", "which world"),
    ],
)
def test_what_cannot_be_read_is_said(read: Any, typed: str, says: str) -> None:
    with pytest.raises(LabError, match=says):
        read(typed, {"Ether": object})


def test_trailing_comments_are_no_argument() -> None:
    assert verbs.argument(" 3  # three") == "3"
    assert verbs.argument("# nothing") == ""
    assert verbs.argument("#7") == "#7"
