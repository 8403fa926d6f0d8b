# SPDX-License-Identifier: GPL-2.0-or-later
"""TIME-WAIT costs memory, and has a bound."""

from labstack.scenario import scenario


@scenario(profile="plain", sysctls={"net.ipv4.tcp_max_tw_buckets": 2}, xfail={"kernel": "Linux ends the newest"})
def of_too_many_in_time_wait_the_oldest_ends_early(t):
    "The bound is net.ipv4.tcp_max_tw_buckets; who waited longest is the least needed."
    ends = []
    with t.counts(TcpExtTCPTimeWaitOverflow=1):
        for _ in range(3):
            c = t.accepts(80)
            c.fd.close()
            c.expect(flags="FA", seq=1)
            c.send(flags="FA")
            c.expect(flags="A", seq=2, ack=2)
            ends.append(c)
    for c, answer in zip(ends, ("R", "A", "A"), strict=True):  # a FIN once more: TIME-WAIT acknowledges it again
        c.send(flags="FA", seq=1)
        c.expect(flags=answer)


@scenario(profile="plain", target="lab")  # a sysctl of the whole machine on Linux
def connections_that_nobody_holds_have_a_bound(t):
    "Closed, and their peers silent, they wait for timeouts: beyond tcp_max_orphans the next one is reset."
    t.sysctl("net.ipv4.tcp_max_orphans", 2)
    ends = [t.accepts(80) for _ in range(3)]
    with t.counts(TcpExtTCPAbortOnMemory=1):
        for c in ends[:2]:
            c.fd.close()
            c.expect(flags="FA", seq=1)
        ends[2].fd.close()
        ends[2].expect(flags="FA", seq=1)
        ends[2].expect(flags="RA")
    for c in ends[:2]:
        c.send(flags="R", seq=1)
