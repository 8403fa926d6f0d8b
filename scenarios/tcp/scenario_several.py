# SPDX-License-Identifier: GPL-2.0-or-later
"""Several connections at once: their numbers, their data and their ends are their own."""

from labstack.scenario import has, lacks, scenario
from layers import TCP


@scenario(covers="MUST-42")
def connections_of_one_port_do_not_mix(t):
    "Five clients of one server, talking in turn; each hears its own answer."
    clients = [t.accepts(80) for _ in range(5)]
    for n, c in enumerate(clients):
        c.send(b"question %d" % n)
    for n, c in enumerate(clients):
        c.expect(flags=has("A") & lacks("F", "R"), ack=11)
        c.fd.recv(returns=b"question %d" % n)
    for n, c in reversed(list(enumerate(clients))):
        c.fd.send(b"answer %d" % n)
    for n, c in enumerate(clients):
        c.expect(data=b"answer %d" % n, seq=1)
        c.send()


@scenario(covers="MUST-42")
def one_that_is_reset_takes_no_other_along(t):
    "A reset ends the connection that it is for; the neighbour with the next port goes on."
    dying, living = t.accepts(80), t.accepts(80)
    dying.send(flags="RA")
    dying.fd.recv(fails="ECONNRESET")
    living.send(b"still here")
    living.expect(flags="A", ack=11)
    living.fd.recv(returns=b"still here")


@scenario(covers="MUST-42")
def a_client_and_a_server_on_one_host(t):
    "The host connects to port 80 of the peer, and accepts on its own port 80 from there: two connections."
    ours, theirs = t.connects(80), t.accepts(80, sport=80)
    ours.fd.send(b"out")
    theirs.fd.send(b"back")
    t.expect_all([TCP(dport=80, sport=ours.peer) / b"out", TCP(sport=80, dport=80) / b"back"], within=0)
    ours.send(ack=4)
    theirs.send(ack=5)


@scenario()
def ten_connections_leave_from_ten_ports(t):
    "The host chooses a port for each connection of its own; no two to the same place have the same (RFC 9293 §3.9.1)."
    ports = {t.connects(80).peer for _ in range(10)}
    assert len(ports) == 10


@scenario(target="lab")
def a_host_has_so_many_sockets_and_no_more(t):
    "Where no socket is free a SYN is dropped, and comes again when one is (fs.file-max)."
    t.sysctl("fs.file-max", 2)
    c = t.accepts(80)
    late = t.peer_tcp(80)
    late.send(flags="S")
    t.silence("1s")
    c.send(flags="R", seq=1)
    c.fd.close()
    late.send(flags="S", seq=0)
    late.expect(flags="SA", ack=1)
