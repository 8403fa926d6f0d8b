# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequence numbers near 2^32 and 2^31, on both sides (RFC 9293 §3.4)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcp_script import Script, pattern

from labstack.tcp import isn
from labstack.tcp.seq import unwrap

Tcp = Callable[..., Script]
NEAR = [0, 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 32) - 2, (1 << 32) - 700, (1 << 32) - 70_000]


@given(st.integers(0, 1 << 70), st.integers(-(1 << 31), (1 << 31) - 1))
def test_unwrap_finds_the_number_that_was_meant(near: int, off: int) -> None:
    """RFC 9293 §3.4: any number within 2^31 survives the trip over the wire."""
    assert unwrap((near + off) & 0xFFFFFFFF, near) == near + off


@pytest.mark.parametrize("irs", NEAR)
@pytest.mark.parametrize("iss", NEAR)
@pytest.mark.parametrize("how", ["passive", "active"])
def test_a_whole_life_across_the_wrap(tcp: Tcp, monkeypatch: pytest.MonkeyPatch, iss: int, irs: int, how: str) -> None:
    """Data both ways, out of order and retransmitted, and an orderly end."""
    monkeypatch.setattr(isn, "choose", lambda env, key, used=None: iss)
    s = tcp(irs=irs, tracing=False)
    getattr(s, how)(mss=500)
    s.call("send", s.sock, pattern(0, 1400))
    assert [(seg.seq, seg.size) for seg in s.burst()] == [(1, 500), (501, 500), (1001, 400)]
    s.rx("A", seq=1001, data=500, ack=501)
    s.burst()
    s.rx("A", seq=501, data=500, ack=501)
    s.rx("A", seq=1, data=500, ack=501)
    got = s.burst()[-1]
    assert got.ack == 1501
    assert s.call("recv", s.sock) == pattern(1, 1500)
    retransmitted = s.soon()
    assert (retransmitted.seq, retransmitted.data) == (501, pattern(500, 500))
    s.rx("A", ack=1401)
    s.rx("FA")
    s.tx("A", after=40, ack=1502)
    s.call("close", s.sock)
    s.tx("FA", seq=1401)
    s.rx("A", ack=1402)
    s.gone()


@pytest.mark.parametrize("irs", NEAR)
def test_windows_and_resets_across_the_wrap(tcp: Tcp, irs: int) -> None:
    """RFC 5961 §3: exact, inside, outside."""
    for off, state in ((0, "CLOSED"), (1, "ESTABLISHED"), (-1, "ESTABLISHED"), (70_000, "ESTABLISHED")):
        s = tcp(irs=irs).passive()
        s.rx("R", seq=1 + off)
        s.state(state)
        s.burst()
