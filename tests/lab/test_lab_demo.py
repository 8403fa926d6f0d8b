# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: what it tells, and that the picture in the README is it."""

from pathlib import Path

import pytest

from labstack.lab import demo

PICTURE = Path(__file__).parents[2] / "docs" / "ladder.svg"


def test_the_story_shows_arp_ping_and_a_connection_from_syn_to_time_wait() -> None:
    lab, names = demo.story()
    text = lab.ladder().text()
    for words in ("ARP who-has", "ICMP echo reply", "SYN,ACK", "PSH,ACK", "FIN,ACK", "SYN_SENT", "SYN_RECEIVED"):
        assert words in text
    for words in ("FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED"):
        assert words in text
    assert str(names["c1"]).endswith("TIME_WAIT")


def test_every_frame_of_the_story_has_its_rule_behind_it() -> None:
    lab, _ = demo.story()
    arrows = [row for row in lab.ladder().rows if not row.mark]
    assert len(arrows) >= 12
    assert [row.label for row in arrows if not any("RFC" in why for why in row.why)] == []


def test_the_demo_prints_the_ladder_and_leaves(capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.memory(stays=False) == 0
    out = capsys.readouterr().out
    assert "RFC 9293 §3.10.7.2" in out
    assert out.isprintable() or "\x1b" not in out  # no colours where there is no terminal


def test_the_picture_in_the_readme_is_current() -> None:
    """To make it anew: python -m labstack.lab.demo > docs/ladder.svg."""
    assert PICTURE.read_text().strip() == demo.picture().strip()
