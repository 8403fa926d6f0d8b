# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures as scenarios: files of every kind, the calls that are inferred, and what another stack does otherwise."""

import ast
from collections.abc import Sequence
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from labstack.cli import main
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Packet, Script, Syscall
from labstack.scenario import kinds
from labstack.scenario.record import capture, record
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from layers import ICMP, IP, TCP, UDP, Ether, IPv6, Raw, pcapng

MS = 10**6
CLIENT, SERVER = "10.9.0.1", "10.9.0.2"
Frames = Sequence[tuple[float, Any]]
OWN = Path(__file__).parents[2] / "scenarios"


def said(script: Script) -> list[str]:
    """Calls by name with result, packets by direction and flags."""
    found = []
    for event in script.events:
        action: Any = event.action
        if isinstance(action, Syscall):
            found.append(f"{action.name} {action.result.value}")  # type: ignore[union-attr]
        elif isinstance(action, Packet):
            found.append(f"{'<' if action.inbound else '>'} {action.body.flags}")  # type: ignore[union-attr]
    return found


def saved(path: Path, frames: Frames, link: int = 101) -> str:
    blocks = [pcapng.packet(0, round(at * MS), bytes(it)) for at, it in frames]
    path.write_bytes(b"".join((pcapng.section(), pcapng.interface("x", link), *blocks)))
    return str(path)


class Talk:
    """Segments of one connection, whose numbers begin anywhere: c() is the client's, s() the server's."""

    def __init__(self, six: bool = False) -> None:
        self.seq = {"c": 4_000_000_000, "s": 777}
        self.six = six

    def _one(self, who: str, other: str, flags: str, data: bytes, **fields: Any) -> Any:
        src, dst = (CLIENT, SERVER) if who == "c" else (SERVER, CLIENT)
        sport, dport = (50_000, 80) if who == "c" else (80, 50_000)
        seq = fields.pop("seq", self.seq[who])
        tcp = TCP(sport=sport, dport=dport, seq=seq % 2**32, ack=self.seq[other] % 2**32 if "A" in flags else 0,
                  flags=flags, window=fields.pop("window", 30_000), **fields)  # fmt: skip
        self.seq[who] = max(self.seq[who], seq + len(data) + ("S" in flags) + ("F" in flags))
        return IP(src=src, dst=dst) / tcp / Raw(load=data) if data else IP(src=src, dst=dst) / tcp

    def c(self, flags: str, data: bytes = b"", **fields: Any) -> Any:
        return self._one("c", "s", flags, data, **fields)

    def s(self, flags: str, data: bytes = b"", **fields: Any) -> Any:
        return self._one("s", "c", flags, data, **fields)


def handshake() -> tuple[Talk, list[tuple[float, Any]]]:
    t = Talk()
    options = [("MSS", 1460)]
    return t, [(0, t.c("S", options=options)), (0.02, t.s("SA", options=options)), (10, t.c("A"))]


# files


def test_a_packet_that_seems_older_than_the_one_before_it_came_with_that(tmp_path: Path) -> None:
    t, frames = handshake()
    made = record.of_capture(saved(tmp_path / "x.pcapng", [*frames, (5, t.c("PA", b"hello")), (10.02, t.s("A"))]))
    events = parse(made.source).events
    assert said(parse(made.source))[-3:] == ["accept 4", "< P.", "> ."]
    assert min(event.when.at for event in events) == 0


def test_a_file_may_be_called_anything(tmp_path: Path) -> None:
    frames = [(0, IP(src=CLIENT, dst=SERVER, proto=47)), (1, IP(src=CLIENT, dst=SERVER) / UDP(dport=9) / b"x")]
    frames += [(2, IP(src="10.9.0.3", dst=SERVER) / UDP(dport=9) / b"x")]
    made = record.of_capture(saved(tmp_path / 'a\\N"""b.pcapng', frames))
    assert made.suffix == ".py"
    assert ast.get_docstring(ast.parse(made.source), clean=False).startswith("Recorded from a\\N'''b.pcapng: 10.9.0.2.")


