# SPDX-License-Identifier: GPL-2.0-or-later
"""Export: the frames of a run as pcapng, with the reasons as comments.

Each frame is there once, on the interface of the host that sent it, or that received it if the sender is not ours;
its comments are the sender's reason and state change, what became of it, and what its receivers made of it. Wireshark
shows them inline and in its expert list.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.errors import LabError
from labstack.lab.view import Lines, Span
from labstack.lab.why import changes, short
from layers import pcapng

ETHERNET, RAW = 1, 101  # link types of pcapng


def write_pcapng(path: str, records: Sequence[Record], hosts: Sequence[str], rules: Mapping[str, Rule]) -> Lines:
    """Write the frames of `records` to path. Raises LabError if the file cannot be written."""
    blocks = packets(records, hosts, rules)
    try:
        Path(path).write_bytes(pcap(records, hosts, blocks))
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror}") from None
    return Lines([[Span(f"{len(blocks)} frames → {path}")]])


def pcap(records: Sequence[Record], hosts: Sequence[str], blocks: Sequence[bytes]) -> bytes:
    """The whole file: an interface for each host, then its packets()."""
    bare = {r.host for r in records for frame in _frames(r) if not frame.net}
    links = [pcapng.interface(name, RAW if name in bare else ETHERNET) for name in hosts]
    return b"".join((pcapng.section(), *links, *blocks))


def packets(records: Sequence[Record], hosts: Sequence[str], rules: Mapping[str, Rule]) -> list[bytes]:
    """A block of the file for each frame, in the order of the records."""
    number = {name: i for i, name in enumerate(hosts)}
    blocks = []
    came: dict[int, list[Record]] = {}
    for record in records:
        if isinstance(record.event, Rx):
            came.setdefault(record.flight, []).append(record)
    for record in records:
        where = number[record.host]
        if isinstance(record.event, Rx) and record.flight <= 0:  # no host of ours sent it
            words = _together("" if record.flight else "injected", comment(record, rules))
            blocks += [pcapng.packet(where, record.at, raw, words, "in") for raw in record.event.frame.cuts()]
        for sent in record.sent:
            there = [comment(r, rules) for r in came.get(sent.flight, ())]
            words = _together(comment(record, rules), sent.fate, *there)
            blocks += [pcapng.packet(where, record.at, raw, words, "out") for raw in sent.frame.cuts()]
    return blocks


def _frames(record: Record) -> list[Frame]:
    came = [record.event.frame] if isinstance(record.event, Rx) else []
    return came + [sent.frame for sent in record.sent]


def _together(*comments: str) -> str:
    return "\n".join(words for words in comments if words)


def comment(record: Record, rules: Mapping[str, Rule]) -> str:
    """'h1: CLOSED → SYN_SENT (RFC 9293 §3.10.1 active OPEN)'."""
    states = ", ".join(path for _, path in changes(record))
    reason = short(record, rules)
    words = f"{states} ({reason})" if states and reason else states or reason
    return f"{record.host}: {words}" if words else ""
