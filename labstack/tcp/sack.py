# SPDX-License-Identifier: GPL-2.0-or-later
"""The sender hears SACK blocks (RFC 2018 §5, RFC 2883 §4, RFC 6675 §3): which segments have arrived beyond a gap, which
arrived twice, and by how much they overtake each other. Without SACK duplicate ACKs stand for the blocks.
"""

from labstack.core.env import Env
from labstack.tcp import delivery, rack
from labstack.tcp.conn import Conn, Snd
from labstack.tcp.loss import LOSS
from labstack.tcp.segment import Segment
from labstack.tcp.sent import EVER, LOST, RETRANS, SACKED, Sent, cut, find, mark
from labstack.tcp.told import Told

Block = tuple[int, int]


def top(snd: Snd) -> int:
    """End of the highest SACK block, or SND.UNA: what lies before it and is missing was overtaken."""
    return snd.flight.top if snd.flight.sacked and snd.flight.top > snd.una else snd.una


def tag(env: Env, conn: Conn, seg: Segment, told: Told) -> None:
    """Take in the SACK blocks of a segment, absolute sequence numbers. What it acknowledges is still in the queue."""
    snd, blocks = conn.snd, seg.sack
    if told.una - seg.ack > snd.max_wnd:
        return
    twice = _twice(env, conn, blocks, seg.ack, told)
    if not snd.flight.queue:
        return
    for index, block in enumerate(blocks):
        dsack = twice and index == 0
        if _believable(env, conn, block, dsack, told):
            _walk(env, conn, block, dsack, told)
    loss = snd.loss
    if told.lowest < told.top and (loss.state != LOSS or loss.since is not None):
        reordered(env, conn, told.lowest)
    told.lowest = snd.nxt


# what arrived twice


