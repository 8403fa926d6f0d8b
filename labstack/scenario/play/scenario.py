# SPDX-License-Identifier: GPL-2.0-or-later
"""Python scenarios: functions with a decorator that says what they need and what they cover.

    @scenario(covers="ARP-1", link="ether", ip="ipv4", xfail={"kernel": "why"})
    def answers_for_its_own_address_only(t):
        "A request for somebody else's address is not answered (RFC 826)."
        ...

`t` is a `play.Play`; with hosts=N it is a `Lab` of so many, in virtual time only. A scenario fails by what it expects,
by `assert`, or because its end is not quiet; any other exception is a mistake in it, told with its line.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.packetdrill.script import Place, ScriptError
from labstack.scenario import profiles
from labstack.scenario.play.packets import HOST, HOST6, HOST_LOCAL
from labstack.scenario.play.place import EndlessError, assertion, at_most, compiled, place_of
from labstack.scenario.play.play import Play
from labstack.scenario.settings import IP_VERSIONS
from labstack.scenario.target import Target
from labstack.scenario.verdict import Failure, Field, Parted, PlayError
from labstack.sim.world import UnendingError

LINKS = ("ip", "ether")
TARGETS = ("lab", "kernel")
MISTAKES = (
    ValueError, TypeError, LookupError, AttributeError, NameError, ArithmeticError, OSError, ImportError, SystemExit,
)  # fmt: skip
FOUND = "__scenarios__"  # the name in a file's namespace under which its scenarios are written down


class Scenario(NamedTuple):
    """One scenario, as its decorator says: see `scenario` for the meaning of what is not said here.

    file, line: of the function; about: its docstring; ips: the families in which it can be played
    """

    name: str
    file: str
    line: int
    about: str
    function: Callable[[Any], Any]
    covers: tuple[str, ...]
    link: str
    ips: tuple[str, ...]
    targets: tuple[str, ...]
    hosts: int
    profile: str
    sysctls: Mapping[str, str]
    mtu: int
    xfail: Mapping[str, str]
    wait: str
    ignore: Sequence[Any]
    neighbours: bool
    tolerance: float
    quiet: float | str
    limit: float

    def __call__(self, t: Any) -> Any:
        return self.function(t)

    @property
    def needs(self) -> dict[str, Any]:
        """The arguments of Calls, and of Kernel, for a target as it wants it; of Lab if it is about several hosts."""
        if self.hosts:
            return {"hosts": self.hosts}
        own = (f"{HOST}/16", f"{HOST6}/64", *([f"{HOST_LOCAL}/64"] if self.link == "ether" else []))
        return {"local": own, "mtu": self.mtu, "link": self.link}

    @property
    def expected(self) -> dict[str, str]:
        """Why it is said to fail, by target."""
        return ({"lab": f"waits for {self.wait}"} if self.wait else {}) | dict(self.xfail)

    def play(self, target: Target | Lab, ip: str = "ipv4") -> Failure | None:
        """Play it once, on a fresh target as `needs` says; what was wrong first, or None.

        Raises ScriptError, with the place, for a mistake in the scenario.
        """
        t: Any = target
        try:
            with at_most(self.limit):
                t = self._hand(target, ip)
                self.function(t)
                if isinstance(t, Play) and not t.ended:
                    t.quiet(self.quiet)
        except (Parted, AssertionError, EndlessError, UnendingError) as error:
            return self._crashed(target) or self._failure(error, t)
        except MISTAKES as error:
            if isinstance(error, LabError) and isinstance(target, Lab):
                return self._failure(error, t)
            raise ScriptError(place_of(error.__traceback__, self.file, self.function.__code__), _said(error)) from error
        return self._crashed(target)

    def _hand(self, target: Target | Lab, ip: str) -> Any:
        """What the function gets, with its sysctls set."""
        if isinstance(target, Lab):
            return target
        profiles.apply(target, self.profile)
        for name, value in self.sysctls.items():
            try:
                target.sysctl(name, value)
            except (KeyError, ValueError) as error:
                raise Parted("refused", str(error.args[0])) from None
        return Play(target, ip, self.ignore, self.neighbours, self.tolerance)

    def _failure(self, error: BaseException, t: Any) -> Failure:
        kind, why, at = "endless", str(error), 0
        fields: tuple[Field, ...] = ()
        if isinstance(error, Parted):
            kind, why, fields, at = error.kind, error.why, error.fields, error.at
        elif isinstance(error, AssertionError):
            kind, (why, fields) = "code", assertion(error, self.file)
        elif isinstance(error, LabError):
            kind = "code"
        place = place_of(error.__traceback__, self.file, self.function.__code__)
        now = t.target.now if isinstance(t, Play) else t.now
        return Failure(place, kind, why, fields, at or now, getattr(t, "steps", 0))

    def _crashed(self, target: Target | Lab) -> Failure | None:
        """What is wrong inside the host, which is a bug of ours."""
        if isinstance(target, Lab):
            fault = next((record.fault for record in target.records if record.fault), "")
        else:
            fault = target.fault
        return Failure(Place(self.file, self.line, 1), "crash", fault, (), target.now) if fault else None


def scenario(
    function: Callable[[Any], Any] | None = None,
    *,
    covers: str | Sequence[str] = "",
    link: str = "ip",
    ip: str | Sequence[str] = IP_VERSIONS,
    target: str | Sequence[str] = TARGETS,
    hosts: int = 0,
    profile: str = "plain",
    sysctls: Mapping[str, str | int] | None = None,
    mtu: int = 1500,
    xfail: Mapping[str, str] | None = None,
    wait: str = "",
    ignore: Any = (),
    neighbours: bool = True,
    tolerance: float = 0.02,
    quiet: float | str = 0.1,
    limit: float = 60,
) -> Any:
    """Make a scenario of a function.

    covers:  ids of requirements, as words: "MUST-10 SEC-1"
    link:    "ip": bare IP packets, as on a TUN; "ether": Ethernet frames, as on a TAP
    ip:      the families in which it can be played, as words: "ipv4 ipv6"; t.IP() makes the header of the family
    target:  "lab" or "kernel", if it cannot be played on the other
    hosts:   the function gets a Lab of so many hosts instead of one host under test; target and ip do not matter
    profile: sysctls that it starts with, by name (profiles.PROFILES); sysctls: and others, as in /proc/sys
    mtu:     of the link, bytes of an IP packet
    xfail:   why it is expected to fail, by target; wait: the feature that our own stack has to get first
    ignore:  packets of the host that do not matter here, as a pattern or several
    neighbours: the peer answers ARP and ND by itself; False: the scenario does
    tolerance: s that a time may be off where time is real; in virtual time it is exact
    quiet:   how long the end must be quiet: s, or text with a unit
    limit:   s of real time after which it is stopped
    Raises PlayError.
    """

    said = {
        "covers": _words(covers),
        "link": _one_of(link, LINKS, "link"),
        "ips": IP_VERSIONS[:1] if hosts else tuple(_one_of(word, IP_VERSIONS, "ip") for word in _words(ip)),
        "targets": TARGETS[:1] if hosts else tuple(_one_of(word, TARGETS, "target") for word in _words(target)),
        "profile": _one_of(profile, profiles.PROFILES, "profile"),
        "sysctls": {name: str(value) for name, value in (sysctls or {}).items()},
        "xfail": {_one_of(name, TARGETS, "xfail"): why for name, why in (xfail or {}).items()},
        "ignore": ignore if isinstance(ignore, list | tuple) else (ignore,),
        "hosts": hosts, "mtu": mtu, "wait": wait, "neighbours": neighbours, "tolerance": tolerance, "quiet": quiet,
        "limit": limit,
    }  # fmt: skip
    return partial(_made, said) if function is None else _made(said, function)


def _made(said: dict[str, Any], function: Callable[[Any], Any]) -> Scenario:
    """The scenario that a function is; its file's namespace remembers it."""
    code = function.__code__
    about = (function.__doc__ or "").strip()
    found = Scenario(function.__name__, code.co_filename, code.co_firstlineno, about, function, **said)
    function.__globals__.setdefault(FOUND, []).append(found)
    return found


