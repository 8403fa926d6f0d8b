# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection opens and closes in order: RFC 9293 §3.5 and §3.6, and every state on the way, at both of its ends.

With `hosts=` a scenario gets a Lab: hosts of ours on wires, whose verbs are those of the prompt.
"""

from labstack.scenario import scenario


@scenario(hosts=2)
def both_ends_go_through_their_states(lab):
    "Open, say something, close from one side and then from the other; TIME-WAIT lasts a minute."
    h1, h2 = lab.h1, lab.h2
    server = h2.listen(80)
    client = h1.connect(h2.ip, 80)
    lab.run()
    served = server.accept()
    assert (client.state, served.state) == ("ESTABLISHED", "ESTABLISHED")

    client.send(b"hello")
    lab.run()
    assert served.recv() == b"hello"

    client.close()
    lab.run()
    assert (client.state, served.state) == ("FIN_WAIT_2", "CLOSE_WAIT")
    assert served.recv() == b""  # the end of the stream

    served.close()
    lab.run()
    assert (client.state, served.state) == ("TIME_WAIT", "CLOSED")
    lab.advance("61s")
    assert client.state == "CLOSED"


@scenario(hosts=3)
def three_hosts_talk_across_a_switch(lab):
    "One server, two clients elsewhere on the link; each pair has its own connection and its own neighbours."
    server = lab.h1.listen(80)
    clients = [host.connect(lab.h1.ip, 80) for host in (lab.h2, lab.h3)]
    for n, client in enumerate(clients):
        client.send(b"from %d" % n)
    lab.run()
    served = [server.accept() for _ in clients]
    assert sorted(it.recv() for it in served) == [b"from 0", b"from 1"]
