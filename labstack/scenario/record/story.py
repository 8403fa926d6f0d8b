# SPDX-License-Identifier: GPL-2.0-or-later
"""Story: one host's side of what happened, as a list: its system calls and what they returned, frames, sysctls.

Made from the records of a run, of whichever kind; `script` and `python` tell it. The lab's own calls
become the system calls that do the same (record_calls).
"""

from typing import Any, NamedTuple

from labstack.core.config import Config
from labstack.core.errors import StackError
from labstack.core.event import Call, Rx
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.scenario.record.calls import Applications
from labstack.scenario.record.events import Called, Changed, Crossed, Happened
from labstack.scenario.target import Message, Result
from labstack.sim.history import History


class Story(NamedTuple):
    """host: its name; happened: in the order in which it did; config: its sysctls at the beginning
    addresses: its own, packed; mtu: of its first interface
    written: somebody wrote what the remote end sends, so that its initial numbers mean something
    left_out: what happened and cannot be told, as sentences
    """

    host: str
    happened: tuple[Happened, ...]
    config: Config = Config()
    addresses: tuple[bytes, ...] = ()
    mtu: int = 1500
    written: bool = False
    left_out: tuple[str, ...] = ()


def of_history(history: Any, host: str) -> Story:
    """What happened to a host up to the present of a sim.History, or of what a lab on a TAP has in its place."""
    stack = history.world.hosts[host]
    teller = _Teller(stack.files.done)
    for record in history.past:
        if record.host == host:
            teller.tell(record)
    outside = [iface for iface in stack.net.ifaces.values() if iface.name != "lo"]
    return Story(
        host,
        tuple(teller.happened),
        _config(history, host),
        tuple([addr.ip for iface in outside for addr in iface.addrs]),
        outside[0].mtu if outside else 1500,
        any(type(other).__name__ == "Station" for other in history.world.hosts.values()),
        tuple(dict.fromkeys(teller.applications.left_out)),
    )


def _config(history: Any, host: str) -> Config:
    """The host's sysctls at the beginning; the present ones where there is no going back."""
    if isinstance(history, History):
        history = history.fork("record")
        history.goto(0)
    config: Config = history.world.hosts[host].env.config
    return config


class _Teller:
    """Takes in the records of one host; done: results of its calls that nobody has asked for yet."""

    def __init__(self, done: Any) -> None:
        self.happened: list[Happened] = []
        self.applications = Applications()
        self._done = done
        self._blocking: dict[int, int] = {}  # ticket: where its call stands in `happened`

    def tell(self, record: Record) -> None:
        """What one event was, and what the host sent with it."""
        event = record.event
        if isinstance(event, Rx):
            self.happened += _crossed(record.at, True, event.frame)
        elif isinstance(event, Call):
            self._called(record, event)
        for sent in record.sent:
            self.happened += _crossed(record.at, False, sent.frame)

    def _called(self, record: Record, call: Call) -> None:
        if call.op == "sys":
            self._system(record, *call.args)
        elif call.op == "sys_result":
            self._returned(call.args[0], record.result)
        elif call.op == "sysctl" and len(call.args) == 2 and not isinstance(record.result, StackError):
            self.happened.append(Changed(record.at, *call.args))
        else:
            self.happened += self.applications.told(record.at, call, record.result)

    def _system(self, record: Record, name: str, *args: Any) -> None:
        back = record.result
        if isinstance(back, int):
            self._blocking[back] = len(self.happened)
            self.happened.append(Called(record.at, name, args))
            self._returned(back, self._done.get(back))
        elif not isinstance(back, StackError):  # else no C program could have made this call
            self.happened.append(Called(record.at, name, args, _result(name, back)))

    def _returned(self, ticket: int, back: Any) -> None:
        at = self._blocking.get(ticket)
        if back is not None and at is not None:
            call: Any = self.happened[at]
            self.happened[at] = call._replace(back=_result(call.name, back[1]), until=back[0])


def _crossed(at: int, inbound: bool, frame: Frame) -> list[Crossed]:
    return [Crossed(at, inbound, raw, frame.net) for raw in frame.cuts()]


def _result(name: str, back: tuple[int, int, Any]) -> Result:
    """What a system call returned, as targets say it."""
    number, errno, data = back
    return Result(number, errno, Message(*data) if name == "recvmsg" and data is not None else data)
