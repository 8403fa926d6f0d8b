# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab inside an IPython shell, in a terminal or in Jupyter: names, bare words, magics, completion, one-line errors.

`Session` is the state of it: which lab is current. The names h1, h2, ... follow when `lab` is given another value.
"""

import ast
import builtins
import inspect
import keyword
import sys
from collections.abc import Callable, Iterable
from typing import Any

from IPython.core.error import TryNext

from labstack.core import config
from labstack.lab import bare, verbs
from labstack.lab.errors import LabError, meant, told
from labstack.lab.lab import Lab
from labstack.lab.scapy_iface import attach
from labstack.lab.view import Lines, Span, View

FOLLOW = "_lab_follow"  # what is called after each `lab = ...`


class Following(ast.NodeTransformer):
    """Calls FOLLOW behind each statement at the top that gives `lab` a value, so that the next one finds its hosts."""

    def visit_Module(self, module: ast.Module) -> ast.Module:
        body: list[ast.stmt] = []
        for it in module.body:
            body.append(it)
            if isinstance(it, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "lab" for to in it.targets):
                call = ast.Expr(ast.Call(ast.Name(FOLLOW, ast.Load()), [], []))
                body.append(ast.fix_missing_locations(ast.copy_location(call, it)))
        module.body = body
        return module


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
        magics = {word: verb.word for word, verb in verbs.BY_WORD.items()} | dict.fromkeys(("verbs", "help"), "verbs")
        magics |= {word: f"{bare.HINT} {word}" for word in verbs.HINTS}
        rewrite = bare.rewriter(magics, expressions, ip.user_ns, Word, self._known)
        ip.input_transformers_cleanup.append(rewrite)
        ip.ast_transformers.append(Following())
        ip.register_magic_function(self._show, "line", bare.SHOW)
        ip.register_magic_function(hint, "line", bare.HINT)
        for word, verb in verbs.BY_WORD.items():
            if not getattr(ip.find_line_magic(word), "__module__", "").startswith("IPython."):  # %run is IPython's
                ip.register_magic_function(self._magic(verb), "line", word)
            ip.set_hook("complete_command", self._completer(verb), str_key=f"%{word}")
            ip.set_hook("complete_command", self._completer(verb), str_key=word)
        ip.register_magic_function(all_verbs, "line", "verbs")
        ip.set_custom_exc((LabError, OSError, NameError, AttributeError, TypeError), one_line)
        ip.events.register("post_run_cell", self._follow)

    def _enter_names(self, lab: Lab) -> None:
        words = {verb.word: Word(self, verb) for verb in verbs.VERBS if verb.word != "continue"}
        self._give({"Lab": Lab, "lab": lab, FOLLOW: self._follow, **{h.name: h for h in lab.hosts}, **words})
        self._attach(lab)

    def _attach(self, lab: Lab) -> None:
        """Let lab0 belong to this lab; on a TAP it only listens, and keeps what is meant for the lab in the lab."""
        self._give({peer.name: peer for peer in lab.peers})
        attach(lab)

    def _give(self, new: dict[str, Any]) -> None:
        """Put names into the namespace, hidden from %who."""
        self.ip.user_ns.update(new)
        self.ip.user_ns_hidden.update(new)
        self.given.update(new)

    def _follow(self, result: Any = None) -> None:
        """After each cell, and each `lab = ...`: `lab` may have become another one."""
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

    def _known(self, word: str) -> bool:
        """Would Python or IPython know this word?"""
        there = word in self.ip.user_ns or hasattr(builtins, word) or keyword.iskeyword(word)
        return there or keyword.issoftkeyword(word) or self.ip.find_line_magic(word) is not None

    # verbs

    def act(self, verb: verbs.Verb, *args: Any, **more: Any) -> Any:
        """Do a verb on the current lab; at the prompt, a fork is also entered."""
        self._follow()
        method = getattr(self.lab, verb.method)
        try:
            inspect.signature(method).bind(*args, **more)
        except TypeError as error:
            raise LabError(f"{verb.word}: {error}; typed as a word: {verb.usage}") from None
        found = method(*args, **more)
        return self.lab.enter(found.history.name) if verb.word == "fork" else found

    def _magic(self, verb: verbs.Verb) -> Callable[[str], Any]:
        def magic(line: str) -> Any:
            try:
                return self.act(verb, **verb.read(verbs.argument(line), self.ip.user_ns))
            except KeyboardInterrupt:
                print("✗ interrupted; `where` says how far it came")
            except Exception as error:
                print(wrong(error, self.ip.user_ns))
            return None

        magic.__doc__ = f"{verb.usage}: {verb.does}"
        return magic

    def _show(self, line: str) -> None:
        """Do a verb and show its result now: it is not the last one of its line."""
        word, _, rest = line.partition(" ")
        sys.displayhook(self.ip.run_line_magic(word, rest))

    def _completer(self, verb: verbs.Verb) -> Callable[..., list[str]]:
        def complete(ip: Any, event: Any) -> list[str]:
            hosts = [h.name for h in self.lab.hosts]
            if verb.read in (verbs.host, verbs.sockets):
                return hosts
            if verb.method == "sysctl":
                return [*hosts, *dict.fromkeys(map(config.line, config.SYSCTLS))]
            if verb.method == "nstat":
                return [*hosts, *sorted({name for h in self.lab.hosts for name in h.stack.env.count})]
            if verb.method in ("diff", "enter"):
                return list(self.lab.worlds)
            if verb.read is verbs.packet and " to " in event.line:
                return hosts
            raise TryNext

        return complete


def hint(line: str) -> None:
    """Say what to type in place of a word that is no verb."""
    word = line.split()[0]
    near = meant(word, verbs.BY_WORD) or "; `verbs` lists the verbs"
    print(wrong(LabError(verbs.HINTS.get(word) or f"{word!r} is no verb, and nothing here has that name{near}")))


def all_verbs(line: str = "") -> View:
    """Every word, with what it does; line: only those whose line mentions it."""
    rows = [[Span(f"{v.usage:<29}", "head"), Span(v.does), Span(_also(v), "dim")] for v in verbs.VERBS]
    word = verbs.argument(line)
    found = [row for row in rows if word in "".join(span.text for span in row)]
    return Lines(found, f"no verb mentions {word!r}")


def _also(verb: verbs.Verb) -> str:
    more = [*verb.shorts, *([verb.key.upper()] if verb.key else [])]
    return f"   ({', '.join(more)})" if more else ""


def wrong(error: BaseException, names: Iterable[str] = ()) -> str:
    """An error in one line; names: those that there are."""
    return f"✗ {told(error, [name for name in names if not name.startswith('_')])}"


def one_line(ip: Any, kind: type, error: BaseException, trace: Any, tb_offset: Any = None) -> None:
    """IPython's handler for mistakes that need no traceback: ours, and what one typed line has wrong itself."""
    within = trace is not None and trace.tb_next is not None and trace.tb_next.tb_next is not None
    if not isinstance(error, (LabError, OSError)) and (within or "\n" in ip.history_manager.input_hist_raw[-1].strip()):
        ip.showtraceback((kind, error, trace), running_compiled_code=True)
    else:
        print(wrong(error, ip.user_ns))
