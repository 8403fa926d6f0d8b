# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an event went as it did, in words: the rules that decided, layer by layer, the states that changed, what left.

The words are the rules' own sentences (core.rules); this page only puts them in order.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labstack.core.event import Became, Call, Note, Trace
from labstack.core.record import Record
from labstack.core.rules import Rule, cite, sentence
from labstack.lab import syscalls
from labstack.lab.view import Line, Span, View, ms, wrap
from labstack.lab.words import Seen, Told

# RFC -> the layer at whose line its rules stand; all others are of TCP; `drop.<layer>.`, `linux/...` say it themselves
LAYER = {
    "826": "arp", "5227": "arp", "1122": "ip", "791": "ip", "8200": "ip", "6724": "ip", "1812": "ip", "792": "icmp",
    "1191": "ip", "8201": "ip", "4443": "icmp", "4861": "nd", "4862": "nd", "6583": "nd", "768": "udp",
}  # fmt: skip
INDENT = 9  # of what is continued: behind the layer's name
HEIGHT = {"link": 1, "arp": 2, "nd": 2, "ip": 3, "icmp": 4, "udp": 4, "tcp": 4}
# rules that accompany an event and are seldom what it was about
DETAILS = {
    "1122/3.3.1.1/on_link": 0, "9293/3.4.1/isn": 0, "9293/3.7.1/mss": 0, "9293/3.10.7.4/ack/window": 0,
    "6298/2.2/first": 0, "6298/2.3/next": 0, "4861/7.3.3/delay": 0, "4861/7.3.1/hint": 0,
    "1122/2.3.2.1/delay": 0, "1122/2.3.2.1/hint": 0,
    "9293/3.8.6.3/delay": 0, "6298/5.5/backoff": 0, "5681/3.1/timeout": 0, "9293/3.10.7.4/ack/new": 1,
    "9293/3.10.2/send": 0, "linux/tcp_in_quickack_mode/at-once": 0, "2018/2/agreed": 0, "7323/3.2/agreed": 0,
    "6937/3/begin": 0, "6937/3/proportional": 0, "6937/3/rebuild": 0, "9438/4.2/epoch": 0, "9438/4.7/converge": 0,
    "8257/3.3/alpha": 0,
}  # fmt: skip


class Why(View):
    """The explanation of one record; told: its frames in words."""

    def __init__(self, record: Record, rules: Mapping[str, Rule], told: Told) -> None:
        self.record = record
        self.rules = rules
        self.told = told

    def lines(self, width: int) -> Iterable[Line]:
        for line in self._lines():
            yield from wrap(line, width, INDENT)

    def _lines(self) -> Iterable[Line]:
        record = self.record
        yield [Span(f"#{record.n}", "mark"), Span(f"  {ms(record.at)} ms  ", "dim"), Span(record.host, "host"),
               Span("  " + event_words(record, self.told.came))]  # fmt: skip
        if isinstance(record.result, Exception):
            yield [Span(f"  {'error':<6} ", "bad"), Span(short(record, self.rules), "bad")]
        elif lacking := shortfall(record):
            yield [Span(f"  {'result':<6} ", "mark"), Span(lacking)]
        for trace in record.trace:
            yield _trace_line(trace, self.rules)
        for sent, seen in zip(record.sent, self.told.sent, strict=True):
            lost = [Span(f"  ✗ {sent.fate}", "bad")] if sent.fate else []
            yield [Span(f"  {'out':<6} "), Span(f" {seen.label} ", seen.style), *lost]
        if record.fault:
            yield [Span(f"  {'fault':<6} contained: {record.fault.strip().splitlines()[-1]}", "bad")]
        if not (record.trace or record.sent or record.fault or isinstance(record.result, Exception)):
            yield [Span("  nothing changed, nothing was sent", "dim")]


def changes(record: Record) -> list[tuple[str, str]]:
    """What changed its state, and how: [("tcp", "CLOSED → LISTEN → SYN_RECEIVED")]."""
    paths: dict[tuple[str, int], list[str]] = {}
    for it in record.trace:
        if isinstance(it, Became):
            path = paths.setdefault((it.what, it.sock), [it.old or "(none)"])
            path.append(it.new or "(none)")
    return [(what, " → ".join(path)) for (what, _), path in paths.items()]


