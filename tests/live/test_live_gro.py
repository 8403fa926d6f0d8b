# SPDX-License-Identifier: GPL-2.0-or-later
"""What a batch brings of one connection is joined: data without any loss, acknowledgments to the last one."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_toy import Toy
from test_live_loop import Fake

from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.live.gro import join
from labstack.live.loop import Loop
from layers import IP, TCP, Ether, IPv6, NoPayload, Raw, checksum

MSS = 100


def frame(
    seq: int = 0, ack: int = 7, size: int = MSS, v6: bool = False, start: int = 0, net: int = 14, **more: object
) -> Frame:
    """A segment from a port of the peer, in a frame of its own, with right checksums. start: bytes in front."""
    stamps = more.pop("ts", (1, 2))
    options = more.pop("options", [("NOP", None), ("NOP", None), ("Timestamp", stamps)] if stamps else [])
    outer = {key: more.pop(key) for key in ("id", "tos", "ttl", "src", "frag") if key in more}
    ident = outer.pop("id", seq // MSS % 65_536)
    fields: dict[str, object] = {"sport": 80, "dport": 999, "flags": "A", "window": 500, **more}
    tcp = TCP(seq=seq % 2**32, ack=ack % 2**32, options=options, **fields)
    if v6:
        ip: IP | IPv6 = IPv6(src="fd00::2", dst="fd00::1", hlim=outer.get("ttl", 64), tc=outer.get("tos", 0))
    else:
        ip = IP(**{"src": "10.0.0.2", "dst": "10.0.0.1", "id": ident, "flags": "DF", **outer})
    packet = ip / tcp / Raw(bytes(range(size % 256)) + bytes(size - size % 256))
    raw = bytes(Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / packet if net else packet)
    return Frame(bytes(start) + raw, (), None, None, start, net)


def flat(frames: list[Frame]) -> list[bytes]:
    return [raw for it in frames for raw in it.cuts()]


WAYS = [(v6, start, net) for v6 in (False, True) for start, net in ((0, 14), (10, 14), (0, 0))]


@pytest.mark.parametrize(("v6", "start", "net"), WAYS)
@pytest.mark.parametrize("partial", [False, True], ids=["whole", "partial"])
@pytest.mark.parametrize("ts", [None, (1, 2)], ids=["", "timestamps"])
def test_data_in_sequence_becomes_one_frame_that_cuts_up_again(
    v6: bool, start: int, net: int, partial: bool, ts: tuple[int, int] | None
) -> None:
    sizes = [MSS] * 5 + [40]
    came = [
        frame(i * MSS, size=size, v6=v6, start=start, net=net, ts=ts, flags="PA" if size < MSS else "A")
        for i, size in enumerate(sizes)
    ]
    if partial:
        came = [unfinished(it) for it in came]
    count: Counter[str] = Counter()
    (whole,) = join(came, count)
    assert (whole.gso, whole.sure, len(whole.body)) == (MSS, True, 6)
    assert whole.cuts() == flat(came)
    assert count == {"segments": 5}


def unfinished(it: Frame) -> Frame:
    """The same, as from a device that leaves the checksum of TCP to the next one."""
    at = it.net + (40 if it.head[it.start + it.net] >> 4 == 6 else 20)
    head = bytearray(it.head)
    ip, tcp = it.start + it.net, it.start + at
    addresses = head[ip + 8 : tcp] if at - it.net == 40 else head[ip + 12 : tcp]
    head[tcp + 16 : tcp + 18] = checksum.ones_sum(addresses, 6 + len(head) - tcp).to_bytes(2, "big")
    return Frame(bytes(head), (), None, (at, 16), it.start, it.net, True)


@pytest.mark.parametrize(("v6", "start", "net"), WAYS)
@pytest.mark.parametrize("stamps", [False, True])
def test_of_acknowledgments_the_last_is_left(v6: bool, start: int, net: int, stamps: bool) -> None:
    came = [
        frame(0, 2**32 - 2 + n, 0, v6, start, net, window=500 - n, id=9 * n, ts=(n, n // 2) if stamps else None)
        for n in range(5)
    ]
    count: Counter[str] = Counter()
    assert join(came, count) == [came[-1]]
    assert count == {"acks": 4}


def damaged(it: Frame, at: int) -> Frame:
    raw = bytearray(it.head)
    raw[at] ^= 1
    return Frame(bytes(raw), (), None, None, it.start, it.net)


ACKS: dict[str, tuple[Frame, Frame]] = {
    "the same number": (frame(size=0), frame(size=0, window=501)),
    "an earlier one": (frame(size=0), frame(0, 6, 0)),
    "another connection": (frame(size=0), frame(0, 8, 0, sport=81)),
    "another host": (frame(size=0), frame(0, 8, 0, src="10.0.0.3")),
    "another sequence number": (frame(size=0), frame(1, 8, 0)),
    "marked by a router": (frame(size=0), frame(0, 8, 0, tos=3)),
    "both marked by a router": (frame(size=0, tos=3), frame(0, 8, 0, tos=3)),
    "both marked by a router, IPv6": (frame(size=0, tos=3, v6=True), frame(0, 8, 0, tos=3, v6=True)),
    "from farther away": (frame(size=0), frame(0, 8, 0, ttl=63)),
    "an echo of congestion": (frame(size=0), frame(0, 8, 0, flags="AE")),
    "both echo congestion": (frame(size=0, flags="AE"), frame(0, 8, 0, flags="AE")),
    "an end": (frame(size=0), frame(0, 8, 0, flags="FA")),
    "a reset": (frame(size=0), frame(0, 8, 0, flags="RA")),
    "after a reset": (frame(size=0, flags="RA"), frame(0, 8, 0)),
    "urgent data is announced": (frame(size=0), frame(0, 8, 0, urgptr=1)),
    "blocks": (frame(size=0), frame(0, 8, 0, options=[("NOP", None), ("NOP", None), ("SAck", (20, 30))])),
    "both have blocks": (
        frame(size=0, options=[("NOP", None), ("NOP", None), ("SAck", (20, 30))]),
        frame(0, 8, 0, options=[("NOP", None), ("NOP", None), ("SAck", (20, 30))]),
    ),
    "no timestamps any more": (frame(size=0), frame(0, 8, 0, ts=None)),
    "timestamps as nobody writes them": (
        frame(size=0, options=[("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]),
        frame(0, 8, 0, options=[("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]),
    ),
    "an older timestamp": (frame(size=0), frame(0, 8, 0, ts=(0, 2))),
    "a broken header": (frame(size=0), damaged(frame(0, 8, 0), 25)),
    "a broken segment": (frame(size=0), damaged(frame(0, 8, 0), 48)),
    "the first one broken": (damaged(frame(size=0), 48), frame(0, 8, 0)),
    "data": (frame(size=0), frame()),
    "after data": (frame(), frame(MSS, 8, 0)),
    "after data, with its number": (frame(), frame(0, 8, 0)),
}
DATA: dict[str, tuple[Frame, Frame]] = {
    "a gap": (frame(), frame(2 * MSS, id=1)),
    "the same again": (frame(), frame()),
    "more than the first": (frame(size=MSS - 1), frame(MSS - 1, size=MSS, id=1)),
    "the first was pushed": (frame(flags="PA"), frame(MSS)),
    "another acknowledgment": (frame(), frame(MSS, 8)),
    "another window": (frame(), frame(MSS, window=501)),
    "another timestamp": (frame(), frame(MSS, ts=(2, 2))),
    "an end": (frame(), frame(MSS, flags="FA")),
    "urgent": (frame(), frame(MSS, flags="UA", urgptr=1)),
    "another connection": (frame(), frame(MSS, dport=998)),
    "a number of the packet that is not the next": (frame(), frame(MSS, id=2)),
    "a fragment": (frame(frag=1), frame(MSS, frag=1)),
    "a far fragment": (frame(frag=256), frame(MSS, frag=256)),
    "a broken header": (frame(), damaged(frame(MSS), 25)),
    "a broken byte": (frame(), damaged(frame(MSS), 120)),
    "the first one broken": (damaged(frame(), 120), frame(MSS)),
}


@pytest.mark.parametrize("pair", [*ACKS.values(), *DATA.values()], ids=[*ACKS, *(f"data, {name}" for name in DATA)])
def test_what_differs_stays_apart(pair: tuple[Frame, Frame]) -> None:
    count: Counter[str] = Counter()
    assert [id(it) for it in join(list(pair), count)] == [id(it) for it in pair]
    assert not count


def test_a_short_one_is_the_last() -> None:
    came = [frame(), frame(MSS, size=50), frame(MSS + 50, size=50, id=2), frame(MSS + 100, size=50, id=3)]
    assert [len(it.cuts()) for it in join(came, Counter())] == [2, 2]


def test_no_packet_grows_too_long() -> None:
    """An IP packet has at most 65,535 bytes."""
    came = [frame(n * 1448, size=1448, id=n) for n in range(100)]
    got = join(came, Counter())
    assert flat(got) == flat(came)
    assert [len(it.body) for it in got] == [45, 45, 10]
    assert len(got[0]) - 14 <= 65_535


def changed(it: Frame, at: int, value: int, behind: bytes = b"") -> Frame:
    """A byte of it is different, which somebody has found to be right."""
    raw = bytearray(it.head + behind)
    raw[at] = value
    raw[24:26] = bytes(2)
    raw[24:26] = checksum.checksum(raw[14:34]).to_bytes(2, "big")
    return Frame(bytes(raw), sure=True)


ODD: dict[str, tuple[Frame, Frame]] = {
    "super-segments": (
        Frame(frame().head, (), 50, (34, 16), sure=True),
        Frame(frame(MSS).head, (), 50, (34, 16), sure=True),
    ),
    "in pieces": (Frame(frame().head[:66], (bytes(MSS),)), Frame(frame(MSS).head[:66], (bytes(MSS),))),
    "not bytes": (Frame(memoryview(frame().head)), Frame(memoryview(frame(MSS).head))),
    "another protocol": (changed(frame(), 23, 99), changed(frame(MSS), 23, 99)),
    "another protocol, IPv6": (
        Frame(frame(v6=True).head[:20] + b"c" + frame(v6=True).head[21:], sure=True),
        Frame(frame(MSS, v6=True).head[:20] + b"c" + frame(MSS, v6=True).head[21:], sure=True),
    ),
    "IP options": (changed(frame(), 14, 0x46), changed(frame(MSS), 14, 0x46)),
    "padded": (changed(frame(), 0, 2), changed(frame(MSS, size=50), 0, 2, b"\0\0")),
    "a header of 16 bytes": (changed(frame(), 46, 0x40), changed(frame(MSS + 16), 46, 0x40)),
    "a header of 60 bytes": (changed(frame(size=0), 46, 0xF0), changed(frame(-28, size=0, id=1), 46, 0xF0)),
    "empty": (Frame(b""), Frame(b"")),
    "cut in IP": (Frame(frame().head[:30]), Frame(frame().head[:30])),
    "cut in TCP": (Frame(frame().head[:53]), Frame(frame().head[:53])),
    "cut in TCP, IPv6": (Frame(frame(v6=True).head[:73]), Frame(frame(v6=True).head[:73])),
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_frames_pass(odd: str) -> None:
    assert [id(it) for it in join(list(ODD[odd]), Counter())] == [id(it) for it in ODD[odd]]


def test_nothing_comes_after_a_short_one() -> None:
    """Though its number is where a full one would go on."""
    came = [frame(), frame(MSS, size=50), frame(2 * MSS, size=50, id=2)]
    assert [len(it.cuts()) for it in join(came, Counter())] == [2, 1]


changes = st.sampled_from(
    [
        {},
        {},
        {},
        {},
        {"seq": 1},
        {"ack": 1},
        {"flags": "PA"},
        {"window": 9},
        {"size": 0},
        {"size": 40},
        {"id": 5},
        {"tos": 2},
    ]
)


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.lists(st.tuples(changes, st.booleans()), max_size=12))
def test_nothing_but_older_acknowledgments_is_lost(v6: bool, script: list[tuple[dict[str, int], bool]]) -> None:
    seq, ack, came = 2**32 - 3 * MSS, 5, []
    for number, (change, bare) in enumerate(script):
        fields: dict[str, object] = {"id": number, "size": 0 if bare else MSS, **change}
        came.append(frame(seq + fields.pop("seq", 0), ack + fields.pop("ack", 0), v6=v6, **fields))  # type: ignore[arg-type, operator]
        size = len(came[-1].head) - (66 if not v6 else 86)
        seq, ack = seq + size, ack + (not size)
    count: Counter[str] = Counter()
    left = flat(join(came, count))
    assert len(left) == len(came) - count["acks"]
    gone = Counter(flat(came)) - Counter(left)
    assert gone.total() == count["acks"]
    for raw in gone:
        packet = Ether(raw)
        assert packet[TCP].flags == "A"
        assert isinstance(packet[TCP].payload, NoPayload)
    remaining = iter(flat(came))
    assert all(raw in remaining for raw in left)  # in their order


@pytest.mark.parametrize(("gro", "seen"), [(True, 1), (False, 5)])
def test_the_loop_joins_if_it_is_told_to(gro: bool, seen: int) -> None:
    toy = Toy()
    loop = Loop(toy)
    device = Fake(*[frame(n * MSS) for n in range(5)])
    loop.attach(1, device, gro)
    loop.turn()
    assert sum(type(event) is Rx for event in toy.seen) == seen
    assert loop.gro == ({"segments": 4} if gro else {})
    device.close()
    loop.close()
