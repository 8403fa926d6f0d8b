# SPDX-License-Identifier: GPL-2.0-or-later
"""Labs on a TAP: the Linux kernel in a namespace of its own is the other host."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.sendrecv import send, sniff

from labstack.lab import demo_tap
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.rows import OUTSIDE
from labstack.lab.scapy_iface import TAP, attach
from labstack.live.wire import NoWireError
from layers import ARP, Ether, pcapng

pytestmark = pytest.mark.live


@pytest.fixture
def lab() -> Iterator[Lab]:
    try:
        made = Lab(wire="tap")
    except NoWireError as error:
        pytest.skip(f"no TAP to be had here: {error}")
    with made:
        yield made


def test_the_kernel_is_pinged_and_the_ladder_has_a_rail_for_it(lab: Lab) -> None:
    ping = lab.h1.ping(lab.kernel.ip)
    lab.run()
    assert ping.reply()[1] == (lab.kernel.ip, 1)
    text = lab.ladder().text()
    assert "kernel" in text.splitlines()[0]
    assert "ICMP echo reply" in text


def test_a_program_on_the_kernels_side_is_answered(lab: Lab) -> None:
    script = demo_tap.SCRIPT
    done = lab.exec(demo_tap.sys.executable, "-I", "-S", script, "ping", lab.h1.ip6, "2")
    assert done.stdout.split()[0] == "2", done.stderr
    assert str(done) == done.stdout.rstrip()
    assert str(lab.exec("false")) == "(exit status 1)"
    assert "ICMPv6 echo reply" in str(lab.events("echo reply"))


def test_a_connection_to_nobody_is_refused_by_the_kernel(lab: Lab) -> None:
    """RFC 9293 §3.10.7.1."""
    client = lab.h1.connect(lab.kernel.ip, 9)
    lab.until(lambda: client.state == "CLOSED")
    assert "RST" in lab.ladder().text()


def test_there_is_no_way_back_and_it_says_so(lab: Lab) -> None:
    with pytest.raises(LabError, match="cannot be rewound"):
        lab.back()
    with pytest.raises(LabError, match="cannot be copied"):
        lab.fork()
    with pytest.raises(LabError, match="no other to compare"):
        lab.diff("main")
    with pytest.raises(LabError, match="does what the kernel does"):
        _ = lab.wire


def test_a_program_that_cannot_be_is_named(lab: Lab) -> None:
    with pytest.raises(LabError, match="no program 'no-such-program'"):
        lab.exec("no-such-program")
    with pytest.raises(LabError, match=r"which program\?"):
        lab.exec()


def test_a_program_is_ended_by_an_interrupt(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(over: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.history, "serve", interrupted)
    with pytest.raises(LabError, match="interrupted: sleep was ended"):
        lab.exec("sleep", "1000")


def test_an_injected_frame_is_not_drawn_as_the_kernels(lab: Lab) -> None:
    lab.inject(Ether(dst=lab.h1.mac) / ARP(pdst=lab.h1.ip, psrc="10.0.0.9", hwsrc="02:00:00:00:00:09"), to="h1")
    row = next(row for row in lab.ladder().rows if "10.0.0.9" in row.label)
    assert row.src == OUTSIDE


def test_step_waits_for_one_event_and_gives_up_after_a_while(lab: Lab) -> None:
    lab.h1.ping(lab.kernel.ip)
    assert len(lab.step()) == 1
    assert lab.records[-1].host == "h1"


def test_the_demo_moves_the_megabytes_and_tells_both_sides(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        assert demo_tap.run(stays=False) == 0
    except NoWireError as error:
        pytest.skip(f"no TAP to be had here: {error}")
    out = capsys.readouterr().out
    assert out.count("5 of 5 answered") == 2
    assert out.count("SHA-256 equal") == 4
    assert "SYN_RECEIVED" in out
    assert "the kernel's" in out
    counters = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith(("Tcp", "Icmp"))}
    assert counters["TcpActiveOpens"] == counters["TcpPassiveOpens"] == ["2", "2"]
    assert counters["TcpInErrs"] == ["0", "0"]


def test_export_has_what_the_kernel_sent_and_what_we_did(lab: Lab, tmp_path: Path) -> None:
    lab.exec("ping", "-c1", lab.h1.ip)
    lab.export(str(tmp_path / "run.pcapng"))
    packets = list(pcapng.read((tmp_path / "run.pcapng").read_bytes()))
    told = {(packet.direction, bytes(packet.data[12:14])) for packet in packets}
    assert {("in", b"\x08\x06"), ("out", b"\x08\x06"), ("in", b"\x08\x00"), ("out", b"\x08\x00")} <= told
    assert any("asks whether we are there" in packet.comment for packet in packets if packet.direction == "in")


def test_lab0_listens_on_a_tap_and_nothing_that_is_meant_for_it_leaves_elsewhere(lab: Lab) -> None:
    before = TAP.lab
    attach(lab)
    seen = sniff(iface="lab0", timeout=1, started_callback=lambda: (lab.h1.ping(lab.kernel.ip), lab.run()))
    assert {packet[ICMP].type for packet in seen if ICMP in packet} == {0, 8}
    for packet in (IP(dst=lab.h1.ip), IP(dst=lab.kernel.ip), IPv6(dst=lab.kernel.ip6)):
        with pytest.raises(OSError, match="wires in memory"):
            send(packet / UDP(), verbose=0)
    if before is not None:
        attach(before)
