# SPDX-License-Identifier: GPL-2.0-or-later
"""What if it had not been lost? The first data segment is dropped once; a fork of the same world keeps it."""

from labstack.scenario import scenario

DATA = b"x" * 100


@scenario(hosts=2)
def a_lost_segment_costs_a_timeout_and_nothing_else(lab):
    "The sender's timer (RFC 6298 §5) repairs the loss, later and no other way: same bytes, one retransmission more."
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    served = server.accept()

    lucky = lab.fork("lucky")
    lab.wire.lose(1, only="h1")  # exactly the next frame of h1
    for world in (lab, lucky):
        world.h1.queue("send", client.sock, DATA)
        world.run()

    assert served.recv() == DATA
    assert lucky.h2.now("recv", served.sock) == DATA
    assert lab.h1.stack.env.count["TcpRetransSegs"] == 1
    assert lucky.h1.stack.env.count["TcpRetransSegs"] == 0
    assert lab.now - lucky.now >= 200_000_000  # the least timeout, ns
    assert lab.diff("lucky")


@scenario(hosts=2)
def a_tenth_of_all_frames_is_lost_and_no_byte(lab):
    "Loss at random, by the lab's seed: whatever is lost is sent again until it is there."
    server = lab.h2.listen(80)
    client = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    served = server.accept()
    lab.wire.loss(0.1)
    client.send(DATA * 500)
    lab.run()
    assert served.recv(500 * len(DATA)) == DATA * 500
    assert lab.h1.stack.env.count["TcpRetransSegs"] > 0
