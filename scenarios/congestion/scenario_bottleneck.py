# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hosts and a bottleneck between them: what a controller makes of a path that nobody told it anything about.

The wire of h1 has a rate and a queue, so that a sender that is too fast first sees its round trips grow, then loses.
"""

from labstack.core.config import CONGESTION
from labstack.core.errors import StackError
from labstack.core.event import Note
from labstack.scenario import scenario

SECOND = 1_000_000_000  # ns


def path(lab, mbit, queue, control="cubic", port=80, **sysctls):
    """A path of 2 x 20 ms with a bottleneck; returns the sender's end of a connection, and the receiver's."""
    lab.h1.now("sysctl", "net.ipv4.tcp_congestion_control", CONGESTION.index(control))
    for name, value in sysctls.items():
        lab.h1.now("sysctl", f"net.ipv4.tcp_{name}", value)
    lab.wire.delay("20ms").rate(mbit * 1_000_000, queue=queue, only="h1")
    server, client = lab.h2.listen(port), lab.h1.connect(lab.h2.ip, port)
    lab.run("1s")
    return client, server.accept()


def pump(lab, client, served, seconds):
    """h1 writes whatever there is room for, h2 reads it, for so long; returns the bytes that arrived."""
    arrived, until = 0, lab.now + seconds * SECOND
    while lab.now < until:
        for host, op, argument in ((lab.h1, "send", bytes(1 << 20)), (lab.h2, "recv", 1 << 24)):
            try:
                got = host.now(op, (client if op == "send" else served).sock, argument)
                arrived += len(got) if op == "recv" else 0
            except StackError:
                pass  # no room, nothing to read
        lab.run("20ms")
    return arrived


def seen(lab):
    """The rules that h1 has followed."""
    return {note.rule for record in lab.records for note in record.trace if isinstance(note, Note)}


def count(lab, name):
    return lab.h1.stack.env.count[name]


@scenario(hosts=2)
def slow_start_ends_when_round_trips_grow(lab):
    "HyStart: the queue fills, the round trip is an eighth longer than the shortest, and nothing is lost yet."
    client, served = path(lab, 8, queue=1000, cubic_hystart_detect=2)
    pump(lab, client, served, 2)
    assert count(lab, "TcpExtTCPHystartDelayDetect") == 1
    assert count(lab, "TcpRetransSegs") == 0


@scenario(hosts=2)
def slow_start_ends_when_acks_fill_half_a_round_trip(lab):
    "HyStart: ACKs that come in a row for so long are a bottleneck's clock, whatever the round trip says."
    client, served = path(lab, 40, queue=1000, cubic_hystart_detect=1)
    pump(lab, client, served, 0.5)
    assert count(lab, "TcpExtTCPHystartTrainDetect") == 1
    assert count(lab, "TcpRetransSegs") == 0


@scenario(hosts=2)
def conservative_slow_start_becomes_avoidance(lab):
    "HyStart++: after an eighth more it grows a quarter as fast, and after five such rounds no more (RFC 9406 §4.2)."
    client, served = path(lab, 8, queue=1000, cubic_hystart=2)
    pump(lab, client, served, 2)
    assert {"9406/4.2/css", "9406/4.2/avoid"} <= seen(lab)
    assert count(lab, "TcpRetransSegs") == 0


@scenario(hosts=2)
def conservative_slow_start_was_a_mistake(lab):
    "HyStart++: the round trip is short again, so it was not the queue: slow start goes on (RFC 9406 §4.2)."
    for port, first in ((80, 0.1), (81, 0.15), (82, 0.2)):  # when exactly does not matter
        client, served = path(lab, 100, queue=1000, port=port, cubic_hystart=2)
        pump(lab, client, served, first)
        for delay in ("30ms", "20ms"):
            lab.wire.delay(delay)
            pump(lab, client, served, 0.12)
        client.abort()
    assert {"9406/4.2/css", "9406/4.2/resume"} <= seen(lab)


@scenario(hosts=2)
def bbr_finds_the_bandwidth_and_empties_the_queue_that_it_made(lab):
    "STARTUP, until three rounds bring no more, then DRAIN; every ten seconds the queue is let run empty."
    client, served = path(lab, 2, queue=1000, control="bbr")
    arrived = pump(lab, client, served, 13)
    assert {"linux/bbr_check_drain/full", "linux/bbr_check_drain/drained", "linux/bbr_update_min_rtt/probe"} <= seen(
        lab
    )
    assert arrived * 8 > 13 * 2_000_000 * 0.8
    assert count(lab, "TcpRetransSegs") == 0


@scenario(hosts=2)
def bbr_does_not_fight_a_policer(lab):
    "What exceeds a rate is dropped, not queued: from the loss BBR learns the rate, and sends no faster."
    client, served = path(lab, 2, queue=100, control="bbr")
    lab.wire.loss(0.25, only="h1")
    pump(lab, client, served, 8)
    assert "linux/bbr_lt_bw_sampling/policed" in seen(lab)