def event_words(record: Record, came: Seen | None) -> str:
    """What the event was: 'received SYN seq=0', 'called connect 10.0.0.2 80', 'timer'; came: an arrival's words."""
    event = record.event
    if came is not None:
        return ("received " if record.flight else "was handed ") + came.label
    return f"called {call_words(event, record.result)}" if isinstance(event, Call) else "a timer ran out"


CALLS = {
    "connect": "connect to {0} port {1}", "listen": "listen on port {0}", "udp": "open UDP port {0}",
    "ping": "ping {0}", "send": "send {1}", "sendto": "send {1} to {2} port {3}", "recv": "recv",
    "recvfrom": "recvfrom", "take": "take", "accept": "accept", "close": "close",
    "abort": "abort", "shutdown": "shutdown {1}", "inject": "inject {0}", "Scapy": "Scapy with a frame of {0}",
}  # fmt: skip


def call_name(call: Call) -> str:
    """The name of an application's call: 'connect'."""
    return str(call.args[0]) if call.op == "sys" else call.op


def call_words(call: Call, result: Any = None) -> str:
    """An application's call: 'connect to 10.0.0.2 port 80', 'send 100 B'; a system call with what it returned."""
    if call.op == "sys":
        return syscalls.words(call.args[0], call.args[1:]) + syscalls.returned(result)
    if call.op == "sys_result":
        return syscalls.finished(result)
    args = [f"{len(a)} B" if isinstance(a, (bytes, memoryview)) else a for a in call.args]
    told = CALLS.get(call.op)
    return told.format(*args) if told else " ".join([call.op, *map(str, args)])


def _trace_line(trace: Trace, rules: Mapping[str, Rule]) -> Line:
    if isinstance(trace, Became):
        return [Span(f"  {trace.what:<6} "), Span(f"{trace.old or '(none)'} → {trace.new or '(none)'}", "state")]
    dropped = trace.rule.startswith("drop.")
    place = f"   [{cite(trace.rule)}]"
    words = meaning(trace, rules)
    return [Span(f"  {layer(trace.rule):<6} "), Span(words, "bad" if dropped else ""), Span(place, "rule")]


def layer(rule: str) -> str:
    """The layer at whose line a rule stands: 'link', 'arp', 'ip', 'icmp', 'nd', 'udp', 'tcp'."""
    if rule.startswith("drop."):
        return rule.split(".")[1]
    head, _, rest = rule.partition("/")
    if head == "linux":
        return "tcp" if "tcp" in rest else "nd" if "gc_stale" in rest else "ip"
    return "arp" if rule.startswith("1122/2.3.2") else LAYER.get(head, "tcp")


def short(record: Record, rules: Mapping[str, Rule]) -> str:
    """The one rule that best explains an event, cited: 'RFC 9293 §3.10.1 active OPEN'; '' if no rule was noted."""
    if record.fault:
        return "fault contained: " + record.fault.strip().splitlines()[-1]
    if isinstance(record.result, OSError):
        return record.result.strerror or str(record.result)
    if lacking := shortfall(record):
        return lacking
    chief = choose(record.trace, bool(record.sent))
    return f"{cite(chief.rule)} {meaning(chief, rules)}" if chief else ""


def meaning(note: Note, rules: Mapping[str, Rule]) -> str:
    """What a note says; a note with other values than its sentence expects says it without them."""
    try:
        return sentence(rules, note.rule, note.values)
    except (IndexError, ValueError):
        return rules[note.rule].says


def shortfall(record: Record) -> str:
    """What to know of a send that did not take everything; '' otherwise."""
    event = record.event
    if isinstance(event, Call) and event.op == "send" and record.result < len(event.args[1]):
        return f"only {record.result} bytes fitted into the send buffer; send the rest when there is room"
    return ""


def choose(traces: Sequence[Trace], answered: bool) -> Note | None:
    """The note to show when there is room for one: the last one of the highest layer that is no detail.

    A drop is the whole story of an event, unless something was sent in answer: then the rule of the answer is.
    """
    notes = [t for t in traces if isinstance(t, Note)]
    return max(reversed(notes), key=lambda note: _weight(note.rule, answered), default=None)


def _weight(rule: str, answered: bool) -> int:
    if rule.startswith("drop."):
        return 0 if answered else 9
    return DETAILS.get(rule, HEIGHT.get(layer(rule), 2))
