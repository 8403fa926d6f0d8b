# SPDX-License-Identifier: GPL-2.0-or-later
"""What the path to a destination carries, if that is less than the link: learnt from routers, for ten minutes.

RFC 1191 §3, RFC 8201 §4; sizes and times as Linux's (route exceptions). Which messages are to be believed is the
transports' affair (RFC 5927 §7.2); here is only what can be true. The table is bounded: the oldest entry makes room.
"""

import errno

from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.core.kinds import PMTU
from labstack.ip.datagram import Quoted
from labstack.ip.net import Learnt, Net
from labstack.ip.route import changed, lookup

ENTRIES = 1024
TIMER = (PMTU, 0, b"")
IGNORED, ONLY_VALIDATED = 2, 3  # net.ipv4.ip_no_pmtu_disc


def told(env: Env, quoted: Quoted) -> Quoted | None:
    """An error as the sysctls want it heard: None if it is not; without a size where none is to be trusted."""
    if quoted.errno != errno.EMSGSIZE or not quoted.family.no_pmtu:
        return quoted
    mode = env.config[quoted.family.no_pmtu]
    if mode == IGNORED or (mode == ONLY_VALIDATED and quoted.proto not in VALIDATING):
        return None
    return quoted._replace(mtu=0) if mode == 1 else quoted


VALIDATING = frozenset((6,))  # transports that look whether they sent what is quoted: TCP


def learn(env: Env, net: Net, dst: bytes, mtu: int) -> bool:
    """A router says that no packet of more than mtu bytes gets to dst. False if that changes nothing."""
    path = lookup(env, net, dst)
    if path is None or path.fixed:
        return False
    if mtu >= path.mtu:
        # RFC 1191 §3, RFC 8201 §4: never a reason to send more
        env.note("8201/4/larger", 0, mtu, path.mtu)
        return False
    family, fragile = path.family, False
    if mtu < family.min_mtu and not family.min_pmtu:
        env.note("8201/4/least", 0, mtu)
        return False
    if family.min_pmtu and mtu < env.config[family.min_pmtu]:
        # RFC 1191 §5: a router that does not say how much, or one that lies: the least, and no DF any more
        env.note("1191/5/least", 0, mtu)
        mtu, fragile = min(path.mtu, env.config[family.min_pmtu]), True
    env.note("1191/3/learnt", 0, dst, mtu)
    _remember(env, net, dst, Learnt(mtu, env.now + env.config[family.mtu_expires] * SECOND, fragile))
    return True


def _remember(env: Env, net: Net, dst: bytes, it: Learnt) -> None:
    net.learnt.pop(dst, None)
    if len(net.learnt) >= ENTRIES:
        env.count["PmtuEvictions"] += 1
        del net.learnt[next(iter(net.learnt))]
    net.learnt[dst] = it
    changed(net)
    _arm(env, net)


def _arm(env: Env, net: Net) -> None:
    """The timer runs for whoever is forgotten first: the one that was learnt first."""
    if net.learnt:
        env.timers.set(TIMER, next(iter(net.learnt.values())).until)
    else:
        env.timers.stop(TIMER)


def expire(env: Env, net: Net) -> None:
    """What was learnt ten minutes ago may be over: try larger packets again (RFC 1191 §3, RFC 8201 §4)."""
    for dst in [dst for dst, it in net.learnt.items() if it.until <= env.now]:
        env.note("1191/6.3/forgotten", 0, dst, net.learnt.pop(dst).mtu)
    changed(net)
    _arm(env, net)
