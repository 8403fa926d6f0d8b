# SPDX-License-Identifier: GPL-2.0-or-later
"""Where `continue` and `until` stop: what keeps house does not keep a run going, what cannot be asked does nothing."""

import pytest

from labstack.lab.errors import LabError
from labstack.lab.handles import Connection
from labstack.lab.lab import Lab
from layers import ICMP, IP, TCP


def connected() -> tuple[Lab, Connection]:
    lab = Lab()
    lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    return lab, client


def test_a_keep_alive_some_day_is_not_under_way_and_one_without_an_answer_is() -> None:
    """RFC 9293 §3.8.4."""
    lab, client = connected()
    lab.h1.now("setopt", client.sock, "keepalive", 1)
    lab.run()
    assert lab.now < 1_000_000_000
    lab.wire.loss(1.0)
    lab.until(lambda: lab.h1.stack.env.count["TcpExtTCPKeepAlive"])
    lab.run()
    assert client.state == "CLOSED"


def test_a_learnt_mtu_that_will_be_forgotten_is_not_under_way() -> None:
    """RFC 1191 §6.3."""
    lab, client = connected()
    conn = lab.h1.stack.conns[client.sock]
    quoted = IP(src=lab.h1.ip, dst=lab.h2.ip) / TCP(sport=conn.lport, dport=80, seq=conn.snd.una & 0xFFFFFFFF)
    client.send(b"x" * 3000)
    lab.step()
    lab.inject(IP(src=lab.h2.ip, dst=lab.h1.ip) / ICMP(type=3, code=4, nexthopmtu=1000) / bytes(quoted)[:28], "h1")
    lab.run()
    assert "pmtu" in str(lab.timers())
    assert lab.now < 1_000_000_000


def test_a_run_without_an_end_says_when_it_gave_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labstack.lab.lab.MOST", 3)
    lab = Lab()
    lab.h1.ping(lab.h2.ip)
    with pytest.raises(LabError, match=r"no end in sight: 3 events, and it is 20\.000 ms; try: advance 1s"):
        lab.run()
    with pytest.raises(LabError, match=r"it never held in 3 events, and it is [0-9.]+ ms: False"):
        lab.until("False")


def test_a_condition_that_cannot_be_evaluated_is_refused_with_nothing_done() -> None:
    lab, _ = connected()
    before, now = len(lab.records), lab.now
    for wrong in ("nonsense", "ev.nothing", "1/0"):
        with pytest.raises(LabError, match=r"Error: "):
            lab.until(wrong)
    assert (len(lab.records), lab.now) == (before, now)


def test_a_condition_that_holds_already_does_not_let_a_quiet_world_go_on() -> None:
    lab, client = connected()
    before, now = len(lab.records), lab.now
    assert "it holds already" in str(lab.until(lambda: client.state == "ESTABLISHED"))
    assert (len(lab.records), lab.now) == (before, now)
    client.send(b"x")
    assert len(lab.until(lambda: client.state == "ESTABLISHED")) == 1
