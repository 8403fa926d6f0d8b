# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of the virtual shell: sysctl and its kin, nstat, files, echo, grep; `network` has the rest.

A command takes its words apart when a text is planned, and raises RefusedError for what it does not do; what it
returns does the thing later. It touches nothing but the scenario's target and the shell's own memory.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import NamedTuple

from labstack.scenario.shell import procnet
from labstack.scenario.shell.grep import pattern
from labstack.scenario.shell.words import RefusedError, refuse
from labstack.scenario.target import Target

SYSCTLS = "/proc/sys/"
_PARAMETER = re.compile(r"/sys/module/tcp_(\w+)/parameters/(\w+)")
_NAME = re.compile(r"\w[\w-]*(\.[\w-]+)+")


class Done(NamedTuple):
    """What a command did."""

    status: int = 0
    out: str = ""
    err: str = ""


Action = Callable[[str], Done]  # its standard input


@dataclass(slots=True)
class Session:
    """What commands know. defaults: does what defaults.sh does; saved: sysctls as they were before set_sysctls.py;
    told: counters as nstat told them last."""

    target: Target
    defaults: Callable[[], object]
    saved: dict[str, str] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)


class Call(NamedTuple):
    """A command to be planned: its name, its words, and whether its author expects that it may fail."""

    session: Session
    name: str
    args: list[str]
    forgiven: bool


def nothing(call: Call) -> Action:
    """true, and what has nothing to do here."""
    return lambda stdin: Done()


def fail(call: Call) -> Action:
    return lambda stdin: Done(1)


def echo(call: Call) -> Action:
    args, end = call.args, "\n"
    while args and args[0] in ("-n", "-e", "-E"):
        end = "" if args[0] == "-n" else end
        args = args[1:]
    text = " ".join(args) + end
    return lambda stdin: Done(out=text)


def cat(call: Call) -> Action:
    files = readers(call.session, options(call, "")[1])
    return lambda stdin: Done(out="".join([read(stdin) for _, read in files]))


def options(call: Call, known: str, valued: str = "") -> tuple[dict[str, str], list[str]]:
    """The options of a command (letter: its value, if it is one of `valued`), and its other words."""
    found: dict[str, str] = {}
    rest: list[str] = []
    words = list(reversed(call.args))
    while words:
        word = words.pop()
        if not word.startswith("-") or word == "-":
            rest.append(word)
            continue
        if word == "--":
            rest += reversed(words)
            break
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in valued and (letters or words):
                found[letter], letters = letters or words.pop(), ""
            elif letter in known:
                found[letter] = ""
            else:
                refuse(f"{call.name} {word}")
    return found, rest


# files


def readers(session: Session, paths: list[str]) -> list[tuple[str, Callable[[str], str]]]:
    """The files of a command, and how each is read; its standard input if there are none, and that only once."""
    named = ["-" if path == "/dev/stdin" else path for path in paths or ["-"]]
    first = named.index("-") if "-" in named else -1
    return [(path, reader(session, path)) for n, path in enumerate(named) if path != "-" or n == first]


def reader(session: Session, path: str) -> Callable[[str], str]:
    """A function of the standard input that reads a file; RefusedError for one that is not there in a scenario."""
    if path == "-":
        return lambda stdin: stdin
    if path == "/dev/null":
        return lambda stdin: ""
    if name := _setting(path):
        known(session, name)
        return lambda stdin: session.target.sysctl(name) + "\n"
    run, host = inside(session), getattr(session.target, "host", None)
    if path in procnet.TABLES and run is not None:
        return lambda stdin: run(f"cat {path}")[1]
    if path in procnet.TABLES and host is not None:
        return lambda stdin: procnet.text(session.target.host, path)  # type: ignore[attr-defined]
    return refuse(f"reading {path}")


def inside(session: Session) -> Callable[[str], tuple[int, str]] | None:
    """What runs a command in the network of the target, if that is another than this process's: the kernel target's."""
    return getattr(session.target, "shell", None)


def _setting(path: str) -> str:
    """The sysctl that a file is, "" if it is none. Parameters of a module for congestion control are sysctls of ours;
    Linux has them once for the whole machine, so there they are refused."""
    if path.startswith(SYSCTLS):
        return sysctl_name(path)
    found = _PARAMETER.fullmatch(path)
    return f"net.ipv4.tcp_{found[1]}_{found[2]}" if found else ""


def writer(session: Session, path: str) -> Callable[[str], str]:
    """A function that writes to a file and returns the error, or ""; RefusedError for what no script may write."""
    if path in ("/dev/null", "/dev/stdout", "/dev/stderr"):
        return lambda text: ""
    name = _setting(path)
    if not name:
        refuse(f"writing to {path}")
    known(session, name)
    return lambda text: write(session, name, text.strip())


# sysctls


def sysctl_name(word: str) -> str:
    """net.ipv4.x of net.ipv4.x, net/ipv4/x or /proc/sys/net/ipv4/x."""
    return word.strip().removeprefix(SYSCTLS).replace("/", ".")


