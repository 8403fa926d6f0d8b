# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs, once: one word is one method of Lab, one line magic, one bare word at the prompt.

A verb's `read` turns what was typed behind the word into the method's arguments. Words for time are pdb's and gdb's,
words for packets are Scapy's, words for tables are those of `ip` and `ss`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from labstack.lab.errors import LabError, told
from labstack.lab.host import Host

Names = Mapping[str, Any]
Args = dict[str, Any]

FLAGS = frozenset("tunliaemop")  # of ss


class Verb(NamedTuple):
    """usage: how it is typed; does: one line of help; read: (typed text, namespace) -> keyword arguments."""

    word: str
    method: str
    usage: str
    does: str
    read: Callable[[str, Names], Args]
    shorts: tuple[str, ...] = ()
    key: str = ""  # function key


def argument(text: str) -> str:
    """What was typed behind the word, without a trailing comment."""
    return f" {text}".partition(" # ")[0].strip()


def nothing(text: str, names: Names) -> Args:
    if text:
        raise LabError(f"nothing goes behind this word, but there was {text!r}")
    return {}


def count(text: str, names: Names) -> Args:
    """`3` or nothing."""
    if not text:
        return {}
    if not text.isdigit():
        raise LabError(f"expected a number of events, as in 'step 3', not {text!r}")
    return {"n": int(text)}


def event(text: str, names: Names) -> Args:
    """The number of an event, with or without #."""
    return count(text.removeprefix("#"), names)


def words(text: str, names: Names) -> Args:
    return {"words": text}


def duration(text: str, names: Names) -> Args:
    return {"time": text}


def condition(text: str, names: Names) -> Args:
    return {"condition": text, "names": names}


def host(text: str, names: Names) -> Args:
    """The name of a host, or nothing for every host."""
    if text.startswith("-"):
        raise LabError(f"there is no {text.split()[0]}: give the name of a host, or nothing")
    return {"host": text} if text else {}


def block(text: str, names: Names) -> Args:
    """A variable that is a connection's handle, the name of a host, or nothing."""
    return {"of": names.get(text, text)} if text else {}


def sockets(text: str, names: Names) -> Args:
    """The name of a host, or nothing, with ss's own flags, which say nothing new."""
    return host(" ".join(word for word in text.split() if not set(word[1:]) <= FLAGS or word[0] != "-"), names)


def setting(text: str, names: Names) -> Args:
    """`[host] [PATTERN | NAME=VALUE]`, with the flags of sysctl's and nstat's own, which say nothing new."""
    given = re.sub(r"^-[awz]+\b", "", text).strip()
    first, _, rest = given.partition(" ")
    return {"host": names[first], "words": rest} if isinstance(names.get(first), Host) else {"words": given}


def packet(text: str, names: Names) -> Args:
    """`PACKET` or `PACKET to HOST`; PACKET is a Python expression."""
    expression, _, target = text.rpartition(" to ") if " to " in text else (text, "", "")
    if not expression:
        raise LabError('give a packet: inject Ether()/ARP(pdst="10.0.0.2") to h2')
    try:
        value = eval(expression, dict(names))
    except Exception as error:
        raise LabError(f"inject {expression}: {told(error, names)}") from None
    return {"packet": value, **({"to": target.strip()} if target else {})}


def name(text: str, names: Names) -> Args:
    return {"name": text} if text else {}


def other(text: str, names: Names) -> Args:
    """The name of another world."""
    if not text:
        raise LabError("which world? main, or the name given to fork")
    return {"name": text}


def file(text: str, names: Names) -> Args:
    if not text:
        raise LabError("give a file name: export run.pcapng")
    return {"path": text}


def recording(text: str, names: Names) -> Args:
    """`FILE`, `HOST`, both or none: the name of a file has a dot or a slash in it."""
    given = text.split()
    files = [word for word in given if "." in word or "/" in word]
    hosts = [word for word in given if word not in files]
    if len(files) > 1 or len(hosts) > 1:
        raise LabError("one file and one host: record run.pkt h2")
    return {**({"path": files[0]} if files else {}), **({"host": hosts[0]} if hosts else {})}


