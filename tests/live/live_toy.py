# SPDX-License-Identifier: GPL-2.0-or-later
"""A stand-in for a stack: answers ARP and ICMPv4 echo, and fails where a test wants it to."""

import struct
from typing import Any

from labstack.core.event import Action, Call, Event, Rx, Tick, Tx, Wake
from labstack.core.frame import Frame

MAC, ADDRESS = bytes.fromhex("020000000001"), bytes([10, 0, 0, 1])


class Toy:
    """seen: every event; fails: kinds of event whose handler raises."""

    def __init__(self) -> None:
        self.seen: list[Event] = []
        self.actions: list[Action] = []
        self.fails: set[type] = set()
        self.due: int | None = None

    def handle(self, event: Event, now: int) -> Any:
        self.seen.append(event)
        if type(event) in self.fails:
            raise RuntimeError(f"injected into {type(event).__name__}")
        if isinstance(event, Call):
            return self.call(event, now)
        if isinstance(event, Tick):
            self.due = None
        else:
            self.arrive(event)
        return None

    def call(self, event: Call, now: int) -> Any:
        if event.op == "wake":
            self.actions.append(Wake(*event.args))
        elif event.op == "send":
            self.actions.append(Tx(*event.args))
        elif event.op == "timer":
            self.due = now + event.args[0]
        return event.args

    def arrive(self, event: Rx) -> None:
        frame = event.frame
        raw, net = bytes(frame.head[frame.start :]), frame.net
        if net and raw[12:14] == b"\x08\x06" and raw[38:42] == ADDRESS:
            answer = raw[6:12] + MAC + raw[12:20] + b"\0\2" + MAC + ADDRESS + raw[22:32]
            self.actions.append(Tx(event.dev, Frame(answer)))
        elif raw[net : net + 1] == b"\x45" and raw[net + 9] == 1 and raw[net + 20] == 8:
            self.actions.append(Tx(event.dev, Frame(echo_reply(raw, net), net=net)))

    def drain(self, now: int) -> list[Action]:
        done, self.actions = self.actions, []
        return done

    def deadline(self) -> int | None:
        return self.due


def echo_reply(raw: bytes, net: int) -> bytes:
    link = raw[6:12] + raw[:6] + raw[12:14] if net else b""
    total = struct.unpack_from("!H", raw, net + 22)[0] + 0x800
    swapped = raw[net : net + 12] + raw[net + 16 : net + 20] + raw[net + 12 : net + 16]
    return link + swapped + b"\0\0" + struct.pack("!H", (total & 0xFFFF) + (total >> 16)) + raw[net + 24 :]
