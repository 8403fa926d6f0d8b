# SPDX-License-Identifier: GPL-2.0-or-later
"""The prompt: IPython with a lab in it. `open_prompt(lab)` is the `labstack` command; `%load_ext labstack` for others.

What is the terminal's own is here: banner, colours (NO_COLOR is honoured), toolbar, keys. The rest is shell.py's.
"""

import os
import select
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.prompts import RichPromptDisplayHook
from IPython.terminal.pt_inputhooks import register
from rich.console import Console
from traitlets.config import Config

from labstack import __version__
from labstack.lab import verbs
from labstack.lab.lab import Lab
from labstack.lab.scapy_names import names
from labstack.lab.shell import Session
from labstack.lab.view import View, ms

HINT = "step (F8) · back (F7) · continue (F5) · ladder · why · ss h1 · verbs: all of them"


def open_prompt(lab: Lab, more: dict[str, Any] | None = None) -> int:
    """Open the prompt with this lab until the user leaves; more: names for it. Returns the exit status."""
    settings = Config()
    settings.TerminalInteractiveShell.confirm_exit = False
    settings.TerminalInteractiveShell.term_title = False
    settings.TerminalInteractiveShell.warn_venv = False
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        settings.TerminalInteractiveShell.colors = "nocolor"  # of tracebacks, too
    settings.IPCompleter.use_jedi = False
    shell = Shell.instance(config=settings, user_ns=names() | (more or {}))
    shell.user_ns_hidden.update(names())  # %who lists what is the user's own
    session = Session(shell, lab)
    dress(shell, session)
    serve(shell, session)
    print(banner(lab))
    shell.mainloop()
    session.lab.close()
    return 0


def load_ipython_extension(ip: Any) -> None:
    """`%load_ext labstack`: a lab of two hosts, its verbs, and Scapy's names where they are not taken."""
    for name, value in names().items():
        ip.user_ns.setdefault(name, value)
    lab = ip.user_ns.get("lab")
    session = Session(ip, lab if isinstance(lab, Lab) else Lab())
    dress(ip, session)


def banner(lab: Lab) -> str:
    """What the prompt begins with."""
    time = f"virtual time, seed {lab.seed}" if lab.kind == "memory" else "real time"
    first = f"labstack {__version__} · scapy {version('scapy')} · wire: {lab.kind} ({time})"
    hosts = " ── wire ── ".join(f"{h.name} {h.ip} {h.ip6} {h.mac}" for h in (*lab.plan, *lab.peers))
    return f"{first} · {_outside(lab)}\n  {hosts}\n  {HINT}\n"


def _outside(lab: Lab) -> str:
    """How something else reaches the wire."""
    if lab.kind == "tap":
        shell = lab.history.host.wire.space.entrance
        return f'a program there: lab.exec("ping", "-c1", h1.ip)\n  or in another shell: {shell} ping {lab.h1.ip}'
    return "Scapy iface: lab0" if any(host.mac for host in lab.hosts) else "bare IP: inject IP(...)/TCP(...)"


class Hook(RichPromptDisplayHook):  # type: ignore[misc]
    """Views show themselves, without an Out[] before them."""

    def __call__(self, result: Any = None) -> None:
        if not isinstance(result, View) or self.quiet():
            super().__call__(result)
            return
        self.update_user_ns(result)
        show(result)
        self.fill_exec_result(result)


class Shell(TerminalInteractiveShell):  # type: ignore[misc]
    """IPython's terminal shell, with our way to show."""

    displayhook_class = Hook


def show(view: View) -> None:
    """Print a view in colour as wide as the terminal; plain text where the output is no terminal."""
    if sys.stdout.isatty():
        Console(highlight=False).print(view)
    else:
        print(view)


def toolbar(lab: Lab) -> str:
    """One line: the clock, the event, the world, the TCP states."""
    place = lab.where()
    states = []
    for host in lab.hosts:
        here = [it["state"] for it in host.sockets() if it["proto"] == "tcp"]
        states.append(f"{host.name} {' '.join(here[:4]) or '-'}{' …' if len(here) > 4 else ''}")
    return f" {ms(place.now)} ms · event #{place.n}/{place.total} · {place.name} · {' · '.join(states)} "


def dress(ip: Any, session: Session) -> None:
    """Toolbar and function keys, where there is a prompt_toolkit to have them."""
    app = getattr(ip, "pt_app", None)
    if app is None or app.key_bindings is None:
        return
    app.bottom_toolbar = lambda: toolbar(session.lab)
    for verb in verbs.VERBS:
        if verb.key:
            app.key_bindings.add(verb.key)(_press(verb.word))


def serve(ip: Any, session: Session) -> None:
    """While the prompt waits for the user, let the stack of a lab on a TAP answer the kernel."""
    if getattr(ip, "pt_app", None) is not None:
        register("labstack", lambda context: wait(session.lab, context.input_is_ready, context.fileno()))
        ip.enable_gui("labstack")


def wait(lab: Lab, over: Callable[[], bool], fd: int) -> None:
    """Wait for the user, who is there when over() is true and fd readable; a lab on a TAP goes on meanwhile."""
    if lab.kind == "tap":
        lab.history.serve(over, fd)
    else:
        select.select([fd], [], [])


def _press(word: str) -> Any:
    """A key types its word, so that it stands in the history as what it is."""

    def handler(event: Any) -> None:
        event.current_buffer.text = word
        event.current_buffer.validate_and_handle()

    return handler
