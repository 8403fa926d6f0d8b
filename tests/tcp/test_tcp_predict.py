# SPDX-License-Identifier: GPL-2.0-or-later
"""Header prediction equals the eight checks: the same segments, with and without it, leave equal states and actions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.core.event import Rx, Tick
from labstack.core.frame import Frame
from labstack.stack import Stack, make
from labstack.tcp import predict
from layers import IP, TCP, Raw

SECOND = 1_000_000_000


def packet(flags: str, seq: int, ack: int, data: bytes = b"", window: int = 500, options: object = ()) -> Frame:
    tcp = TCP(sport=999, dport=80, flags=flags, seq=seq, ack=ack, window=window, options=list(options))  # type: ignore[call-overload]
    return Frame(bytes(IP(src="10.0.0.2", dst="10.0.0.1") / tcp / Raw(data)), net=0)


def connected() -> tuple[Stack, int, int]:
    """A host with an accepted connection whose peer is at sequence number 1: (host, socket, our next number)."""
    host = make("h1")
    host.call("link_add", "tun0")
    host.call("addr_add", 1, "10.0.0.1/24")
    listener = host.call("listen", 80)
    host.handle(Rx(1, packet("S", 0, 0, options=[("MSS", 1000), ("WScale", 7)])), SECOND)
    (answer,) = host.drain(SECOND)
    ours = TCP.parse(answer.frame.cuts()[0], 20)
    assert isinstance(ours, TCP)
    host.handle(Rx(1, packet("A", 1, ours.seq + 1)), SECOND)
    host.drain(SECOND)
    return host, host.call("accept", listener)[0], ours.seq + 1


def test_the_next_text_of_a_quiet_connection_is_predicted() -> None:
    host, sock, nxt = connected()
    seen = []
    original = predict.text
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predict, "text", lambda *a: seen.append(original(*a)) or seen[-1])
        host.handle(Rx(1, packet("PA", 1, nxt, b"hello")), SECOND)
    assert seen == [True]
    assert host.call("recv", sock) == b"hello"


segments = st.tuples(
    st.sampled_from(["A", "PA", "PA", "A", "FA", "R", "S", "UA", ""]),
    st.sampled_from([0, 0, 0, 0, 0, 0, 5, -3, 1000, 70_000, -70_000]),  # from RCV.NXT
    st.sampled_from([0, 0, 0, 0, 0, 1, -1, 100_000]),  # from SND.UNA
    st.integers(0, 1200),
    st.sampled_from([500, 500, 500, 400, 0]),
    st.sampled_from(["", "", "read", "send", "wait"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(segments, max_size=12))
def test_prediction_changes_nothing(script: list[tuple[str, int, int, int, int, str]]) -> None:
    with_it, sock, _ = connected()
    without = with_it.clone()
    now = SECOND
    for flags, seq, ack, size, window, then in script:
        conn = with_it.conns.get(sock)
        if conn is None:
            break
        frame = packet(flags, (conn.rcv.nxt + seq) % 2**32, (conn.snd.una + ack) % 2**32, bytes(size), window)
        now += 100_000_000 if then == "wait" else 1000
        outcomes = []
        for host, fast in ((with_it, True), (without, False)):
            with pytest.MonkeyPatch.context() as patch:
                if not fast:
                    patch.setattr(predict, "text", lambda *_: False)
                host.handle(Tick(), now)
                host.handle(Rx(1, frame), now)
                if then == "read" and sock in host.conns and host.conns[sock].rcv.queued:
                    host.call("recv", sock)
                if then == "send" and host.conns[sock].state == "ESTABLISHED" and sock in host.conns:
                    host.call("send", sock, b"y" * 10)
                outcomes.append(host.drain(now))
        assert outcomes[0] == outcomes[1]
        assert with_it.diff(without) == []
