# SPDX-License-Identifier: GPL-2.0-or-later
"""How a connection may end, as its plan has it, and whether an application has fared so. Raises BrokenError."""

import errno

from labstack.fuzz.app import App
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.faults import fraud, withdraws
from labstack.fuzz.plan import FAST_OPEN, HOSTS, LISTENS_FIRST, ORDERLY, Meeting, Plan
from labstack.fuzz.stage import OTHER
from labstack.fuzz.stranger import MOLE

WHOLE = "whole"  # both sides want to hear all that the other says: every byte arrives, and nothing goes wrong
LATE = "late"  # the same, but one may lose its patience and give up by name
FOES = "foes"  # their keys differ: they never come together, and who calls is told so in the end
LOOSE = "loose"  # somebody ends it as he likes, or it may end without anybody's fault: what is read is right, no more
COOKIES, ORPHANS = "net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_orphans"
GIVEN_UP = frozenset({errno.ETIMEDOUT, errno.ECONNRESET, errno.EPIPE})
# by routers: why it took too long
SAID = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EPROTO, errno.ENOPROTOOPT,
                  errno.EMSGSIZE, errno.EOPNOTSUPP, errno.EACCES, errno.EHOSTDOWN})  # fmt: skip
ROOM = 8  # half-open connections that are enough
DONE, AGAIN = range(2)  # what an application does when it has acted


def fate(plan: Plan, meeting: Meeting) -> str:
    """One of the above."""
    lives = meeting.lives
    if betrayed(plan):
        return LOOSE
    if meeting.foes:
        return FOES
    ends = {life.end for life in lives} - {ORDERLY, LISTENS_FIRST}
    if any(fraud(change.wire) for change in plan.changes) or any(ORPHANS in sysctls for sysctls in plan.sysctls):
        return LOOSE
    if ends or forgetful(plan, meeting) or any(life.speech.linger == 0 for life in lives):
        return LOOSE
    return LATE if hurried(plan) or any(life.impatient for life in lives) else WHOLE


def hurried(plan: Plan) -> bool:
    """Who was sent a window that was then withdrawn waits for twice tcp_rto_max (tcp_rtx_probe0_timed_out)."""
    short = any("net.ipv4.tcp_rto_max_ms" in sysctls for sysctls in plan.sysctls)
    return short and any(withdraws(change.wire) for change in plan.changes)


def betrayed(plan: Plan) -> bool:
    """Somebody sends what he likes in others' names."""
    return any(attack.kind == MOLE for attack in plan.attacks)


def forgetful(plan: Plan, meeting: Meeting) -> bool:
    """A host that sends SYN cookies cannot know a connection whose first ACK was lost: it may reset it. One that is
    flooded and sends none has no room. One that takes data with a SYN may take a duplicate for a connection of its own
    (RFC 7413 §2.1)."""
    flooded = any(attack.kind == "flood" for attack in plan.attacks)
    for host in HOSTS if meeting.both else (OTHER[meeting.caller],):
        sysctls = plan.sysctls[HOSTS.index(host)]
        if flooded or sysctls.get(COOKIES, 1) > 1 or sysctls.get(FAST_OPEN, 1) & 2:
            return True
    return False


def refused(app: App, code: int, plan: Plan) -> None:
    """A router ends an attempt to connect. Of two that connect to each other neither knows when to try again; and who
    has no room for what is left of this attempt may answer the next one with a cookie: see forgetful."""
    app.refused = code
    if (app.peer.where is not None or plan.backlog < ROOM) and app.fate != FOES:
        app.fate = app.peer.fate = LOOSE


def judge(app: App) -> int:
    """An application has acted: did it fare as it should? Returns AGAIN if it was refused by a router, as may happen,
    and has to connect again."""
    peer = app.peer
    if app.refused and app.error:
        if app.error != app.refused:
            raise BrokenError(f"a router said {app.refused}, and it heard {app.error}: {app}")
        if app.fate in (WHOLE, LATE):
            return AGAIN
    if app.fate == FOES:
        if app.got or peer.got or app.open:
            raise BrokenError(f"keys differ, and yet it is connected: {app}")
        if app.gone and app.error not in {errno.ETIMEDOUT} | SAID:
            raise BrokenError(f"keys differ, and it is {errno.errorcode.get(app.error, app.error)}: {app}")
        peer.gone = peer.gone or (app.gone and not peer.voice.number)
        return DONE
    if app.fate == LOOSE:
        return DONE
    if app.error and not (app.fate == LATE and app.error in GIVEN_UP | SAID):
        raise BrokenError(f"{errno.errorcode.get(app.error, app.error)}, and nobody aborted: {app}")
    if app.gone and not app.error and app.got < peer.life.size:
        raise BrokenError(f"the stream ended after {app.got} of {peer.life.size} bytes: {app}")
    return DONE
