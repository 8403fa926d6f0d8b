# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture: the real frames of a live host in a pcapng file, each with its direction and, as comment, the rules behind
it.

Super-segments are cut and checksums completed first, so the file shows what a real wire would have carried. Times are
the wall clock's when the capture began, moved on by the monotonic clock.
"""

from collections.abc import Sequence
from pathlib import Path
from time import monotonic_ns, time_ns
from typing import Self

from labstack.core.event import Became, Quarantine, Rx, Trace
from labstack.core.frame import Frame
from labstack.core.rules import cite, sentence
from labstack.live.device import Device
from labstack.stack.rules import RULES
from layers import pcapng

INBOUND, OUTBOUND = "in", "out"
LINKTYPE_RAW = 101


class Capture:
    """A pcapng file at path, open for writing; flush() makes it readable so far, for tshark beside us."""

    def __init__(self, path: str | Path) -> None:
        self.file = open(path, "wb")  # noqa: SIM115 - closed by close()
        self.file.write(pcapng.section())
        self.shift = time_ns() - monotonic_ns()
        self.interfaces: dict[int, int] = {}

    def interface(self, index: int, device: Device) -> None:
        """Frames of the stack's interface `index` belong to this device."""
        link = pcapng.ETHERNET if device.link == "ether" else LINKTYPE_RAW
        self.file.write(pcapng.interface(device.name, link))
        self.interfaces[index] = len(self.interfaces)

    def frame(self, index: int, direction: str, now: int, frame: Frame, comment: str) -> None:
        """Write a frame, seen at now (monotonic ns); its first real frame carries the comment."""
        for raw in frame.cuts():
            self.file.write(pcapng.packet(self.interfaces[index], now + self.shift, raw, comment, direction))
            comment = ""

    def evidence(self, piece: Quarantine, now: int) -> None:
        """Write the frame that a handler failed on, with the traceback as its comment."""
        if isinstance(piece.event, Rx):
            self.frame(piece.event.dev, INBOUND, now, piece.event.frame, piece.why)
            self.flush()

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def comment(trace: Sequence[Trace]) -> str:
    """The rules that were followed and the states that changed, one a line, for a person with a capture."""
    return "\n".join(
        f"{it.what} {it.old or '(none)'} → {it.new or '(none)'}"
        if isinstance(it, Became)
        else f"{cite(it.rule)}: {sentence(RULES, it.rule, it.values)}"
        for it in trace
    )