@pytest.mark.parametrize("link", [1, 101, 0, 113, 276])
@pytest.mark.parametrize("order", ["pcapng", "<us", ">us", "<ns", ">ns"])
def test_files_of_every_kind_are_read(link: int, order: str, tmp_path: Path) -> None:
    _, talk = handshake()
    size = capture.LINKS[link]
    frames = [(at, bytes(Ether() / bytes(it)) if link == 1 else bytes(size) + bytes(it)) for at, it in talk]
    if link == 1:
        frames = [(at, it[:12] + b"\x08\0" + it[14:]) for at, it in frames]
    path = tmp_path / "x"
    if order == "pcapng":
        saved(path, frames, link)
    else:
        unit = 1000 if order[1:] == "us" else 1
        magic = 0xA1B2C3D4 if unit == 1000 else 0xA1B23C4D
        head = pack(order[0] + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)
        rows = [pack(order[0] + "IIII", 7, round(at * MS) // unit, len(it), len(it)) + it for at, it in frames]
        path.write_bytes(head + b"".join(rows))
    made = record.of_capture(str(path))
    assert made.differs == 0
    assert said(parse(made.source)) == ["socket 3", "bind 0", "listen 0", "< S", "> S.", "< .", "accept 4"]


def test_vlan_tags_padding_and_other_protocols_do_not_matter(tmp_path: Path) -> None:
    _, talk = handshake()
    frames: list[tuple[float, Any]] = [(0, bytes(12) + b"\x08\x06" + bytes(28))]
    frames += [(at, bytes(12) + b"\x81\0\0\x05\x08\0" + bytes(it) + bytes(6)) for at, it in talk]
    assert record.of_capture(saved(tmp_path / "x", frames, 1)).differs == 0


def test_what_offload_left_open_and_what_was_cut_off_is_mended(tmp_path: Path) -> None:
    """A segment with the sum of the pseudo-header only, and one of which the first 60 bytes were captured."""
    t, talk = handshake()
    request = bytearray(bytes(t.c("PA", b"x" * 500)))
    whole = bytearray(request)
    partial = sum(int.from_bytes(request[i : i + 2], "big") for i in range(12, 20, 2)) + 6 + 520
    request[36:38] = (partial % 0xFFFF).to_bytes(2, "big")
    frames = [*talk, (20, bytes(request)), (20.1, t.s("A"))]
    assert bytes(request) != bytes(whole)
    made = record.of_capture(saved(tmp_path / "x", frames))
    assert "< P. 1:501(500) ack 1 win 30000" in made.source
    frames[3] = (20, bytes(whole)[:60])
    assert record.of_capture(saved(tmp_path / "y", frames)).source.split("\n")[1:] == made.source.split("\n")[1:]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot read"), (b"", "no IP packet"), (b"nonsense" * 99, "no IP packet"), (b"\xd4\xc3\xb2\xa1", "no IP")],
)
def test_a_file_without_packets_is_told(content: bytes | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LabError, match=why):
        record.of_capture(str(path))


# whose side


def test_the_server_is_under_test_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    _, talk = handshake()
    path = saved(tmp_path / "x", talk)
    assert "listen" in record.of_capture(path).source
    client = record.of_capture(path, CLIENT)
    assert said(parse(client.source)) == ["socket 3", "connect 0", "> S", "< S.", "> ."]
    with pytest.raises(LabError, match=r"there are those of 10\.9\.0\.1, 10\.9\.0\.2"):
        record.of_capture(path, "10.9.0.3")
    with pytest.raises(LabError):
        record.of_capture(path, "nonsense")


# calls


def test_what_is_sent_up_to_a_push_is_one_write_and_reading_follows_the_answer(tmp_path: Path) -> None:
    t, talk = handshake()
    talk += [(20, t.c("PA", b"GET")), (20.1, t.s("A")), (30, t.s("A", bytes(1460))), (30.1, t.s("PA", bytes(540)))]
    talk += [(40, t.c("A")), (50, t.c("FA")), (50.1, t.s("FA")), (60, t.c("A"))]
    made = record.of_capture(saved(tmp_path / "x", talk))
    lines = said(parse(made.source))
    assert lines[6:] == [
        *("accept 4", "< P.", "> .", "read 3", "write 2000", "> .", "> P."),
        *("< .", "< F.", "close 0", "> F.", "< ."),
    ]
    assert record.passes(_absolute(made.source))


def test_a_retransmission_is_no_write(tmp_path: Path) -> None:
    t, talk = handshake()
    first = t.s("PA", bytes(100))
    talk += [(20, first), (420, first), (430, t.c("A"))]
    lines = said(parse(record.of_capture(saved(tmp_path / "x", talk)).source))
    assert [it for it in lines if it.startswith("write")] == ["write 100"]


def test_a_fin_is_a_shutdown_if_data_were_still_taken(tmp_path: Path) -> None:
    t, talk = handshake()
    talk += [(20, t.s("FA")), (30, t.c("PA", b"more")), (30.1, t.s("A"))]
    lines = said(parse(record.of_capture(saved(tmp_path / "x", talk)).source))
    assert "shutdown 0" in lines
    assert "close 0" not in lines


def test_a_reset_out_of_nothing_is_an_abort(tmp_path: Path) -> None:
    t, talk = handshake()
    talk += [(50, t.s("RA"))]
    assert said(parse(record.of_capture(saved(tmp_path / "x", talk)).source))[-3:] == [
        "setsockopt 0",
        "close 0",
        "> R.",
    ]


def test_a_refused_connect_and_one_that_nobody_answers(tmp_path: Path) -> None:
    t = Talk()
    syn = t.c("S", options=[("MSS", 1460)])
    refused = record.of_capture(saved(tmp_path / "x", [(0, syn), (5, t.s("RA"))]), CLIENT)
    assert "0...0.005 connect(3, ..., ...) = -1 ECONNREFUSED" in refused.source
    silent = record.of_capture(saved(tmp_path / "y", [(0, syn), (1000, syn), (2000, syn)]), CLIENT)
    assert silent.differs == 0
    assert said(parse(silent.source)) == ["socket 3", "connect -1", "> S", "> S", "> S"]


def test_datagrams_and_echoes(tmp_path: Path) -> None:
    asked = IP(src=CLIENT, dst=SERVER) / UDP(sport=999, dport=53) / Raw(load=b"who?")
    told = IP(src=SERVER, dst=CLIENT) / UDP(sport=53, dport=999) / Raw(load=b"me")
    ping = IP(src=CLIENT, dst=SERVER) / ICMP(type=8, id=1) / Raw(load=b"x")
    pong = IP(src=SERVER, dst=CLIENT) / ICMP(type=0, id=1) / Raw(load=b"x")
    frames = [(0, asked), (1, told), (2, ping), (2, pong), (3, asked)]
    made = record.of_capture(saved(tmp_path / "x", frames))
    assert made.differs == 0
    assert "sendto(3, ..., 2, 0, ..., ...) = 2" in made.source
    pinger = record.of_capture(saved(tmp_path / "y", frames), CLIENT)
    assert "Left out: echo requests" in pinger.source


def test_ipv6_has_its_own_family_and_mtu(tmp_path: Path) -> None:
    syn = IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=5, dport=80, flags="S", seq=9, options=[("MSS", 1440)])
    back = IPv6(src="fd00::2", dst="fd00::1") / TCP(
        sport=80, dport=5, flags="SA", seq=1, ack=10, options=[("MSS", 1400)]
    )
    made = record.of_capture(saved(tmp_path / "x", [(0, syn), (0.1, back)]))
    assert dict(parse(made.source).options).items() >= {"ip_version": "ipv6", "mtu": "1460"}.items()
    assert made.differs == 0


