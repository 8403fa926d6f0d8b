# SPDX-License-Identifier: GPL-2.0-or-later
"""A device: nothing is lost without a name, and a device without offload gets real frames."""

import errno
import os
import socket
import struct
from collections.abc import Iterator

import pytest

from labstack.core.frame import Frame
from labstack.live.device import IOV_MAX, Device
from labstack.live.tun import TSO, USO

MAC = bytes(6)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


def device(sock: socket.socket, offload: int) -> Device:
    return Device(sock.fileno(), "lab0", "ether", MAC, 1500, offload)


def super_frame(offset: int) -> Frame:
    transport = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 5 << 4, 16, 0, 0, 0) if offset == 16 else bytes(8)
    head = bytes(12) + b"\x08\x00\x45" + bytes(19) + transport
    return Frame(head, (bytes(1500), memoryview(bytes(1500))), 1000, (34, offset))


def arrived(sock: socket.socket) -> list[bytes]:
    found = []
    try:
        while True:
            found.append(sock.recv(70_000))
    except BlockingIOError:
        return found


def test_nothing_there_is_none(pair: tuple[socket.socket, socket.socket]) -> None:
    assert device(pair[0], USO).read() is None


def test_with_offload_a_super_segment_leaves_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    device(pair[0], USO).write(super_frame(16))
    (raw,) = arrived(pair[1])
    assert len(raw) == 10 + 54 + 3000


def test_without_offload_the_real_frames_leave(pair: tuple[socket.socket, socket.socket]) -> None:
    """RFC 9293 §3.7.1: segments of the announced size, cut at the edge."""
    device(pair[0], 0).write(super_frame(16))
    assert arrived(pair[1]) == super_frame(16).cuts()


def test_a_device_without_udp_segmentation_gets_real_datagrams_with_empty_headers(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    device(pair[0], TSO).write(super_frame(6))
    assert arrived(pair[1]) == [bytes(10) + raw for raw in super_frame(6).cuts()]


def test_a_frame_in_more_pieces_than_the_system_takes_leaves_whole(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """writev(2): IOV_MAX."""
    device(pair[0], USO).write(Frame(bytes(14), (b"x",) * (IOV_MAX + 5)))
    assert arrived(pair[1]) == [bytes(24) + b"x" * (IOV_MAX + 5)]


def test_a_full_device_costs_the_frame_and_is_counted(pair: tuple[socket.socket, socket.socket]) -> None:
    it, sent = device(pair[0], 0), 0
    while not it.count:
        it.write(Frame(bytes(1000)))
        sent += 1
    assert it.count == {"drop.device.EAGAIN": 1}
    assert len(arrived(pair[1])) == sent - 1


def test_a_short_write_is_counted() -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK)
    it = Device(writer, "lab0", "ether", MAC, 1500, 0)
    os.write(writer, bytes(61_440))
    it.write(Frame(bytes(14), (bytes(30_000), bytes(30_000))))
    assert it.count == {"drop.device.short": 1}
    it.close()
    os.close(reader)


@pytest.mark.parametrize("code", [errno.ENOBUFS, errno.EMSGSIZE, errno.EINVAL, errno.ENOMEM, errno.EAGAIN])
def test_what_the_device_holds_against_one_frame_is_counted_by_name(
    code: int, monkeypatch: pytest.MonkeyPatch, pair: tuple[socket.socket, socket.socket]
) -> None:
    def refuse(fd: int, pieces: object) -> int:
        raise OSError(code, "")

    it = device(pair[0], USO)
    monkeypatch.setattr("labstack.live.device.os.writev", refuse)
    it.write(Frame(bytes(60)))
    assert it.count == {"drop.device." + errno.errorcode[code]: 1}


def test_a_vanished_device_raises(pair: tuple[socket.socket, socket.socket]) -> None:
    it = device(pair[0], USO)
    pair[0].close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        it.read()
    with pytest.raises(OSError, match="Bad file descriptor"):
        it.write(Frame(bytes(60)))


def test_after_close_there_is_no_descriptor_to_close_again() -> None:
    reader, writer = os.pipe()
    it = Device(writer, "lab0", "ether", MAC, 1500, 0)
    it.close()
    it.close()
    assert it.fd == -1
    os.close(reader)