def load(path: str) -> list[Scenario]:
    """The scenarios of a file, in its order. Raises OSError; ScriptError, with the place, for what is wrong in it."""
    file = str(path)
    names: dict[str, Any] = {"__name__": Path(file).stem, "__file__": file}
    try:
        code = compiled(Path(file).read_bytes(), file)
        with _beside(file):
            exec(code, names)
    except SyntaxError as error:
        raise ScriptError(Place(file, error.lineno or 1, error.offset or 1), error.msg) from None
    except (Exception, SystemExit) as error:
        raise ScriptError(place_of(error.__traceback__, file), _said(error)) from error
    found: dict[str, Scenario] = {}
    for it in names.get(FOUND, ()):
        if it.name in found:
            raise ScriptError(Place(file, it.line, 1), f"there is a scenario {it.name!r} already")
        found[it.name] = it
    return list(found.values())


@contextmanager
def _beside(file: str) -> Iterator[None]:
    """A scenario file may import what lies beside it."""
    sys.path.insert(0, str(Path(file).parent))
    try:
        yield
    finally:
        sys.path.remove(str(Path(file).parent))


def _said(error: BaseException) -> str:
    """A mistake in a sentence; the class is said where the message alone would not do."""
    return str(error) if isinstance(error, PlayError | LabError) else f"{type(error).__name__}: {error}"


def _words(given: str | Sequence[str]) -> tuple[str, ...]:
    return tuple(given.replace(",", " ").split()) if isinstance(given, str) else tuple(given)


def _one_of(word: Any, known: Any, what: str) -> Any:
    if word not in known:
        raise PlayError(f"{what}={word!r}: expected one of {', '.join(known)}")
    return word
