# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack demo --tap`: the Linux kernel is the other host. It pings us and connects to us, we connect to it; 10 MB go
each way over IPv4 and IPv6, compared by SHA-256; then the ladder's first lines and the counters of both sides.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.ladder import Ladder
from labstack.lab.rows import KERNEL
from labstack.lab.streams import Giver, Taker
from labstack.lab.tap import shifted
from labstack.lab.view import Lines, View, table
from labstack.live.host import LiveHost, up
from labstack.stack.rules import RULES

SIZE = 10_000_000  # bytes each way
KEPT = 50_000  # records
FIRST = 24  # events in the ladder
PATIENCE = 60.0  # seconds for one transfer
SCRIPT = str(Path(__file__).with_name("kernel_side.py"))
ALWAYS = ("TcpRetransSegs", "TcpInErrs")  # shown also when they are 0


def run(stays: bool) -> int:
    """Do all of it and print what came of it; stays: then open the prompt on a live lab. Returns the exit status."""
    with up("tap", name="us", records=KEPT) as host:
        print(f"wire: {host.wire.how}; we are {_plain(host.wire.ours)}, the kernel is {_plain(host.wire.kernel)}")
        for words in _story(host):
            print("  " + words, flush=True)
        records = shifted(host.records)[:FIRST]
        print(f"\nthe first {len(records)} events of {len(host.records)}:\n")
        _show(Ladder(records, ("us", KERNEL), RULES))
        print()
        _show(_counters(host))
    return int(import_module("labstack.lab.repl").open_prompt(Lab(wire="tap"))) if stays else 0


def _plain(side: Any) -> str:
    return " ".join(prefix.partition("/")[0] for prefix in side.addresses)


def _story(host: LiveHost) -> Iterator[str]:
    for ours, kernels in zip(host.wire.ours.addresses, host.wire.kernel.addresses, strict=True):
        mine, theirs = ours.partition("/")[0], kernels.partition("/")[0]
        family = "IPv6" if ":" in mine else "IPv4"
        yield f"{family}  {_pinged(host, mine)}"
        yield f"{family}  {_received(host, mine)}"
        yield f"{family}  {_sent(host, theirs)}"


def _pinged(host: LiveHost, mine: str) -> str:
    answered, best = _kernel(host, "ping", mine, "5").split()
    if answered != "5":
        raise LabError(f"the kernel pinged {mine} five times and got {answered} answers")
    return f"the kernel pings us: 5 of 5 answered, best {best} ms"


def _received(host: LiveHost, mine: str) -> str:
    taker = Taker(host, 7001)
    theirs, told, seconds = _kernel(host, "send", mine, "7001", str(SIZE)).split()
    taker.wait(PATIENCE)
    return _compared("the kernel connects to us and sends", theirs, {told, taker.digest.hexdigest()}, float(seconds))


def _sent(host: LiveHost, theirs: str) -> str:
    with host.wire.popen(_python("take", theirs, "7002"), stdout=subprocess.PIPE, text=True) as program:
        out: Any = program.stdout
        out.readline()
        began = time.perf_counter()
        giver = Giver(host, theirs, 7002, os.urandom(SIZE))
        try:
            giver.wait(PATIENCE)
        except BaseException:
            program.kill()
            raise
        seconds = time.perf_counter() - began
        told = out.read().strip()
    digests = {told, giver.answer.decode()}
    return _compared("we connect to the kernel and send", giver.digest.hexdigest(), digests, seconds)


def _compared(what: str, ours: str, others: set[str], seconds: float) -> str:
    if others != {ours}:
        raise LabError(f"{what} {SIZE} bytes, but the digests differ: {ours} and {', '.join(others)}")
    speed = f"{SIZE // 10**6} MB in {seconds:.3f} s ({SIZE * 8 / seconds / 1e9:.2f} Gbit/s)"
    return f"{what:<36} {speed}, SHA-256 equal: {ours[:16]}…"


def _python(*argv: str) -> list[str]:
    return [sys.executable, "-I", "-S", SCRIPT, *argv]


def _kernel(host: LiveHost, *argv: str) -> str:
    done = host.wire.exec(*_python(*argv), timeout=PATIENCE)
    if done.returncode:
        raise LabError(f"{argv[0]} on the kernel's side failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def _counters(host: LiveHost) -> View:
    """Ours, and the kernel's of the same name where it has one."""
    kernel, ours = _kernel_counters(host), host.stack.env.count
    names = sorted({name for name, value in ours.items() if value} | set(ALWAYS))
    rows = [(name, str(ours.get(name, 0)), str(kernel.get(name, "-"))) for name in names]
    return Lines(table(("", "ours", "the kernel's"), rows))


def _kernel_counters(host: LiveHost) -> dict[str, int]:
    """/proc/net/snmp, netstat and snmp6 as the kernel's side of the wire sees them."""
    lines = host.wire.exec("cat", "/proc/net/snmp", "/proc/net/netstat").stdout.splitlines()
    found: dict[str, int] = {}
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        group, *keys = names.split()
        found.update({group.rstrip(":") + k: int(v) for k, v in zip(keys, values.split()[1:], strict=True)})
    six = host.wire.exec("cat", "/proc/net/snmp6").stdout.split()
    return found | {name: int(value) for name, value in zip(six[::2], six[1::2], strict=True)}


def _show(view: View) -> None:
    if sys.stdout.isatty():
        import_module("labstack.lab.repl").show(view)
    else:
        print(view)
