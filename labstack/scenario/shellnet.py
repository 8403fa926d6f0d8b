# SPDX-License-Identifier: GPL-2.0-or-later
"""ip, tc, ethtool and route for the virtual shell: what they ask of the host's device and routes, as far as it can.

A target may have `configure(what, **values)`, which raises KeyError with a sentence for what it cannot do:

    configure("metrics", action="flush", to="all")                  remembered ssthresh, RTT, cookies of destinations
    configure("route", action="change", to="192.0.2.1", via="192.168.0.2", dev="tun0", advmss=600, mtu=640, lock=True)
    configure("qdisc", action="replace", dev="tun0", kind="pfifo", limit=0)
    configure("offload", dev="tun0", tso=False, gso=False)

One that has it not remembers no metrics, queues nothing at its device and hands out real segments, so that flushing,
a plain fifo and the switches of offload ask nothing of it; all else is refused.
"""

from collections.abc import Callable
from typing import Any, NoReturn

from labstack.scenario.shellcommands import Action, Call, Done
from labstack.scenario.shellwords import refuse

ACTIONS = ("add", "append", "change", "replace", "del", "delete")
FIFOS = ("pfifo", "bfifo", "pfifo_fast", "noqueue")
NUMBERS = ("metric", "advmss", "mtu", "initcwnd", "initrwnd", "window", "hoplimit", "quickack", "reordering", "cwnd")
WORDS = ("via", "dev", "src", "rto_min", "congctl", "proto", "scope", "table", "features", "rtt", "rttvar")
OFFLOADS = ("tso", "gso", "gro", "lro", "tx", "rx", "sg", "ufo", "tx-checksumming", "rx-checksumming", "scatter-gather")


def ip(call: Call) -> Action:
    words = [word for word in call.args if word not in ("-4", "-6")]
    what, action, rest = (*words, "", "")[0], (*words, "", "")[1], words[2:]
    if what == "tcp_metrics" and action in ("flush", "del", "delete"):
        return _configured(call, "metrics", bare=True, action=action, to=(*rest, "all")[0])
    if what in ("route", "ro", "r") and action == "flush" and rest == ["cache"]:
        return lambda stdin: Done()
    if what in ("route", "ro", "r") and action in ACTIONS and rest:
        return _configured(call, "route", bare=False, action=action, **_route(call, rest))
    return _refuse(call)


def _route(call: Call, words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"to": words[0]}
    rest = list(reversed(words[1:]))
    while rest:
        name = rest.pop()
        if name == "onlink":
            continue
        if rest and rest[-1] == "lock":
            rest.pop()
            found["lock"] = True
        if name not in (*NUMBERS, *WORDS) or not rest:
            _refuse(call)
        value = rest.pop()
        found[name] = _number(call, value) if name in NUMBERS else value
    return found


def tc(call: Call) -> Action:
    words = list(reversed(call.args))
    if not words or words.pop() != "qdisc" or not words or words[-1] not in ACTIONS:
        _refuse(call)
    found: dict[str, Any] = {"action": words.pop(), "kind": ""}
    while words:
        name = words.pop()
        if name in ("dev", "limit", "handle", "parent") and words:
            value = words.pop()
            found[name] = _number(call, value) if name == "limit" else value
        elif name == "root":
            found[name] = True
        elif not found["kind"] and name.isidentifier():
            found["kind"] = name
        else:
            _refuse(call)
    gone = found["action"] in ("del", "delete")
    return _configured(call, "qdisc", gone or (found["kind"] in FIFOS and found.get("limit", 1) > 0), **found)


def ethtool(call: Call) -> Action:
    words = call.args
    if len(words) < 4 or words[0] not in ("-K", "--offload", "--features") or len(words) % 2:
        _refuse(call)
    found: dict[str, Any] = {"dev": words[1]}
    for name, value in zip(words[2::2], words[3::2], strict=True):
        if name not in OFFLOADS or value not in ("on", "off"):
            _refuse(call)
        found[name] = value == "on"
    return _configured(call, "offload", bare=True, **found)


def route(call: Call) -> Action:
    """`route add -host A gw B dev D` and the like."""
    words = list(reversed(call.args))
    if not words or words.pop() not in ("add", "del"):
        _refuse(call)
    found: dict[str, Any] = {"action": call.args[0]}
    names = {"gw": "via", "dev": "dev", "netmask": "netmask", "metric": "metric", "mss": "advmss", "window": "window"}
    while words:
        word = words.pop()
        if word in ("-host", "-net", "-A", "inet", "inet6"):
            continue
        if word in names and words:
            value = words.pop()
            found[names[word]] = _number(call, value) if names[word] in NUMBERS else value
        elif "to" not in found:
            found["to"] = word
        else:
            _refuse(call)
    return _configured(call, "route", bare=False, **found)


def _configured(call: Call, what: str, bare: bool, **values: Any) -> Action:
    """Have the target do it; bare: a target without configure() has nothing to do for it."""
    configure: Callable[..., None] | None = getattr(call.session.target, "configure", None)
    if configure is None:
        return (lambda stdin: Done()) if bare else _refuse(call)

    def run(stdin: str) -> Done:
        try:
            configure(what, **values)
        except (KeyError, ValueError) as error:
            return Done(2, "", f"{call.name}: {error.args[0] if error.args else what}\n")
        return Done()

    return run


def _number(call: Call, word: str) -> int:
    return int(word) if word.isdecimal() and len(word) < 12 else _refuse(call)


def _refuse(call: Call) -> NoReturn:
    refuse(f"'{' '.join([call.name, *call.args])[:120]}'")


COMMANDS: dict[str, Callable[[Call], Action]] = {"ip": ip, "tc": tc, "ethtool": ethtool, "route": route}
