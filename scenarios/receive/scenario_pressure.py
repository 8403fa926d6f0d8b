# SPDX-License-Identifier: GPL-2.0-or-later
"""All of TCP's buffers together have a bound, too (tcp_mem, in pages): one host's, so it is our own host's here."""

from labstack.scenario import scenario
from layers import TCP


@scenario(target="lab", ignore=TCP(flags="A"))
def under_pressure_windows_stop_growing_and_what_has_no_memory_is_dropped(t):
    "Above the second number nothing grows; above the third a segment is refused, and the window is closed."
    t.sysctl("net.ipv4.tcp_mem", "4 8 16")
    ends = [t.accepts(80) for _ in range(4)]
    for _ in range(30):
        for c in ends:
            c.send(bytes(1000))
    t.sleep("10ms")
    counted = t.counters()
    t.check(counted["TcpExtTCPMemoryPressures"] > 0, "the host is under pressure")
    t.check(counted["TcpExtTCPRcvQDrop"] > 0, "what found no memory was dropped")
    for c in ends:
        t.check(len(c.fd.recv(100_000)) > 0, "what there is can be read")