def known(session: Session, name: str) -> str:
    """The value of a sysctl; RefusedError if the target has none of that name."""
    if not _NAME.fullmatch(name):
        refuse(f"the sysctl {name}")
    try:
        return session.target.sysctl(name)
    except KeyError as error:
        said = str(error.args[0]) if error.args else ""
        raise RefusedError(said if name in said and said != name else f"there is no sysctl {name}") from None


def write(session: Session, name: str, value: str) -> str:
    """Set a sysctl; returns what was wrong with that, or ""."""
    try:
        session.target.sysctl(name, value)
    except (KeyError, ValueError) as error:
        said = str(error.args[0]) if error.args else "invalid"
        return f"{said}\n" if name in said else f"{name}: {said}\n"
    return ""


def sysctl(call: Call) -> Action:
    given, words = options(call, "qwenNb")
    pairs = [(sysctl_name(name), value.strip() if equal else None) for name, equal, value in map(_split, words)]
    if not pairs:
        refuse("sysctl without a name")
    missing = []
    for name, _ in pairs:
        if "e" in given or call.forgiven:
            missing += [name] * (not _has(call.session, name))
        else:
            known(call.session, name)

    def run(stdin: str) -> Done:
        out, err = "", "".join([f"sysctl: cannot stat {name}\n" for name in missing if "e" not in given])
        for name, value in pairs:
            if name in missing:
                continue
            wrong = write(call.session, name, value) if value is not None else ""
            err += wrong
            if value is None or not ("q" in given or wrong):
                shown = call.session.target.sysctl(name)
                out += f"{shown}\n" if "n" in given else f"{name}\n" if "N" in given else f"{name} = {shown}\n"
        return Done(255 if err else 0, out, err)

    return run


def _split(word: str) -> tuple[str, str, str]:
    return word.partition("=")


def _has(session: Session, name: str) -> bool:
    try:
        known(session, name)
    except RefusedError:
        return False
    return True


def set_sysctls(call: Call) -> Action:
    """`set_sysctls.py /proc/sys/net/ipv4/X=V ...`: sets, and remembers what was there."""
    pairs = [(sysctl_name(name), value) for name, _, value in map(_split, call.args)]
    for name, _ in pairs:
        known(call.session, name)

    def run(stdin: str) -> Done:
        err = ""
        for name, value in pairs:
            call.session.saved.setdefault(name, call.session.target.sysctl(name))
            err += write(call.session, name, value.strip())
        return Done(1 if err else 0, "", err)

    return run


def restore(call: Call) -> Action:
    """`sysctl_restore_N.sh`: what set_sysctls.py has changed is as it was."""

    def run(stdin: str) -> Done:
        err = "".join([write(call.session, name, value) for name, value in call.session.saved.items()])
        call.session.saved.clear()
        return Done(1 if err else 0, "", err)

    return run


def defaults(call: Call) -> Action:
    def run(stdin: str) -> Done:
        call.session.defaults()
        return Done()

    return run


# counters


def nstat(call: Call) -> Action:
    """Counters since the last time (-a: since ever), those that are not 0 (-z: all), by name or with `*`."""
    given, wanted = options(call, "nsazr")

    def run(stdin: str) -> Done:
        session = call.session
        now = {name: count for name, count in session.target.counters().items() if "." not in name}
        for name in wanted:
            if not set(name) & set("*?["):
                now.setdefault(name, 0)
        before = {} if given.keys() & {"a", "r"} else session.told
        new = {name: count - before.get(name, 0) for name, count in now.items() if _wanted(name, wanted)}
        lines = [f"{name:<32}{count:<16}0.0\n" for name, count in new.items() if count or "z" in given]
        if "s" not in given:
            session.told = now
        return Done(out="" if "n" in given else "#kernel\n" + "".join(lines))

    return run


def _wanted(name: str, wanted: list[str]) -> bool:
    return not wanted or any(fnmatchcase(name, word) for word in wanted)


def grep(call: Call) -> Action:
    given, rest = options(call, "qvicEFhHnsaG", "em")
    text = given["e"] if "e" in given else rest.pop(0) if rest else refuse("grep without a pattern")
    fits = pattern(text, "E" in given or call.name == "egrep", "F" in given or call.name == "fgrep", "i" in given)
    files = readers(call.session, rest)
    named = (len(files) > 1 or "H" in given) and "h" not in given

    def run(stdin: str) -> Done:
        out, some = "", False
        for path, read in files:
            lines = [(n, it) for n, it in enumerate(read(stdin).splitlines(), 1) if fits(it) != ("v" in given)]
            lines = lines[: int(given["m"])] if given.get("m", "").isdigit() else lines
            some = some or bool(lines)
            shown = [str(len(lines))] if "c" in given else [f"{n}:{it}" if "n" in given else it for n, it in lines]
            out += "".join([(f"{path}:" if named else "") + it + "\n" for it in shown])
        return Done(0 if some else 1, "" if "q" in given else out)

    return run


COMMANDS: dict[str, Callable[[Call], Action]] = {
    "true": nothing, ":": nothing, "false": fail, "echo": echo, "cat": cat, "grep": grep, "egrep": grep, "fgrep": grep,
    "sysctl": sysctl, "set_sysctls.py": set_sysctls, "defaults.sh": defaults, "nstat": nstat,
}  # fmt: skip
