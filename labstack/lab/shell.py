# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab inside an IPython shell, in a terminal or in Jupyter: names, bare words, magics, completion, one-line errors.

`Session` is the state of it: which lab is current. The names h1, h2, ... follow when `lab` is given another value.
"""

import sys
from collections.abc import Callable
from typing import Any

from IPython.core.error import TryNext

from labstack.lab import bare, verbs
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.scapy_iface import TAP, attach
from labstack.lab.view import Lines, Span, View

HINT = "lab_hint"  # the magic that other debuggers' words become


class Word:
    """A verb as a value in the namespace: step(3) is `step 3`, for whatever `lab` is now."""

    def __init__(self, session: "Session", verb: verbs.Verb) -> None:
        self.session = session
        self.verb = verb

    def __call__(self, *args: Any, **more: Any) -> Any:
        return self.session.act(self.verb, *args, **more)

    def __repr__(self) -> str:
        return f"{self.verb.usage}: {self.verb.does}"


class Session:
    """One shell (`ip`, IPython's) and its current lab."""

    def __init__(self, ip: Any, lab: Lab) -> None:
        self.ip = ip
        self.lab = lab
        self.given: dict[str, Any] = {}
        self._enter_names(lab)
        expressions = [verb.word for verb in verbs.VERBS if verb.read in (verbs.condition, verbs.packet)]
        magics = {word: verb.word for word, verb in verbs.BY_WORD.items()} | {"verbs": "verbs"}
        magics |= {word: f"{HINT} {word}" for word in verbs.HINTS}
        ip.input_transformers_cleanup.append(bare.rewriter(magics, expressions, ip.user_ns, Word))
        ip.register_magic_function(self._show, "line", bare.SHOW)
        ip.register_magic_function(hint, "line", HINT)
        for word, verb in verbs.BY_WORD.items():
            if not getattr(ip.find_line_magic(word), "__module__", "").startswith("IPython."):  # %run is IPython's
                ip.register_magic_function(self._magic(verb), "line", word)
            ip.set_hook("complete_command", self._completer(verb), str_key=f"%{word}")
            ip.set_hook("complete_command", self._completer(verb), str_key=word)
        ip.register_magic_function(lambda line: all_verbs(), "line", "verbs")
        ip.set_custom_exc((LabError, OSError), one_line)
        ip.events.register("post_run_cell", self._follow)

    def _enter_names(self, lab: Lab) -> None:
        words = {verb.word: Word(self, verb) for verb in verbs.VERBS if verb.word != "continue"}
        self._give({"Lab": Lab, "lab": lab, **{h.name: h for h in lab.hosts}, **words})
        self._attach(lab)

    def _attach(self, lab: Lab) -> None:
        """Let lab0 belong to this lab."""
        self._give({peer.name: peer for peer in lab.peers})
        if lab.kind == "memory":
            attach(lab)
        else:
            TAP.attach(lab)  # where it can only listen

    def _give(self, new: dict[str, Any]) -> None:
        """Put names into the namespace, hidden from %who."""
        self.ip.user_ns.update(new)
        self.ip.user_ns_hidden.update(new)
        self.given.update(new)

    def _follow(self, result: Any = None) -> None:
        """After each cell: `lab` may have become another one."""
        lab, old = self.ip.user_ns.get("lab"), self.lab
        if isinstance(lab, Lab) and lab is not old:
            for name, host in [*((h.name, h) for h in old.hosts), *((p.name, p) for p in old.peers)]:
                if self.ip.user_ns.get(name) is host:
                    del self.ip.user_ns[name]
            self.lab = lab
            self._give({h.name: h for h in lab.hosts})
            self._attach(lab)
            self._leave(old)

    def _leave(self, old: Lab) -> None:
        """Give back the TAP of a lab that no name stands for any more."""
        if old.kind == "tap" and not any(value is old for value in self.ip.user_ns.values()):
            old.close()

    # verbs

    def act(self, verb: verbs.Verb, *args: Any, **more: Any) -> Any:
        """Do a verb on the current lab; at the prompt, a fork is also entered."""
        self._follow()
        found = getattr(self.lab, verb.method)(*args, **more)
        return self.lab.enter(found.history.name) if verb.word == "fork" else found

    def _magic(self, verb: verbs.Verb) -> Callable[[str], Any]:
        def magic(line: str) -> Any:
            try:
                return self.act(verb, **verb.read(verbs.argument(line), self.ip.user_ns))
            except KeyboardInterrupt:
                print("✗ interrupted; `where` says how far it came")
            except Exception as error:
                print(wrong(error))
            return None

        magic.__doc__ = f"{verb.usage}: {verb.does}"
        return magic

    def _show(self, line: str) -> None:
        """Do a verb and show its result now: it is not the last one of its line."""
        word, _, rest = line.partition(" ")
        sys.displayhook(self.ip.run_line_magic(word, rest))

    def _completer(self, verb: verbs.Verb) -> Callable[..., list[str]]:
        def complete(ip: Any, event: Any) -> list[str]:
            if verb.read in (verbs.host, verbs.sockets):
                return [h.name for h in self.lab.hosts]
            if verb.method in ("diff", "enter"):
                return list(self.lab.worlds)
            if verb.read is verbs.packet and " to " in event.line:
                return [h.name for h in self.lab.hosts]
            raise TryNext

        return complete


def hint(line: str) -> None:
    """Say what to type in place of a debugger's word."""
    print(wrong(LabError(verbs.HINTS[line.split()[0]])))


def all_verbs() -> View:
    """Every word, with what it does."""
    rows = [[Span(f"{v.usage:<29}", "head"), Span(v.does), Span(_also(v), "dim")] for v in verbs.VERBS]
    return Lines(rows)


def _also(verb: verbs.Verb) -> str:
    more = [*verb.shorts, *([verb.key.upper()] if verb.key else [])]
    return f"   ({', '.join(more)})" if more else ""


def wrong(error: BaseException) -> str:
    """An error in one line."""
    kind = "" if isinstance(error, LabError) else f"{type(error).__name__}: "
    return f"✗ {kind}{error}".replace("\n", " ")


def one_line(ip: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """IPython's handler for mistakes that need no traceback."""
    print(wrong(error))