def _twice(env: Env, conn: Conn, blocks: tuple[Block, ...], ack: int, told: Told) -> bool:
    """Is the first block a D-SACK (RFC 2883 §4)? Of what is acknowledged, or inside the second block."""
    start, end = blocks[0]
    if start < ack:
        env.count["TcpExtTCPDSACKRecv"] += 1
    elif len(blocks) > 1 and blocks[1][0] <= start and end <= blocks[1][1]:
        env.count["TcpExtTCPDSACKOfoRecv"] += 1
    else:
        return False
    snd, loss = conn.snd, conn.snd.loss
    size = end - start
    segs = -(-size // snd.mss) if 0 < size <= snd.max_wnd else 0
    if segs == 1 and loss.tail_end == end:
        told.tail = True
    loss.dsacks += segs
    if not segs or loss.dsacks > conn.tally.retrans:
        env.note("2883/4/not-ours", conn.sock, size)  # it cannot be, or the network duplicated it, not we
        env.count["TcpExtTCPDSACKIgnoredDubious"] += 1
        return False
    env.count["TcpExtTCPDSACKRecvSegs"] += segs
    env.note("2883/4/twice", conn.sock, start - snd.iss, size)
    told.duplicate = True
    loss.delivered += segs
    if loss.reorderings and not told.tail:
        loss.duplicated = True
    if loss.since is not None and loss.doubtful > 0 and loss.since < end <= told.una:
        loss.doubtful = max(loss.doubtful - segs, 0)
    return True


def _believable(env: Env, conn: Conn, block: Block, dsack: bool, told: Told) -> bool:
    """Could the peer have received this? RFC 2018 §5 forbids it to report what we never sent."""
    snd, (start, end) = conn.snd, block
    since = snd.loss.since
    if start < end <= snd.nxt and start < snd.nxt:
        if start > told.una:
            return True
        if dsack and since is not None:
            return end <= told.una and (start >= since or (end > since and start >= end - snd.max_wnd))
    if dsack:
        env.count["TcpExtTCPDSACKIgnoredNoUndo" if since is None else "TcpExtTCPDSACKIgnoredOld"] += 1
    elif end > snd.una or not told.old:
        env.count["TcpExtTCPSACKDiscard"] += 1
        env.note("2018/5/discard", conn.sock, start - snd.iss, end - snd.iss)
    return False


# what has arrived


def _walk(env: Env, conn: Conn, block: Block, dsack: bool, told: Told) -> None:
    """Tag every segment that lies in the block as a whole."""
    flight, (start, end) = conn.snd.flight, block
    queue = flight.queue
    if end <= queue[0].seq:
        return
    index = max(find(flight, start), 0)
    if queue[index].seq < start:
        index = _behind(conn, index, start)
    while index < len(queue) and queue[index].seq < end:
        s = queue[index]
        if s.end > end and not _before(conn, index, end):
            break
        s = queue[index]
        if not s.marks & SACKED or dsack:
            _one(env, conn, index, dsack, told)
        index += 1
    _merge(conn, block)


def _behind(conn: Conn, index: int, start: int) -> int:
    """The first record inside a block that begins in the middle of one: cut that behind a whole segment."""
    flight = conn.snd.flight
    s = flight.queue[index]
    at = s.seq + -(-(start - s.seq) // s.mss) * s.mss
    if s.segs > 1 and at < s.end and not s.marks & SACKED:
        cut(flight, index, at)
    return index + 1


def _before(conn: Conn, index: int, end: int) -> bool:
    """The block ends inside this record: cut it, so that whole segments lie before. False if none does."""
    flight = conn.snd.flight
    s = flight.queue[index]
    if s.marks & SACKED:
        return True
    at = s.seq + (end - s.seq) // s.mss * s.mss
    if s.segs == 1 or at <= s.seq:
        return False
    cut(flight, index, at)
    return True


def _one(env: Env, conn: Conn, index: int, dsack: bool, told: Told) -> None:
    """One record lies in a block."""
    snd, flight, loss = conn.snd, conn.snd.flight, conn.snd.loss
    s = flight.queue[index]
    marks = s.marks
    if dsack and marks & EVER:
        if loss.since is not None and loss.doubtful > 0 and s.end > loss.since:
            loss.doubtful = max(loss.doubtful - s.segs, 0)
        if marks & SACKED and s.seq < told.lowest:
            told.lowest = s.seq
    if s.end <= snd.una:
        return  # it is about to leave
    if not marks & SACKED:
        rack.advance(env, conn, s, told.echo)
        marks = _new(conn, s, told)
        told.newest = delivery.newest(told.newest, s.note, s.at, s.end)
        env.note("2018/5/sacked", conn.sock, s.seq - snd.iss, s.end - snd.iss)
    if dsack:
        marks &= ~RETRANS
    mark(flight, index, marks)
    flight.top = max(flight.top, s.end)


def _new(conn: Conn, s: Sent, told: Told) -> int:
    """It was not SACKed before; returns its marks from now on."""
    loss, marks = conn.snd.loss, s.marks
    if marks & RETRANS:
        if marks & LOST:
            marks &= ~(LOST | RETRANS)  # else the retransmission is still on its way
    else:
        if not marks & EVER:
            if s.seq < told.top and s.seq < told.lowest:
                told.lowest = s.seq
            if s.end <= loss.high:
                told.original = True
            if told.sack_first_at < 0:
                told.sack_first_at = s.at
            told.sack_last_at = s.at
        marks &= ~LOST
    told.sacked = True
    loss.delivered += s.segs
    return marks | SACKED


def _merge(conn: Conn, block: Block) -> None:
    """Neighbours that are SACKed become one record: what there is to look through are the gaps."""
    flight = conn.snd.flight
    queue = flight.queue
    first = max(find(flight, block[0]) - 1, 0)
    stop = first + 1
    while stop < len(queue) and queue[stop].seq <= block[1]:
        stop += 1
    out = [queue[first]]
    for s in queue[first + 1 : stop]:
        last = out[-1]
        if last.marks == s.marks == SACKED:
            out[-1] = Sent(last.seq, s.end, last.segs + s.segs, SACKED, s.at, s.flags, s.mss, s.note)
        else:
            out.append(s)
    if len(out) < stop - first:
        queue[first:stop] = out


# reordering


def reordered(env: Env, conn: Conn, lowest: int, counter: str = "TcpExtTCPSACKReorder") -> None:
    """What begins at lowest arrived, though it was never sent again, after something beyond it had."""
    snd = conn.snd
    loss, extent = snd.loss, top(snd) - lowest
    if extent <= 0:
        return
    most = env.config["net.ipv4.tcp_max_reordering"]
    if extent > loss.reordering * snd.mss:
        loss.reordering = min(-(-extent // snd.mss), most)
        env.note("linux/tcp_check_sack_reordering/more", conn.sock, loss.reordering)
    loss.reorderings += 1
    env.count[counter] += 1


# without SACK


def count(env: Env, conn: Conn, duplicates: int) -> None:
    """Duplicate ACKs: so many more segments have left the network, nobody knows which (RFC 5681 §3.2)."""
    if not duplicates:
        return
    snd = conn.snd
    before = snd.flight.sacked
    snd.flight.sacked += duplicates
    guess(env, conn, 0)
    snd.loss.delivered += max(snd.flight.sacked - before, 0)


def guess(env: Env, conn: Conn, acked: int) -> None:
    """At least one segment is missing; more duplicates than that are reordering (Linux's tcp_check_reno_reordering)."""
    flight, loss = conn.snd.flight, conn.snd.loss
    holes = min(max(flight.lost, 1), flight.out)
    if flight.sacked + holes <= flight.out:
        return
    flight.sacked = flight.out - holes
    loss.reordering = min(flight.out + acked, env.config["net.ipv4.tcp_max_reordering"])
    loss.reorderings += 1
    env.count["TcpExtTCPRenoReorder"] += 1
