# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack demo`: ARP, a ping, a TCP connection from SYN to TIME-WAIT, and the ladder that explains each line."""

import sys
from importlib import import_module

from labstack.lab.lab import Lab

REQUEST, ANSWER = b"What is a packet?", b"A promise with a checksum."
NEXT = """
  try   back 3              undo three events, completely
        why 9               the rules behind event 9, layer by layer
        ss h1               sockets, as `ss -ti`
        h1.ping(h2.ip6)     IPv6; then: step, step, ladder 2
        fork what           copy this world, and go another way in the copy
"""


def memory(stays: bool) -> int:
    """The demo between two hosts in memory; stays: then open the prompt. Returns the exit status."""
    lab, names = story()
    print("h1 pings h2, connects to port 80, asks a question, gets an answer, and both close. Nothing is faked:")
    print("two complete TCP/IP stacks on a wire of 10 ms, in virtual time; each line names the rule behind it.\n")
    view = lab.ladder()
    if sys.stdout.isatty():
        import_module("labstack.lab.repl").show(view)
    else:
        print(view)
    if not stays:
        return 0
    print(NEXT, flush=True)
    return int(import_module("labstack.lab.repl").open_prompt(lab, names))


def story() -> tuple[Lab, dict[str, object]]:
    """A lab in which it all has happened, and what the prompt should know by name."""
    lab = Lab()
    h1, h2 = lab.h1, lab.h2
    h1.ping(h2.ip)
    lab.run()
    srv = h2.listen(80)
    c1 = h1.connect(h2.ip, 80)
    c1.send(REQUEST)
    lab.run()
    s1 = srv.accept()
    s1.send(ANSWER if s1.recv() == REQUEST else b"?")
    lab.run()
    c1.recv()
    c1.close()
    lab.run()
    s1.close()
    lab.run()
    return lab, {"srv": srv, "c1": c1, "s1": s1}


def picture() -> str:
    """The ladder of the story as SVG: the picture in the README."""
    return story()[0].ladder().svg()


def tap(stays: bool) -> int:
    """The demo with the Linux kernel as the other host."""
    return int(import_module("labstack.lab.demo_tap").run(stays))


if __name__ == "__main__":
    print(picture())
