# SPDX-License-Identifier: GPL-2.0-or-later
"""LiveHost: one stack opposite the Linux kernel, running: `up()` makes the wire, the stack and the loop in one call.

with up() as host:
    sock = host.call("connect", "10.0.0.254", 80)      # any operation of the stack, from any thread
    print(host.wire.exec("ping", "-c1", "10.0.0.1").stdout)
"""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from labstack.core.config import Config
from labstack.live.capture import Capture
from labstack.live.impaired import Impaired, Way
from labstack.live.loop import Loop, Machine
from labstack.live.recorder import Recorder
from labstack.live.wire import Plan, Wire, open_wire
from labstack.stack import Stack, make

DEV = 1  # the index of our interface
LARGEST = 65_535  # bytes of an IP packet that the device cuts: with offload itself, without it at its edge


class LiveHost:
    """wire: the device and the kernel's side; stack: the machine; loop: what drives it; dev: its interface index."""

    def __init__(self, wire: Wire, stack: Stack, loop: Loop, dev: int, held: ExitStack) -> None:
        self.wire = wire
        self.stack = stack
        self.loop = loop
        self.dev = dev
        self.call = loop.call
        self.on = loop.on
        self.open = loop.open
        self._held = held

    @property
    def records(self) -> list[Any]:
        """What happened, as core.record.Record, oldest first; empty unless asked for in up()."""
        return list(self.loop.recorder.records) if self.loop.recorder else []

    @property
    def drops(self) -> dict[str, int]:
        """Every frame that got lost between the stack and the wire, and every fault that was contained, by name."""
        return dict(self.wire.device.count + self.loop.count)

    def close(self) -> None:
        """Stop, and let everything go: the namespace with its interfaces vanishes, captures are complete."""
        self.loop.close()
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def up(
    kind: str = "auto",
    iface: str | None = None,
    plan: Plan | None = None,
    *,
    name: str = "lab",
    config: Config | None = None,
    seed: int | None = None,
    records: int = 0,
    capture: str | Path | None = None,
    quarantine: str | Path | None = None,
    there: Way | None = None,
    back: Way | None = None,
    start: bool = True,
) -> LiveHost:
    """A stack with its addresses and default routes on a wire to the kernel, running in a thread of its own.

    kind, iface, plan: see open_wire; seed: default from the operating system; records: how many to keep;
    capture, quarantine: pcapng files to write, for all frames and for those that a handler failed on;
    there, back: wires of the simulator over which our frames go and the kernel's come, see impaired.py; with `back`,
    records or a capture each frame comes by itself, whatever plan.gro says;
    start: False leaves it to the caller to `loop.run()`. Raises NoWireError when no wire is to be had.
    """
    with ExitStack() as undo:
        wire = undo.enter_context(open_wire(kind, iface, plan))
        stack = make(name, seed=int.from_bytes(os.urandom(32), "big") if seed is None else seed, config=config)
        loop = Loop(_impaired(stack, there, back))
        undo.callback(loop.close)
        dev = _configure(loop, wire)
        loop.attach(dev, wire.device, (plan or Plan()).gro and not (records or capture or back))
        files = [undo.enter_context(_file(path, dev, wire)) for path in (capture, quarantine) if path]
        if records or capture:
            loop.recorder = Recorder(stack, records or 1, files[0] if capture else None)
        if quarantine:
            loop.evidence = files[-1].evidence
        if start:
            loop.start()
        return LiveHost(wire, stack, loop, dev, undo.pop_all())


def _impaired(stack: Stack, there: Way | None, back: Way | None) -> Machine:
    if there is None and back is None:
        return stack
    return Impaired(stack, {DEV: there} if there else {}, {DEV: back} if back else {})


def _configure(loop: Loop, wire: Wire) -> int:
    """Our interface, its addresses, and a default route to the kernel in each family: the interface's index.

    In a namespace of our own nobody else can have our addresses, so they are usable at once.
    """
    device, call = wire.device, loop.call
    mac = device.mac if device.link == "ether" else b""
    dev = int(call("link_add", device.name, mac, device.mtu, LARGEST))
    for prefix in wire.ours.addresses:
        call("addr_add", dev, prefix, wire.space is None)
    for prefix in wire.kernel.addresses:
        address = prefix.partition("/")[0]
        call("route_add", "::/0" if ":" in address else "0.0.0.0/0", address, dev)
    return dev


def _file(path: str | Path, dev: int, wire: Wire) -> Capture:
    file = Capture(path)
    file.interface(dev, wire.device)
    return file
