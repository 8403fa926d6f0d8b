# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden bytes for every header: a line of golden.tsv is an expression and the bytes that Scapy 2.8 built from it."""

from pathlib import Path
from typing import Any

import pytest
from layers_fields import CLASSES, twin

import layers
from layers.packet import Header

LINES = [line.split("\t") for line in Path(__file__).with_name("golden.tsv").read_text().splitlines()]
OURS: dict[str, Any] = {name: getattr(layers, name) for name in layers.__all__}
THEIRS: dict[str, Any] = {cls.__name__: twin(cls) for cls in CLASSES}


@pytest.mark.parametrize(("expression", "golden"), LINES, ids=[line[0] for line in LINES])
def test_bytes_are_golden(expression: str, golden: str) -> None:
    packet = eval(expression, dict(OURS))
    assert bytes(packet).hex() == golden
    read = packet.__class__(bytes.fromhex(golden))
    assert bytes(read).hex() == golden
    assert (read.drop is None) == ("=15" not in expression)  # a data offset or ihl behind the end
    assert read.__class__(bytes(read)) == read


@pytest.mark.parametrize(("expression", "golden"), LINES, ids=[line[0] for line in LINES])
def test_scapy_builds_them_too_and_the_bridge_keeps_them(expression: str, golden: str) -> None:
    packet: Header = eval(expression, dict(OURS))
    if not expression.startswith("virtio"):
        assert bytes(eval(expression, dict(THEIRS))).hex() == golden
    theirs = packet.to_scapy()
    assert bytes(theirs).hex() == golden
    assert bytes(layers.from_scapy(theirs)).hex() == golden


def test_every_header_has_golden_bytes() -> None:
    text = " ".join(expression for expression, _ in LINES)
    missing = {cls.__name__ for cls in CLASSES if cls.__name__ + "(" not in text}
    assert missing == {"IGMPv3"}  # what the three messages of version 3 begin with
