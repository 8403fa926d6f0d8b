# SPDX-License-Identifier: GPL-2.0-or-later
"""ip, tc and ethtool for the virtual shell: what may be asked of the host's device and routes.

Each command is read word by word, and only what is known here is taken. The kernel target then has it done in its own
namespace. A host of ours remembers no metrics of destinations, queues nothing at its device and hands out real
segments, so that flushing them and the switches of offload ask nothing of it, and a queue has room for whatever comes,
if it has room at all; the rest is refused there.
"""

import re
import shlex
from collections.abc import Callable
from typing import NoReturn

from labstack.core.errors import StackError
from labstack.scenario.shell.commands import Action, Call, Done, inside
from labstack.scenario.shell.words import refuse
from labstack.stack.manage import QDISCS

ROUTE = ("route", "ro", "r")
ACTIONS = ("add", "append", "change", "replace", "del", "delete")
NUMBERS = ("metric", "advmss", "mtu", "initcwnd", "initrwnd", "window", "hoplimit", "quickack", "reordering", "cwnd")
WORDS = ("via", "dev", "src", "rto_min", "congctl", "proto", "scope", "table", "features", "rtt", "rttvar", "ssthresh")
METRICS = ("mtu", "advmss", "initcwnd")  # those of them that a host of ours has
OFFLOADS = ("tso", "gso", "gro", "lro", "tx", "rx", "sg", "ufo", "tx-checksumming", "rx-checksumming", "scatter-gather")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/%]*")  # an address, a prefix, a name, a number


def ip(call: Call) -> Action:
    """`ip tcp_metrics flush`, `ip route flush cache`, `ip route change ...`"""
    words = [word for word in call.args if word not in ("-4", "-6")]
    what, action, rest = (*words, "", "")[0], (*words, "", "")[1], words[2:]
    if what == "tcp_metrics" and action in ("flush", "del", "delete") and all(map(_WORD.fullmatch, rest)):
        return _forget(call)
    if what in ROUTE and words[1:] == ["flush", "cache"]:
        return _done(call, bare=True)
    if what in ROUTE and action in ACTIONS and rest and _WORD.fullmatch(rest[0]):
        given = _route(call, rest[1:])
        return _done(call, bare=False) if inside(call.session) is not None else _change(call, action, rest[0], given)
    return _refuse(call)


def _route(call: Call, words: list[str]) -> dict[str, str]:
    """What is said of a route: "mtu": "640"; "lock": what is locked."""
    rest, given = list(reversed(words)), {}
    while rest:
        name = rest.pop()
        if name == "onlink":
            continue
        if rest and rest[-1] == "lock":
            rest.pop()
            given["lock"] = name
        given[name] = _value(call, rest, name in NUMBERS, name in NUMBERS or name in WORDS)
    return given


def _change(call: Call, action: str, prefix: str, given: dict[str, str]) -> Action:
    """A host of ours has this route from now on."""
    administer = getattr(call.session.target, "administer", None)
    metrics = {name: int(given[name]) for name in METRICS if name in given}
    known = given.keys() <= {"via", "dev", "lock", *METRICS} and given.get("lock", "mtu") == "mtu"
    if administer is None or action not in ("change", "replace") or not known or "dev" not in given:
        _refuse(call)
    asked = prefix, given.get("via", ""), given["dev"], metrics.get("mtu", 0), "lock" in given

    def run(stdin: str) -> Done:
        try:
            administer("route_change", *asked, metrics.get("advmss", 0), metrics.get("initcwnd", 0))
        except StackError as error:
            return Done(2, "", f"RTNETLINK answers: {error.strerror}\n")
        return Done()

    return run


def tc(call: Call) -> Action:
    """`tc qdisc replace dev tun0 root pfifo limit 100`"""
    rest = list(reversed(call.args))
    if not rest or rest.pop() != "qdisc" or not rest or rest[-1] not in ACTIONS:
        _refuse(call)
    action, kind, limit = rest.pop(), "", "1"
    while rest:
        name = rest.pop()
        if name in ("dev", "limit", "handle", "parent"):
            value = _value(call, rest, name == "limit", True)
            limit = value if name == "limit" else limit
        elif name != "root" and (kind or not name.isidentifier()):
            _refuse(call)
        elif name != "root":
            kind = name
    if inside(call.session) is not None:
        return _done(call, bare=False)
    kind = "pfifo_fast" if action in ("del", "delete") else kind
    if kind not in QDISCS:
        _refuse(call)
    return _queue(call, kind, int(limit))


def _queue(call: Call, kind: str, limit: int) -> Action:
    """A host of ours queues so from now on."""
    administer = getattr(call.session.target, "administer", None)
    if administer is None and (kind == "fq" or not limit):
        _refuse(call)

    def run(stdin: str) -> Done:
        if administer is not None:
            administer("qdisc_set", 1, kind, limit)
        return Done()

    return run


def ethtool(call: Call) -> Action:
    """`ethtool -K tun0 tso off gso off`"""
    words = call.args
    if len(words) < 4 or words[0] not in ("-K", "--offload", "--features") or len(words) % 2:
        _refuse(call)
    pairs = zip(words[2::2], words[3::2], strict=True)
    if not _WORD.fullmatch(words[1]) or any(name not in OFFLOADS or to not in ("on", "off") for name, to in pairs):
        _refuse(call)
    return _done(call, bare=True)


def _value(call: Call, rest: list[str], number: bool, known: bool) -> str:
    """The next word, the value of a known one."""
    value = rest.pop() if rest else ""
    if not known or not (value.isdecimal() and len(value) < 10 if number else _WORD.fullmatch(value)):
        _refuse(call)
    return value


def _done(call: Call, bare: bool) -> Action:
    """Have it done; bare: it asks nothing of a host of ours."""
    run = inside(call.session)
    if run is not None:
        text = shlex.join([call.name, *call.args])
        return lambda stdin: Done(*run(text))
    return (lambda stdin: Done()) if bare else _refuse(call)


def _forget(call: Call) -> Action:
    """What is remembered of destinations is forgotten."""
    if inside(call.session) is not None:
        return _done(call, bare=True)

    def forget(stdin: str) -> Done:
        call.session.target.forget()
        return Done()

    return forget


def _refuse(call: Call) -> NoReturn:
    refuse(f"'{' '.join([call.name, *call.args])[:120]}'")


COMMANDS: dict[str, Callable[[Call], Action]] = {"ip": ip, "tc": tc, "ethtool": ethtool}