def test_several_connections_of_several_hosts_are_told_in_python(tmp_path: Path) -> None:
    _, talk = handshake()
    other = [(at + 5, it.__class__(bytes(it).replace(bytes([10, 9, 0, 1]), bytes([10, 9, 0, 7])))) for at, it in talk]
    for _, it in other:
        it.chksum = it[TCP].chksum = None
    made = record.of_capture(saved(tmp_path / "x", sorted(talk + other, key=lambda frame: frame[0])))
    assert (made.suffix, made.differs) == (".py", 0)
    assert "c2.send(" in made.source


# what another stack did


def test_lines_that_our_stack_does_otherwise_are_marked(tmp_path: Path) -> None:
    """A capture of a stack that waits 300 ms with its acknowledgment, and sends an option of its own."""
    t, talk = handshake()
    talk[1] = (0.02, IP(src=SERVER, dst=CLIENT) / TCP(sport=80, dport=50_000, seq=777, ack=4_000_000_001, flags="SA",
               window=1000, options=[("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("NOP", None)]))  # fmt: skip
    talk += [(20, t.c("PA", b"GET")), (320, t.s("A"))]
    made = record.of_capture(saved(tmp_path / "x", talk))
    assert made.differs == 2
    assert "// recorded: > S. 0:0(0) ack 1 <mss 1460,sackOK,nop,nop>" in made.source
    assert "// recorded: at .32" in made.source
    assert record.passes(_absolute(made.source))


def _absolute(text: str) -> Script:
    """A recording as record.passes() takes it."""
    script, at, events = parse(text), 0, []
    for event in script.events:
        at += event.when.at
        events.append(event._replace(when=event.when._replace(kind="absolute", at=at)))
    return script._replace(events=tuple(events))


EXACT = sorted((OWN / "close").glob("*.pkt")) + sorted((OWN / "reset").glob("*.pkt"))


@pytest.mark.parametrize("file", EXACT[::4], ids=lambda path: path.stem)
def test_the_capture_of_a_scenario_makes_one_that_passes(file: Path, tmp_path: Path) -> None:
    """The calls are inferred, so that it may be another one; it passes in every line, as it stands."""
    script = kinds.read(str(file), Settings())
    calls = runner.lab(script, Settings())
    runner.play(script, calls, Settings())
    Lab.of(calls.history).export(tmp_path / "x.pcapng")
    made = record.of_capture(str(tmp_path / "x.pcapng"), "192.168.0.1")
    path = made.save(str(tmp_path / "made.pkt")).saved
    assert main(["run", path]) == 0
