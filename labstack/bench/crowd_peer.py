# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's end of `bench idle` and `bench churn`: many connections to one address. Standard library only.

`crowd_peer.py hold ADDRESS N`: opens N, with a byte each way on each, says 'ready', holds them until its input ends.
`crowd_peer.py churn ADDRESS RATE SECONDS WHO`: opens RATE connections a second, a byte each way on each; WHO ('kernel'
or 'ours') closes first. Says how many it made, and in what time.
"""

import json
import resource
import socket
import sys
import time

KERNEL_CLOSES, OURS_CLOSES = 9006, 9007  # ports, by who closes first


def connect(address: str, port: int) -> socket.socket:
    """A connection that carried a byte each way."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(20)
    sock.connect((address, port))
    sock.send(b"x")
    if sock.recv(1) != b"x":
        raise OSError("no echo")
    return sock


def hold(address: str, count: str) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, int(count) + 100), most))
    held = [connect(address, KERNEL_CLOSES) for _ in range(int(count))]
    print("ready", flush=True)
    sys.stdin.read()
    for sock in held:
        sock.close()


def churn(address: str, rate: str, seconds: str, who: str) -> None:
    began, made = time.perf_counter(), 0
    port = OURS_CLOSES if who == "ours" else KERNEL_CLOSES
    while (passed := time.perf_counter() - began) < float(seconds):
        if made < passed * int(rate):
            with connect(address, port) as sock:
                if port == OURS_CLOSES and sock.recv(1):
                    raise OSError("a byte too many")
            made += 1
        else:
            time.sleep(0.001)
    print(json.dumps({"made": made, "seconds": time.perf_counter() - began}), flush=True)


def main(role: str, *words: str) -> None:
    """Play a role."""
    if role == "hold":
        hold(*words)
    else:
        churn(*words)


if __name__ == "__main__":
    main(*sys.argv[1:])
