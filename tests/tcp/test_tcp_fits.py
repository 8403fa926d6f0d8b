# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments with data and SACK blocks: the blocks have their room, and the data is shorter for it."""

from collections.abc import Callable

import pytest
from tcp_script import Script

Tcp = Callable[..., Script]
SYN = {"mss": 1460, "sack_ok": True}


@pytest.mark.parametrize(("ts", "full"), [(0, 1460), (7, 1448)])
def test_data_is_shorter_while_blocks_are_told(tcp: Tcp, ts: int, full: int) -> None:
    """RFC 6691 §3, RFC 9293 §3.7.1: options count against the segment size; a block takes 8 bytes, and all take 4."""
    s = tcp(sack=True, stamps=bool(ts)).opened(SYN, ts)
    more = {"ts": (ts, 0)} if ts else {}
    s.rx("A", seq=1001, data=100, **more)
    s.burst()
    s.call("send", s.sock, bytes(2 * full))
    sent = s.burst()
    assert [seg.size for seg in sent][:2] == [full - 12, full - 12]
    assert [seg.sack for seg in sent][:2] == [[(1001, 1101)]] * 2
    s.rx("A", seq=1, data=1000, ack=1 + 2 * full, **more)
    s.burst()
    s.call("send", s.sock, bytes(full))
    assert [(seg.size, seg.sack) for seg in s.burst()] == [(full, [])]


def test_what_is_sent_again_is_cut_for_them(tcp: Tcp) -> None:
    """RFC 2018 §4: the blocks go with every segment; what was one segment is two, the second time."""
    s = tcp(sack=True).opened(SYN)
    s.call("send", s.sock, bytes(1460))
    s.burst()
    s.rx("A", seq=1001, ack=1, data=100)
    s.burst()
    s.wait(200)
    assert [(seg.seq, seg.size, seg.sack) for seg in s.burst()] == [(1, 1448, [(1001, 1101)])]
