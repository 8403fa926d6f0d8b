# SPDX-License-Identifier: GPL-2.0-or-later
"""Loose: plays a script without judging what the host answers: expectations only tell what a script calls its numbers.

An outbound line waits for whatever comes by its time; calls return what they return, and may block as long as they
like; what cannot be sent or made is left out. So a script still says something when packets in it were changed.
"""

from collections.abc import Callable
from contextlib import suppress

from labstack.packetdrill.script import Command, Event, Packet, Script, Syscall, Tcp
from labstack.scenario.packets import segments, tcpopt
from labstack.scenario.packets.flow import Flow, PacketError
from labstack.scenario.packets.wire import SYN, Wire, segment
from labstack.scenario.record.script import FIRST_STAMP
from labstack.scenario.script.calling import Started
from labstack.scenario.script.clock import LONGEST, SECOND, Span
from labstack.scenario.script.plan import plan
from labstack.scenario.script.runner import Run
from labstack.scenario.settings import Settings
from labstack.scenario.shell.shell import RefusedError
from labstack.scenario.target import Packet as Sent
from labstack.scenario.target import Target
from labstack.scenario.verdict import Failure

EVERYTHING = frozenset({"packet", "syscall"})
Change = Callable[[int, Packet, bytes], bytes]  # event, its packet, the bytes to be sent -> those that are


class Loose(Run):
    """change: has the last word on the bytes of every packet that is sent to the host."""

    def __init__(self, script: Script, target: Target, settings: Settings, change: Change | None = None) -> None:
        it = plan(script, settings)._replace(non_fatal=EVERYTHING, ecr_scaled=True)
        super().__init__(script, target, it, settings)
        self.change = change
        self.parked: list[Started] = []
        said = [body for body in map(_body, script.events) if body is not None]
        self._isn = next((body.seq for body in said if "S" in body.flags), 0)
        self._stamped = any(tcpopt.stamp(body.options) is not None for body in said)

    def _event(self, event: Event) -> None:
        span, action = self.clock.span(event, self.target.now), event.action
        if span.first > LONGEST:
            raise self._failed("endless", f"the script goes on after {LONGEST // SECOND} s")
        if isinstance(action, Packet) and not action.inbound:
            self._expect(action, span)
            return
        self._pass(self.clock.live(span.first))
        if isinstance(action, Packet):
            self._inject(action)
        elif isinstance(action, Syscall):
            self._call(event, action, span)
        elif isinstance(action, Command):
            self._command(action)

    # outbound: whatever comes

    def _expect(self, packet: Packet, span: Span) -> None:
        flow, since = self.sockets.receiver(packet)
        sent = self._next(packet, flow, since, self.clock.live(span.last))
        came = segment(sent.data) if sent is not None else None
        said = tcpopt.stamp(packet.body.options) if isinstance(packet.body, Tcp) else None
        if said is not None and came is not None and came.stamp is not None:
            flow.stamped(said, came.stamp[0])
        self._pass(self.clock.live(span.first))

    def _wait(self, until: int) -> Sent | None:
        sent = self.target.wait(until)
        if sent is not None:
            self._learn(sent.data)
        return sent

    def _pass(self, until: int) -> None:
        super()._pass(until)
        self._reap()

    def _learn(self, data: bytes) -> None:
        """The initial numbers, ports and timestamps of our own connections, from what they send."""
        wire = segment(data)
        flow = wire and next((it.flow for it in reversed(self.sockets.known) if _belongs(wire, it.flow)), None)
        if wire is None or flow is None:
            return
        if wire.head.flags & SYN:
            flow.answered(wire.head, self._isn)
        if wire.stamp is not None and not self._stamped and flow.first is None:
            flow.stamped(FIRST_STAMP, wire.stamp[0])

    # inbound, calls, commands: as far as they can be done

    def _inject(self, packet: Packet) -> None:
        try:
            data = segments.build(packet, self.sockets.sender(packet))
        except PacketError:
            return
        self.target.inject(self.change(self.number, packet, data) if self.change else data)

    def _call(self, event: Event, call: Syscall, span: Span) -> None:
        self._reap()
        self.calling.start(self.number, event, call, span)
        self._park()

    def _command(self, command: Command) -> None:
        with suppress(RefusedError):
            self.shell.run(command.text)

    # calls that block

    def _park(self) -> None:
        if self.calling.blocking is not None:
            self.parked.append(self.calling.blocking)
            self.calling.blocking = None

    def _reap(self) -> None:
        """Take in what calls that blocked have returned."""
        waiting, self.parked = self.parked, []
        for started in waiting:
            self.calling.blocking = started
            self.calling.reap()
            self._park()

    def _tell(self, failure: Failure, about: str) -> None:
        """Nobody judges."""


def _body(event: Event) -> Tcp | None:
    """The segment that a line expects."""
    action = event.action
    return action.body if isinstance(action, Packet) and not action.inbound and isinstance(action.body, Tcp) else None


def _belongs(wire: Wire, flow: Flow) -> bool:
    """Is a segment of ours one of this flow? While its port is unknown, a SYN to the remote port is."""
    if flow.remote_port != wire.head.dport or (wire.src, wire.dst) != (flow.local, flow.remote):
        return False
    return flow.local_port == wire.head.sport or (not flow.local_port and bool(wire.head.flags & SYN))
