# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture keeps what enters its wire, and its pcapng file is what others read."""

from labstack.core.config import MS, SECOND
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.sim.capture import Capture, pcap
from labstack.sim.lan import lan
from labstack.sim.wire import Delay, Loss
from layers import pcapng


def test_frames_are_kept_before_what_is_inside_does_anything_to_them() -> None:
    wire = Capture(Loss(Delay(), 1), "h1")
    frame = Frame(b"x" * 60)
    assert wire.carry(frame, 5, Rng(1))[0].fate
    assert list(wire.seen) == [(5, frame)]


def test_the_oldest_frames_make_room() -> None:
    wire = Capture(Delay(), "h1", most=3)
    for number in range(5):
        wire.carry(Frame(bytes([number])), number, Rng(1))
    assert [at for at, _ in wire.seen] == [2, 3, 4]


def test_a_clone_captures_alone() -> None:
    wire = Capture(Delay(), "h1")
    twin = wire.clone()
    twin.carry(Frame(b"x"), 0, Rng(1))
    assert len(wire.seen) == 0


def test_the_file_has_an_interface_for_each_wire_and_real_frames_in_the_order_of_time() -> None:
    world = lan(gso=65_535)
    for host in ("h1", "h2"):
        world.rewire((host, 1), Capture(Delay(10 * MS), host))
    world.now_call("h2", "listen", 80)
    sock = world.now_call("h1", "connect", "10.0.0.2", 80)
    world.run(SECOND)
    world.now_call("h1", "send", sock, b"x" * 10_000)
    world.run(2 * SECOND)
    captures = [world.net.wires[host, 1] for host in ("h1", "h2")]
    packets = list(pcapng.read(pcap(captures)))  # type: ignore[arg-type]
    assert [p.interface for p in packets[:5]] == ["h1", "h2", "h1", "h2", "h1"]  # ARP, ARP, SYN, SYN-ACK, ACK
    assert [p.ns for p in packets] == sorted(p.ns for p in packets)
    assert [len(p.data) for p in packets if len(p.data) > 100] == [1514] * 6 + [66 + 10_000 - 6 * 1448]
    assert {p.linktype for p in packets} == {1}


def test_bare_ip_has_its_own_link_type() -> None:
    wire = Capture(Delay(), "tun0")
    wire.carry(Frame(b"\x45" + bytes(19), net=0), 7, Rng(1))
    (packet,) = pcapng.read(pcap([wire]))
    assert (packet.linktype, packet.ns, packet.interface) == (101, 7, "tun0")
