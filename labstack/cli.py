# SPDX-License-Identifier: GPL-2.0-or-later
"""The `labstack` command. It only reads the command line; what a command does is imported when it runs.

Exit status: 0 all well; 1 it could not be done here (one line says why); 2 the command line was wrong.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from labstack import __version__

BENCHES = ("layers", "state", "sim", "tap")
ABOUT = "A Scapy-compatible packet lab and interactive TCP/IP stack in pure Python."
EXAMPLES = """examples:
  labstack                        the prompt, with a lab of two hosts
  labstack --hosts 3 --seed 7     three hosts on a switch, another run
  labstack demo                   ARP, ping and TCP between two hosts, explained; then the prompt
  labstack demo --tap             the same stack against the Linux kernel (no root needed where user namespaces are)
  labstack doctor                 which wires work on this machine, and what would mend the others
  labstack bench layers --json    figures, for people or for programs
"""
DEMO = """examples:
  labstack demo                   in memory and in virtual time, no privilege; then the prompt
  labstack demo --no-prompt       print the ladder and exit
  labstack demo --tap             the Linux kernel is the other host, on a TAP in a namespace of our own
"""
DOCTOR = """examples:
  labstack doctor                 exit status 0 if any wire works; a line below a way says what would mend it
"""
BENCH = """examples:
  labstack bench layers           parsing and building, against Scapy
  labstack bench sim              packets a second in virtual time
  labstack bench tap --rounds 7   against the kernel's own veth; the medians of 7 rounds
  labstack bench state --json     [{"bench", "row", "value", "unit", "reference", "ratio"}, ...]
"""


def parser() -> argparse.ArgumentParser:
    """The command line, whole."""
    top = _parser("labstack", ABOUT, EXAMPLES)
    top.add_argument("--version", action="version", version=f"labstack {__version__}")
    _lab_options(top)
    top.set_defaults(run=_repl)
    commands = top.add_subparsers(metavar="COMMAND", title="commands")

    demo = _command(commands, "demo", "a run that explains itself, then the prompt", DEMO)
    demo.add_argument("--tap", action="store_true", help="the Linux kernel is the other host")
    demo.add_argument("--no-prompt", action="store_true", help="exit instead of opening the prompt")
    demo.set_defaults(run=_demo)

    doctor = _command(commands, "doctor", "which wires work here, and what would mend the others", DOCTOR)
    doctor.set_defaults(run=_doctor)

    bench = _command(commands, "bench", "measure", BENCH)
    bench.add_argument("name", choices=BENCHES, help="what to measure")
    bench.add_argument("--rounds", type=_positive, default=5, metavar="N", help="the median of N rounds (default 5)")
    bench.add_argument("--json", action="store_true", help="print a list of rows for programs")
    bench.set_defaults(run=_bench)
    return top


def _parser(name: str, about: str, examples: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=name, description=about, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def _command(commands: Any, name: str, about: str, examples: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return made


def _lab_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("--hosts", type=_positive, default=2, metavar="N", help="hosts in the lab (default 2)")
    to.add_argument("--seed", type=int, default=1, metavar="N", help="one seed, one run (default 1)")
    to.add_argument("--wire", choices=("memory", "tap"), default="memory", help="memory (default), or tap: the kernel")


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return number


def _load(module: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found


def _repl(args: argparse.Namespace) -> int:
    lab = _load("labstack.lab.lab", "Lab")(hosts=args.hosts, seed=args.seed, wire=args.wire)
    return int(_load("labstack.lab.repl", "open_prompt")(lab))


def _demo(args: argparse.Namespace) -> int:
    stays = sys.stdin.isatty() and not args.no_prompt
    return int(_load("labstack.lab.demo", "tap" if args.tap else "memory")(stays))


def _doctor(args: argparse.Namespace) -> int:
    checks = _load("labstack.live.doctor", "checks")()
    print(_load("labstack.live.doctor", "render")(checks))
    return int(_load("labstack.live.doctor", "status")(checks))


def _bench(args: argparse.Namespace) -> int:
    rows = _load(f"labstack.bench.{args.name}", "run")(args.rounds)
    print(_load("labstack.bench.table", "to_json" if args.json else "render")(rows))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; argv without the program's name, default sys.argv. Returns the exit status."""
    args = parser().parse_args(argv)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, ValueError) as error:
        print(f"labstack: {getattr(error, 'strerror', '') or error}", file=sys.stderr)
        return 1
