# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of timers: the first element of every key in the timer table says who handles it."""

NEIGHBOUR = 1  # (NEIGHBOUR, dev, address)            link.neighbour
DAD = 2  # (DAD, dev, address)                        link.nd
PMTU = 4  # (PMTU, 0, b"")                            ip.pmtu
SYSCALL = 3  # (SYSCALL, ticket)                      stack.syscall.parked
TCP_RETRANSMIT = 10  # (TCP_..., sock)                tcp.timeouts
TCP_PERSIST = 11
TCP_DELACK = 12
TCP_TIMEWAIT = 13  # also FIN-WAIT-2 of a socket nobody holds
TCP_KEEPALIVE = 14
TCP_SYNACK = 15  # tcp.half
TCP_PACING = 16
TCP_COMPRESS = 17  # tcp.compress

NAMES = {
    NEIGHBOUR: "neighbour",
    DAD: "dad",
    PMTU: "pmtu",
    SYSCALL: "syscall",
    TCP_RETRANSMIT: "retransmit",
    TCP_PERSIST: "persist",
    TCP_DELACK: "delack",
    TCP_TIMEWAIT: "timewait",
    TCP_KEEPALIVE: "keepalive",
    TCP_PACING: "pacing",
    TCP_SYNACK: "synack",
    TCP_COMPRESS: "compress",
}
