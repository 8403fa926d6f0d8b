# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that come and go: 200 a second for a minute, a byte each way on each, and what is left of them.

Whoever closes first remembers a connection for 60 s in TIME-WAIT (RFC 9293 §3.6): when that is the kernel nothing may
be left here; when we are, what is left is in TIME-WAIT, and gone a minute later.
"""

import json
import time

from labstack.bench.crowd import Echo, peer, resident, said
from labstack.bench.table import Row
from labstack.live.host import LiveHost, up
from labstack.tcp.states import TIME_WAIT

RATE = 200  # connections a second
SECONDS = 60
OURS = "10.0.0.1"


def run(rounds: int = 1) -> list[Row]:
    """Figures of one run, of some four minutes. Raises NoWireError, RuntimeError."""
    with up("tap") as host:
        Echo(host)
        return churn(host, "kernel", RATE, SECONDS) + churn(host, "ours", RATE, SECONDS) + waited(host)


def churn(host: LiveHost, who: str, rate: int, seconds: float) -> list[Row]:
    """`who` closes first, at so many connections a second: how it went, and what is left."""
    with peer(host, "churn", OURS, rate, seconds, who) as process:
        time.sleep(seconds / 2)
        half = resident()
        result = json.loads(said(process))
        process.communicate("", timeout=60)
    grown = resident() - half
    time.sleep(0.2)
    states = [conn.state for conn in list(host.stack.conns.values())]
    made = result["made"] / result["seconds"]
    first = "the kernel closes first" if who == "kernel" else "we close first"
    return [
        Row("churn", f"{first}: connections", made, "/s", rate, made / rate),
        Row("churn", f"{first}: memory grown in the second half", grown / 1e6, "MB", None, None),
        Row("churn", f"{first}: left in TIME-WAIT", states.count(TIME_WAIT), "", None, None),
        Row("churn", f"{first}: left otherwise", len(states) - states.count(TIME_WAIT), "", None, None),
    ]


def waited(host: LiveHost) -> list[Row]:
    """What is left a minute later."""
    time.sleep(62)
    return [Row("churn", "left a minute later", len(host.stack.conns), "", None, None)]