VERBS = (
    Verb("step", "step", "step [n]", "the next event anywhere: a frame arrives, a timer, a call", count, ("s",), "f8"),
    Verb("back", "back", "back [n]", "undo the last event, completely", count, ("rs",), "f7"),
    Verb("continue", "run", "continue", "run until nothing is under way", nothing, ("c", "run"), "f5"),
    Verb("until", "until", "until EXPR", 'run to a condition: until c1.state == "ESTABLISHED"', condition),
    Verb("advance", "advance", "advance 200ms", "let virtual time pass: 200ms, 1.5s, 30us", duration),
    Verb("where", "where", "where", "the clock, what is pending, the last reason", nothing, ("w",)),
    Verb("ladder", "ladder", "ladder [n]", "the picture of what happened (the last n rows)", count),
    Verb("why", "why", "why [n]", "the rules behind an event, layer by layer", event, ("explain",)),
    Verb("events", "events", "events [text]", "the list of events (that mention text)", words),
    Verb("ss", "ss", "ss [host]", "sockets, as `ss -ti` prints them", sockets),
    Verb("tcb", "tcb", "tcb [c]", "variables of a connection, or of all: SND.UNA, RCV.NXT, RTO, cwnd", block),
    Verb("arp", "arp", "arp [host]", "IPv4 neighbours, as `ip neigh`", host),
    Verb("neigh", "neigh", "neigh [host]", "all neighbours, as `ip neigh`", host, ("nd",)),
    Verb("route", "route", "route [host]", "addresses and routes, as `ip route`", host),
    Verb("sysctl", "sysctl", "sysctl [host] [name[=value]]", "settings, as `sysctl -a`; or set one", setting),
    Verb("nstat", "nstat", "nstat [host] [name]", "what was counted, as `nstat -a`", setting),
    Verb("timers", "timers", "timers [host]", "what is armed, and when it is due", host),
    Verb("inject", "inject", "inject PACKET [to host]", "hand a packet to a host (Scapy's, ours, or bytes)", packet),
    Verb("fork", "fork", "fork [name]", "copy the world to ask what if; at the prompt we are in the copy then", name),
    Verb("diff", "diff", "diff NAME", "where this world and another differ", other),
    Verb("enter", "enter", "enter NAME", "go to another world: main, or one that was forked", other),
    Verb("export", "export", "export FILE.pcapng", "frames with the reasons as comments, for Wireshark", file),
    Verb("record", "record", "record [FILE.pkt] [host]", "what happened, as a scenario for `labstack run`", recording),
)
# other words that people know from debuggers, and from a shell
HINTS = {
    **dict.fromkeys(
        ("break", "b", "tbreak"),
        "there are no breakpoints: `until EXPR` runs to a condition, as until len(lab.records) == 3",
    ),
    **dict.fromkeys(
        ("next", "n"), '`step` does the next event anywhere; `until ev.host == "h1"` runs to the next one of h1'
    ),
    "ip": "`neigh`, `route` and `arp` are the tables of `ip`; h1.ip, h1.ip6 and h1.mac the addresses",
    "netstat": "`ss` lists sockets, `nstat` what was counted, `route` the routes",
    "ping": "h1.ping(h2.ip) queues an echo request, and `step` or `continue` lets it go",
    **dict.fromkeys(
        ("nc", "curl", "telnet"), "h2.listen(80) and c = h1.connect(h2.ip, 80) are the two ends; `continue`"
    ),
    "tc": "lab.wire.delay('50ms'), .loss(0.1), .rate(1_000_000), ... are what netem does",
    "watch": "`until EXPR` runs to a change, as in: until c.snd.una > 1000",
}
BY_WORD = {word: verb for verb in VERBS for word in (verb.word, *verb.shorts)}
