# SPDX-License-Identifier: GPL-2.0-or-later
"""What if it had not been lost? The first data segment is dropped once; a fork of the same world keeps it.

The sender's timer (RFC 6298 §5) repairs the loss, later and no other way: same bytes, one retransmission more.
"""

from labstack import Lab

DATA = b"x" * 100


def run() -> Lab:
    """Lose one segment in one world and none in the other; returns the one that lost."""
    lab = Lab()
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
    return lab


if __name__ == "__main__":
    lost = run()
    print(lost.ladder())
    print(lost.diff("lucky"))
