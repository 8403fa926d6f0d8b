# SPDX-License-Identifier: GPL-2.0-or-later
"""A path that was measured may have become wider: after ten minutes the search begins anew (RFC 4821 §7.3)."""

from labstack.core.event import Note
from labstack.scenario import scenario


@scenario(hosts=2)
def a_search_is_begun_anew_after_ten_minutes(lab):
    "The first search ends where the range is small; ten minutes later what is written is a reason for another one."
    lab.h1.now("sysctl", "net.ipv4.tcp_mtu_probing", 2)
    server, client = lab.h2.listen(80), lab.h1.connect(lab.h2.ip, 80)
    lab.run("1s")
    served = server.accept()
    for _ in range(2):
        for _ in range(12):
            client.send(bytes(60_000))
            lab.run("1s")
            served.recv()
        lab.advance("601s")
    seen = [note.rule for record in lab.records for note in record.trace if isinstance(note, Note)]
    assert "4821/7.3/again" in seen
