# SPDX-License-Identifier: GPL-2.0-or-later
"""pcapng: what is written, Scapy, tshark and our reader read; what is damaged ends quietly."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import UDP, Ether, IPv6, pcapng

FRAME = bytes(Ether() / IPv6(src="::1", dst="::2") / UDP() / b"data")
FILE = (
    pcapng.section()
    + pcapng.interface("h1")
    + pcapng.interface("wire-β", linktype=101, snaplen=96)
    + pcapng.packet(0, 1_500_000_001, FRAME, comment="why: größer", direction="out")
    + pcapng.packet(1, 2**40 + 7, FRAME[14:21], direction="in", original_length=1400)
    + pcapng.packet(0, 3, b"")
)


def test_the_reader_reads_what_was_written() -> None:
    assert list(pcapng.read(FILE)) == [
        ("h1", 1, 1_500_000_001, FRAME, "why: größer", "out", len(FRAME)),
        ("wire-β", 101, 2**40 + 7, FRAME[14:21], "", "in", 1400),
        ("h1", 1, 3, b"", "", "", 0),
    ]


def test_scapy_reads_what_was_written(tmp_path: Path) -> None:
    from scapy.utils import PcapNgReader

    file = tmp_path / "a.pcapng"
    file.write_bytes(pcapng.section() + pcapng.interface("h1") + pcapng.packet(0, 1_500_000_001, FRAME, "why", "out"))
    reader = PcapNgReader(str(file))
    read = reader.read_packet()
    reader.close()
    assert (bytes(read), read.comments, read.sniffed_on, read.direction) == (FRAME, [b"why"], "h1", 2)
    assert round(read.time * 10**9) == 1_500_000_001


def test_tshark_reads_what_was_written(tmp_path: Path) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    file = tmp_path / "a.pcapng"
    file.write_bytes(FILE)
    fields = ["frame.time_epoch", "frame.interface_name", "frame.comment", "frame.packet_flags_direction"]
    fields.append("udp.dstport")
    wanted = [word for field in fields for word in ("-e", field)]
    run = subprocess.run([tshark, "-n", "-r", str(file), "-T", "fields", *wanted], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first = run.stdout.splitlines()[0].split("\t")
    assert first[1:3] == ["h1", "why: größer"]
    assert first[3] in ("2", "0x00000002", "Outbound")
    assert first[4] == "53"
    assert "1.500000001" in first[0] or "00:00:01.500000001" in first[0]


def test_our_reader_reads_what_scapy_wrote(tmp_path: Path) -> None:
    from scapy.layers.l2 import Ether as Theirs
    from scapy.utils import PcapNgWriter

    packet = Theirs(FRAME)
    packet.time, packet.sniffed_on, packet.comments = 7.5, "eth7", [b"hello"]
    writer = PcapNgWriter(str(tmp_path / "a.pcapng"))
    writer.write(packet)
    writer.close()
    read = list(pcapng.read((tmp_path / "a.pcapng").read_bytes()))
    assert read == [("eth7", 1, 7_500_000_000, FRAME, "hello", "", len(FRAME))]


@settings(max_examples=300, deadline=None, database=None)
@given(st.data())
def test_damaged_files_never_raise(data: st.DataObject) -> None:
    damaged = bytearray(FILE)
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    list(pcapng.read(bytes(damaged[: data.draw(st.integers(0, len(damaged)))])))


def test_files_of_the_other_byte_order_are_read() -> None:
    section = bytes.fromhex("0a0d0d0a0000001c1a2b3c4d00010000ffffffffffffffff0000001c")
    interface = bytes.fromhex("00000001000000140001000000000000") + bytes.fromhex("00000014")
    packet = bytes.fromhex("000000060000002400000000000000000000000500000004000000046162636400000024")
    assert list(pcapng.read(section + interface + packet)) == [("", 1, 5000, b"abcd", "", "", 4)]
