# SPDX-License-Identifier: GPL-2.0-or-later
"""lab.wire in words, and what it refuses."""

import pytest

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from layers import TCP


def test_the_wire_says_what_it_does_the_innermost_first() -> None:
    lab = Lab()
    assert str(lab.wire) == "h1: delay 10ms\nh2: delay 10ms"
    lab.wire.loss(0.1).drop(lambda pkt: TCP in pkt, only="h1").lose(1, 3, only="h2").mark(1_000_000, only="h2")
    assert str(lab.wire).splitlines() == [
        "h1: delay 10ms; loss 10 %; drop rule (1 left)",
        "h2: delay 10ms; loss 10 %; lose #1, #3 (0 seen); rate 1000000 bit/s, queue 100, mark above 5",
    ]


def test_rates_are_written_as_in_tc_too() -> None:
    lab = Lab()
    assert str(lab.wire.rate("1.5mbit", only="h1")).startswith("h1: delay 10ms; rate 1500000 bit/s")
    assert "police 8000 bit/s" in str(lab.wire.police("8kbit"))


def test_a_class_is_no_function_of_a_packet() -> None:
    lab = Lab()
    with pytest.raises(LabError, match=r"expected a function of a packet, .*drop\(lambda pkt: TCP in pkt\)"):
        lab.wire.drop(TCP)
    assert str(lab.wire.drop(lambda pkt: pkt[TCP].flags == "S", count=-1, only="h1")).startswith(
        "h1: delay 10ms; drop rule (always)"
    )
