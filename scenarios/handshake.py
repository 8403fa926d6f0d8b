# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection opens and closes in order: RFC 9293 §3.5 and §3.6, and every state on the way."""

from labstack import Lab


def run() -> Lab:
    """Open, say something, close from both sides; returns the lab as it is then."""
    lab = Lab()
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
    return lab


if __name__ == "__main__":
    print(run().ladder())
