# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNs in numbers: what a listener remembers has a bound."""

from labstack.scenario import scenario
from layers import TCP


@scenario(sysctls={"net.ipv4.tcp_syncookies": 0, "net.ipv4.tcp_max_syn_backlog": 16}, limit=30)
def a_listener_without_cookies_remembers_so_many(t):
    "Three quarters of tcp_max_syn_backlog are for anybody; what comes then is dropped, as if it had been lost."
    t.listen(80)
    for n in range(20):
        t.send(t.IP() / TCP(sport=5000 + n, dport=80, flags="S", window=1000))
    answered = t.expect(TCP(flags="SA"), count=13, within="50ms")
    assert [it[TCP].dport for it in answered] == [5000 + n for n in range(13)]
    t.silence("500ms")
    for n in range(13):
        t.send(t.IP() / TCP(sport=5000 + n, dport=80, flags="R", seq=1))
