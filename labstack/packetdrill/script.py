# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packetdrill script says, as plain values: the parser makes them, the printer writes them, runners act on them.

Times are ns. Sequence numbers, windows and option values are those of the script, not of the wire. A value that the
script does not give is None; `...` is ANY. Every event knows the place of its time token.
"""

from typing import NamedTuple


class Place(NamedTuple):
    file: str
    line: int  # 1, 2, ...
    column: int  # 1, 2, ...

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


# when

ABSOLUTE, RELATIVE, ANYTIME, RANGE, RELATIVE_RANGE = "absolute", "relative", "any", "range", "relative range"


class When(NamedTuple):
    """`1.5`, `+0.1`, `*`, `1~1.2`, `+.1~+.2`; `end` only for ranges."""

    kind: str
    at: int = 0
    end: int = 0


# packets


class Ip(NamedTuple):
    """What stands in brackets before a packet. ecn: 'noecn', 'ect0', 'ect1', 'ce', 'ect01'."""

    ecn: str | None = None
    tos: int | None = None
    ttl: int | None = None
    flowlabel: int | None = None


class Option(NamedTuple):
    """One TCP option: name and values as the script writes them.

    nop, eol, sackOK: (); mss, wscale: (number,); TS: (val, ecr); sack: (start, end, start, end, ...);
    md5: (bytes,); FO, FOEXP: (bytes,), or () for a cookie request; ECN: ("e0b", n, "ceb", n, ...)
    """

    name: str
    values: tuple[int | bytes | str, ...] = ()


class Tcp(NamedTuple):
    """flags: letters of 'FSRP.EWAU' in this order, '' for `-`; ace: the digit that stands for AE, CWR, ECE.

    options: () says that there are none, None (`<...>`) that they are not looked at.
    """

    flags: str
    seq: int
    size: int
    ack: int | None = None
    win: int | None = None
    urg: int | None = None
    options: tuple[Option, ...] | None = ()
    ace: int | None = None


class Udp(NamedTuple):
    size: int


class Quote(NamedTuple):
    """What an ICMP error quotes: kind 'tcp', 'udp' or 'raw'; `size` bytes of payload from seq on."""

    kind: str
    seq: int = 0
    size: int = 0


class Icmp(NamedTuple):
    """type and code: packetdrill's names, or numbers where the script has type_N and code_N."""

    type: str | int
    code: str | int | None = None
    mtu: int | None = None
    ident: int | None = None
    quote: Quote | None = None


class Packet(NamedTuple):
    """inbound: '<', towards the stack; else '>', expected from it."""

    inbound: bool
    body: Tcp | Udp | Icmp
    ip: Ip = Ip()
    ports: tuple[int, int] | None = None  # source, destination


# system calls


class Number(NamedTuple):
    value: int
    base: int = 10


class Symbol(NamedTuple):
    """A word of Linux's headers: AF_INET, O_NONBLOCK, NULL."""

    name: str


class Any_(NamedTuple):
    """`...`"""


ANY = Any_()


class Union(NamedTuple):
    """`a|b`"""

    parts: tuple["Expr", ...]


class Text(NamedTuple):
    value: bytes


class Array(NamedTuple):
    """`[a, b]`"""

    items: tuple["Expr", ...]


class Field(NamedTuple):
    """`key=value` inside braces; args: `msg_name(...)=...` has them."""

    key: str
    value: "Expr"
    args: tuple["Expr", ...] = ()


class Braces(NamedTuple):
    """`{a, b}` or `{key=a, key=b}`"""

    items: tuple["Expr", ...]


class Apply(NamedTuple):
    """`inet_addr("192.0.2.1")`, `htons(80)`"""

    name: str
    args: tuple["Expr", ...]


Expr = Number | Symbol | Any_ | Union | Text | Array | Field | Braces | Apply


class Syscall(NamedTuple):
    """end: when a blocking call returns: since the start of the script, or for a relative start since its base."""

    name: str
    args: tuple[Expr, ...]
    result: Expr
    errno: str | None = None
    note: str = ""  # other text in parentheses
    end: int | None = None


# the rest


class Command(NamedTuple):
    """Shell text between backquotes; line: of one before or behind all events, which has no Event to say it, or 0."""

    text: str
    line: int = 0


class Code(NamedTuple):
    """Python between %{ and }%, without blanks at its ends; line: of its first character, 0 if unknown."""

    text: str
    line: int = 0


class Event(NamedTuple):
    place: Place
    when: When
    action: Packet | Syscall | Command | Code


class Note(NamedTuple):
    """A comment that says something: `// covers: MUST-10 SEC-1`; the value of `// xfail lab: why` is "lab: why"."""

    key: str
    value: str
    place: Place


# the keys that a Note may have; judge, flip: of mutants (scenario/mutate/trial.py)
NOTES = ("covers", "xfail", "profile", "ip", "target", "wait", "judge", "flip")


class Script(NamedTuple):
    file: str
    events: tuple[Event, ...]
    options: tuple[tuple[str, str], ...] = ()  # --name=value; a bare --name has the value ""
    init: Command | None = None
    cleanup: Command | None = None
    notes: tuple[Note, ...] = ()
    about: str = ""  # the first comment, without its marks: what the script shows


class ScriptError(ValueError):
    """A script cannot be read. str() is 'file:line:column: found ..., expected ...'."""

    def __init__(self, place: Place, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


class RefusedError(ScriptError):
    """A script says something that is right and that we do not do."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(place, f"{what} is not supported")
        self.args = (place, what)
