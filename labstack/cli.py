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
from labstack.lab.errors import LabError

BENCHES = ("layers", "state", "sim", "tap", "goodput", "lossy", "idle", "churn")
ABOUT = "A Scapy-compatible packet lab and interactive TCP/IP stack in pure Python."
EXAMPLES = """examples:
  labstack                        the prompt, with a lab of two hosts
  labstack --hosts 3 --seed 7     three hosts on a switch, another run
  labstack demo                   ARP, ping and TCP between two hosts, explained; then the prompt
  labstack demo --tap             the same stack against the Linux kernel (no root needed where user namespaces are)
  labstack doctor                 which wires work on this machine, and what would mend the others
  labstack run scenarios          packetdrill scripts and Python scenarios, in virtual time
  labstack rfc 9293               which requirement is tested by which scenario
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
  labstack bench goodput          in virtual time, by loss, RTT, buffers and congestion control
  labstack bench state --json     [{"bench", "row", "value", "unit", "reference", "ratio"}, ...]
"""
RUN = """examples:
  labstack run close.pkt                         one script, in virtual time; a failure explains itself
  labstack run scenarios -k 'tcp and not sack'   what is there, in folders too, chosen by name
  labstack run DIR --ip-version all -j 2         IPv4, IPv6 and IPv4 on IPv6 sockets, in two processes
  labstack run close.pkt --target both           against the Linux kernel, too: where do they part?
  labstack run close.pkt --at 7                  the prompt at event 7 of the ladder; step and back work there
  labstack run DIR --json                        [{"file", "target", "ip", "verdict", "reason", "line", "ms"}, ...]
exit status: 0 all as expected, 1 something was not, 2 what was asked for is not there
"""
RFC = """examples:
  labstack rfc                    every MUST, SHOULD and MAY, and how its scenarios go in virtual time
  labstack rfc 9293 --target both against the Linux kernel, too
  labstack rfc MUST-10            one requirement: what it says, its scenarios, the rules of the stack that serve it
  labstack rfc --rules            the other way round: rules of the stack that no scenario has reached
  labstack rfc --html > rfc.html  one page; also --md and --json
  labstack rfc --write docs/conformance.md       make the tables in a page anew
"""
RECORD = """examples:
  labstack record web.pcapng                     the server's side of a capture, as a packetdrill script
  labstack record web.pcap --host 10.0.0.1 -o client.pkt       that of another host, into a file
  labstack run client.pkt                        it passes; comments say where our stack does otherwise
"""
MUTATE = """examples:
  labstack mutate close.pkt                      100 mutants: packets dropped, doubled, reordered, late, split, flipped
  labstack mutate scenarios --seeds 1000 -j 2    of every script, in two processes
  labstack mutate close.pkt --seed 17 --seeds 1  one of them again
  labstack run .labstack/close-ipv4-17.pkt       the smallest script that broke an invariant
exit status: 0 nothing was broken, 1 an invariant of the stack was, 2 what was asked for is not there
"""
FUZZ = """examples:
  labstack fuzz tcp --seeds 2000 --jobs 2        random hosts, wires and applications, in two processes
  labstack fuzz tcp --seed 17                    one of them again; a failure says at which event, and what did not hold
  labstack fuzz tcp --seed 17 --at               the prompt where it failed (--at 40: at event 40); step and back work
  labstack fuzz tcp --differential               on two worlds side by side: the fast path equals the slow one
exit status: 0 everything held, 1 something did not, 2 what was asked for is not there
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

    _run_options(_command(commands, "run", "run scenarios, and say where they and the stack part", RUN))
    _rfc_options(_command(commands, "rfc", "which requirement of an RFC is tested by which scenario", RFC))

    _record_options(_command(commands, "record", "make a scenario of a capture", RECORD))
    _mutate_options(_command(commands, "mutate", "disturb scenarios, and see whether the stack stands it", MUTATE))
    _fuzz_options(_command(commands, "fuzz", "play random worlds, and see whether everything holds", FUZZ))

    bench = _command(commands, "bench", "measure", BENCH)
    bench.add_argument("name", metavar=f"{{{','.join(BENCHES)}}}", choices=BENCHES, help="what to measure")
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


def _run_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("paths", nargs="+", metavar="PATH", help="files *.pkt and scenario_*.py, file.py::name, or folders")
    _target_options(to)
    to.add_argument("-k", default="", metavar="EXPR", help="only those named so: 'tcp and not v6'")
    to.add_argument("-v", "--verbose", action="store_true", help="a line for each, and every failure whole")
    to.add_argument("--at", type=int, metavar="N", help="open the prompt at event N of the ladder")
    to.add_argument("--json", action="store_true", help="print a list of outcomes for programs")
    to.add_argument("--tap", action="store_true", help="print the Test Anything Protocol, version 13")
    to.add_argument("--write", metavar="FILE#NAME", help="make the table NAME in a Markdown page anew")
    to.add_argument("--tolerance", choices=("strict", "script"), default="strict", help="in virtual time: none "
                    "(strict, default), or what the script allows")  # fmt: skip
    to.add_argument("--profile", default="linux", help="sysctls to start with, where the script does not say: linux "
                    "(default), plain, none")  # fmt: skip
    to.add_argument("-D", "--define", action="append", type=_definition, metavar="SYM=VALUE", help="a word of scripts")
    to.add_argument("--allow-shell", action="store_true", help="let the shell run what a script says in backquotes")
    to.add_argument("--allow-code", action="store_true", help="let Python run code blocks, unguarded")
    to.add_argument("--seed", type=int, default=1, metavar="N", help="one seed, one run (default 1)")
    to.add_argument("--limit", type=_positive, default=200_000, metavar="N", help="events until a script is stopped")
    to.set_defaults(run=_scenarios)


def _rfc_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("words", nargs="*", metavar="WORD", help="RFCs (9293) and ids (MUST-10); all if none is given")
    to.add_argument("--paths", nargs="+", metavar="PATH", help="scenarios; default: labstack's own")
    _target_options(to)
    to.add_argument("--rules", action="store_true", help="the rules of the stack that no scenario has reached")
    form = to.add_mutually_exclusive_group()
    form.add_argument("--md", action="store_true", help="a table in Markdown")
    form.add_argument("--html", action="store_true", help="one page of HTML")
    form.add_argument("--json", action="store_true", help="a list for programs")
    form.add_argument("--write", metavar="FILE", help="make the tables in a Markdown page anew")
    to.set_defaults(run=_rfc)


def _record_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("capture", metavar="CAPTURE", help="a pcapng or pcap file")
    to.add_argument("-o", "--output", metavar="FILE", help="write it there; default: print it")
    to.add_argument("--host", metavar="ADDRESS", help="the host under test; default: the one that others connect to")
    to.set_defaults(run=_record)


def _mutate_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("paths", nargs="+", metavar="PATH", help="files *.pkt, or folders")
    to.add_argument("--seeds", type=_positive, default=100, metavar="N", help="mutants of each script (default 100)")
    to.add_argument("--seed", type=_positive, default=1, metavar="S", help="the first of them (default 1)")
    to.add_argument("-j", type=_positive, metavar="N", help="processes (default: one a processor for many scripts)")
    to.add_argument("-k", default="", metavar="EXPR", help="only those named so: 'tcp and not v6'")
    to.add_argument("--ip-version", choices=("ipv4", "ipv6", "ipv4-mapped-ipv6", "all"), help="default: the first in "
                    "which a script runs")  # fmt: skip
    to.add_argument("--profile", default="linux", help="sysctls to start with, where the script does not say")
    to.add_argument("--save", metavar="DIR", help="where the smallest scripts go that broke something "
                    "(default .labstack)")  # fmt: skip
    to.add_argument("--json", action="store_true", help="print what was found for programs")
    to.set_defaults(run=_mutate)


def _fuzz_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("what", metavar="{tcp}", choices=("tcp",), help="the protocol")
    to.add_argument("--seeds", type=_positive, metavar="N", help="how many (default 1000; 1 with --seed)")
    to.add_argument("--seed", type=_positive, metavar="S", help="the first of them (default 1)")
    to.add_argument("-j", "--jobs", type=_positive, default=1, metavar="N", help="processes (default 1)")
    to.add_argument("--differential", action="store_true", help="twice side by side, with a trace and without: the "
                    "slow path and the fast one")  # fmt: skip
    to.add_argument("--at", type=int, nargs="?", const=-1, metavar="N", help="open the prompt at event N of a seed "
                    "(default: where it failed)")  # fmt: skip
    to.add_argument("--json", action="store_true", help="print what was found for programs")
    to.set_defaults(run=_fuzz)


def _target_options(to: argparse.ArgumentParser) -> None:
    to.add_argument("--target", choices=("lab", "kernel", "both"), default="lab", help="our stack in virtual time "
                    "(default), the Linux kernel in a namespace of our own, or one beside the other")  # fmt: skip
    to.add_argument("--ip-version", choices=("ipv4", "ipv6", "ipv4-mapped-ipv6", "all"), help="default: the first in "
                    "which a scenario runs")  # fmt: skip
    to.add_argument("-j", type=_positive, metavar="N", help="processes (default: one a processor for many in virtual "
                    "time, one for the kernel)")  # fmt: skip


def _definition(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} is no definition: expected SYMBOL=value")
    return name, value


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


def _scenarios(args: argparse.Namespace) -> int:
    return _asked("run", args)


def _rfc(args: argparse.Namespace) -> int:
    return _asked("rfc_matrix", args)


def _record(args: argparse.Namespace) -> int:
    return _asked("run", args, "labstack.scenario.record.record")


def _mutate(args: argparse.Namespace) -> int:
    return _asked("run", args, "labstack.scenario.mutate.command")


def _fuzz(args: argparse.Namespace) -> int:
    return _asked("run", args, "labstack.fuzz.command")


def _asked(name: str, args: argparse.Namespace, module: str = "labstack.scenario.command") -> int:
    """A command whose word is looked for; what is not there to be asked for is a matter of the command line."""
    try:
        return int(_load(module, name)(args))
    except LabError as error:
        print(f"labstack: {error}", file=sys.stderr)
        return 2


def _bench(args: argparse.Namespace) -> int:
    bench = import_module(f"labstack.bench.{args.name}")
    rows = bench.run(args.rounds)
    own = getattr(bench, "render", None) or _load("labstack.bench.table", "render")
    print(_load("labstack.bench.table", "to_json")(rows) if args.json else own(rows))
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
