# SPDX-License-Identifier: GPL-2.0-or-later
"""The line of ss -tio: its words, their order, what is left out; and beside that of the real ss."""

import re
import shutil
import socket
import subprocess
from typing import Any

import pytest

from labstack.lab import ss
from labstack.lab.lab import Lab
from labstack.stack.syscall import info

MOVES = re.compile(r"(lastsnd|lastrcv|lastack|timer|rcv_wnd|rehash):")  # ... with time, or is too new for this ss


def figures(**more: Any) -> dict[str, Any]:
    """Of a connection of which nothing is known but what is given."""
    nothing: dict[str, Any] = info.unpack(info.TCP_INFO, bytes(500))
    usual = {"reordering": 3, "snd_ssthresh": 0x7FFFFFFF, "max_pacing_rate": ss.UNLIMITED, "rto": 200_000}
    return {**nothing, **usual, "cc": "reno", "control": {}, "timers": {}, **more}


def test_what_is_nothing_unusual_is_left_out() -> None:
    assert ss.words(figures()) == ["reno", "rto:200"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"options": 7, "snd_wscale": 7, "rcv_wscale": 10}, "ts sack reno wscale:7,10 rto:200"),
        ({"rtt": 1234, "rttvar": 500, "snd_mss": 1000, "snd_cwnd": 10},
         "reno rto:200 rtt:1.234/0.5 mss:1000 cwnd:10 send 64829822bps"),
        ({"busy_time": 8000, "rwnd_limited": 2000}, "reno rto:200 busy:8ms rwnd_limited:2ms(25.0%)"),
        ({"total_retrans": 3, "retrans": 1, "lost": 2}, "reno rto:200 retrans:1/3 lost:2"),
        ({"pacing_rate": 1000, "max_pacing_rate": 2000}, "reno rto:200 pacing_rate 8000bps/16000bps"),
        ({"min_rtt": ss.NEVER, "rcv_rtt": 1500}, "reno rto:200 rcv_rtt:1.5"),
        ({"timers": {"delack": 40.0, "retransmit": 204.6}, "retransmits": 2}, "timer:(on,204ms,2) reno rto:200"),
    ],
)  # fmt: skip
def test_words_and_their_order(more: dict[str, Any], word: str) -> None:
    assert " ".join(ss.words(figures(**more))) == word


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (40, "040ms"),
        (1204, "1.204ms"),
        (12_345, "12sec"),
        (3000, "3sec"),
        (119_000, "1min59sec"),
        (7_200_000, "120min"),
    ],
)
def test_times_are_as_ss_has_them(ms: int, said: str) -> None:
    assert ss.left(ms) == said


def test_controllers_tell_their_own() -> None:
    bbr = {"bbr_bw_lo": 1000, "bbr_bw_hi": 0, "bbr_min_rtt": 20_500, "bbr_pacing_gain": 320, "bbr_cwnd_gain": 512}
    said = ss.words(figures(cc="bbr", control=bbr))
    assert said[-1] == "bbr:(bw:8000bps,mrtt:20.5,pacing_gain:1.25,cwnd_gain:2)"
    dctcp = {"dctcp_enabled": 1, "dctcp_ce_state": 1, "dctcp_alpha": 512, "dctcp_ab_ecn": 3, "dctcp_ab_tot": 9}
    assert ss.words(figures(control=dctcp))[-1] == "dctcp:(ce_state:1,alpha:512,ab_ecn:3,ab_tot:9)"
    assert ss.words(figures(control={"dctcp_enabled": 0}))[-1] == "dctcp:fallback_mode"
    own = figures(cc="gentle", control={"gentle_least": 5, "gentle_rounds": 7})
    assert ss.words(own)[-1] == "gentle:(gentle_least:5,gentle_rounds:7)"


def test_a_table_of_a_lab_fits_80_columns() -> None:
    lab = Lab(hosts=2)
    lab.h2.listen(80)
    lab.h1.connect(lab.h2.ip, 80).send(b"x" * 100_000)
    lab.run("100ms")
    lines = str(lab.h1.ss()).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("cubic wscale:7,7 rto:" in line for line in lines)


def test_the_same_figures_are_said_in_the_same_words_by_the_real_ss() -> None:
    """A connection over the loopback of this machine: TCP_INFO in our words, and what ss says."""
    if shutil.which("ss") is None:
        pytest.skip("there is no ss (iproute2) to compare with")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        with theirs:
            ours.sendall(bytes(30_000))
            theirs.recv(1 << 20)
            theirs.sendall(b"answer")
            ours.recv(10)
            port = ours.getsockname()[1]
            asked = subprocess.run(
                ["ss", "-tino", "sport", "=", f":{port}"], capture_output=True, text=True, check=True
            )
            said = asked.stdout.splitlines()[-1].split()
            raw = [ours.getsockopt(socket.IPPROTO_TCP, name, 500) for name in (11, 26, 13)]
    name = raw[2].rstrip(b"\0").decode()
    known = figures(
        **info.unpack(info.TCP_INFO, raw[0]), cc=name, control=info.unpack(info.CC_INFO.get(name, ()), raw[1])
    )
    mine = " ".join(ss.words(known)).split()
    assert [it for it in mine if not MOVES.match(it)] == [it for it in said if not MOVES.match(it)]
