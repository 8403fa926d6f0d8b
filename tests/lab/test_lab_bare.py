# SPDX-License-Identifier: GPL-2.0-or-later
"""Bare words become magics, and Python stays Python."""

from typing import Any

import pytest

from labstack.lab import verbs
from labstack.lab.bare import rewriter


class Ours:
    """Stands for what the shell puts into the namespace."""


def typed(line: str, **namespace: Any) -> str:
    expressions = [verb.word for verb in verbs.VERBS if verb.read in (verbs.condition, verbs.packet)]
    magics = {word: verb.word for word, verb in verbs.BY_WORD.items()} | {"break": "lab_hint break"}
    there = {"step": Ours(), **namespace}
    rewrite = rewriter(magics, expressions, there, Ours, lambda word: word in {*there, "x", "print", "for"})
    return "".join(rewrite(line.splitlines(keepends=True))).rstrip("\n")


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("step", "%step"),
        ("step 3", "%step 3"),
        ("continue", "%continue"),
        ("c", "%continue"),
        ("run", "%continue"),
        ("rs 2; w", "%lab_show back 2\n%where"),
        ("ss -ti", "%ss -ti"),
        ("break", "%lab_hint break"),
        ("step; break 3", "%lab_show step\n%lab_hint break 3"),
        ("back; step 2; continue", "%lab_show back\n%lab_show step 2\n%continue"),
        ('until c1.state == "ESTABLISHED"', '%until c1.state == "ESTABLISHED"'),
        ("until (a or b)", "%until (a or b)"),
        ("until [a for a in b] == [1]", "%until [a for a in b] == [1]"),
        ("until -x < 3", "%until -x < 3"),
        ("inject Ether()/ARP(psrc='10.0.0.2') to h2", "%inject Ether()/ARP(psrc='10.0.0.2') to h2"),
        ("export /tmp/run.pcapng", "%export /tmp/run.pcapng"),
        ("export ./run.pcapng", "%export ./run.pcapng"),
        ("advance 200ms  # a while", "%advance 200ms  # a while"),
        ("ss h1", "%ss h1"),
        ("h1.ping(h2.ip); step", "h1.ping(h2.ip)\n%step"),
        ("step; h1.ping(h2.ip)", "%lab_show step\nh1.ping(h2.ip)"),
        ("back 2; x = 1", "%lab_show back 2\nx = 1"),
        ("h2.listen(80); continue", "h2.listen(80)\n%continue"),
        ("lab = Lab(); where", "lab = Lab()\n%where"),
        ("c1.send('a;b'); until x == \"c;d\"", "c1.send('a;b')\n%until x == \"c;d\""),
        ("why #3; step  # on; and on", "%lab_show why #3\n%step  # on; and on"),
        ("step;", "%step"),
        ("stpe", "%lab_hint stpe"),
        ("stpe 3", "%lab_hint stpe 3"),
        ("ifconfig eth0 10.0.0.1/24", "%lab_hint ifconfig eth0 10.0.0.1/24"),
    ],
)
def test_a_verb_at_the_start_of_a_line_becomes_a_magic(line: str, becomes: str) -> None:
    assert typed(line) == becomes


@pytest.mark.parametrize(
    "line",
    [
        "step(3)",
        "step (3)",
        "for i in range(3): continue",
        "while True: break",
        "%run mine.py",
        "%c",
        "for i in x: print(i); continue",
        "if x: step; where",
        "!ls; step",
        "print('; step')",
        "x = [1,; step",
        "c = 5",
        "c: int = 5",
        "c + 1",
        "c += 1",
        "route == other",
        "route[0]",
        "route [0]",
        "ss.x",
        "why, x = 1, 2",
        "steps = 3",
        "x = step(3)",
        "if x:\n    continue",
        "    step",
        "print('step')",
        "print x",
        "x",
        "y - 1",
        "y.z",
        "y = 1; y",
        "for y in",
        "c1.send(b'x'); step = 3",
        "",
    ],
)
def test_python_is_left_alone(line: str) -> None:
    assert typed(line) == line


def test_a_variable_of_the_users_own_wins() -> None:
    assert typed("c", c=5) == "c"
    assert typed("step", step=5) == "step"
    assert typed("back; c", c=5) == "%lab_show back\nc"
