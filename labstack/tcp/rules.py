# SPDX-License-Identifier: GPL-2.0-or-later
"""What each rule of TCP says, in our own words, and the requirement it serves (RFC 9293 appendix B's MUST-n, SHLD-n).

Sequence numbers in the sentences are relative to the connection's initial ones.
"""

from labstack.core.rules import Rule
from labstack.tcp.cc.rules import RULES as CC

RULES: dict[str, Rule] = {
    **CC,
    # the header
    "9293/3.1/option/malformed": Rule(
        "TCP option {0} is malformed (length {1}); the options end there, the segment counts", ("MUST-6", "MUST-7")
    ),
    "9293/3.4.1/isn": Rule(
        "the initial sequence number is a 4 us clock plus a keyed hash of the addresses and ports",
        ("MUST-8", "MUST-9", "SHLD-1"),
    ),
    "9293/3.4/zero-window": Rule(
        "our window is closed: {0} bytes of text are ignored, but the ACK counts", ("MUST-66",)
    ),
    "2018/2/agreed": Rule("both SYNs permit SACK: what arrives beyond a gap is told in blocks"),
    "linux/tcp_ack_snd_check/compress": Rule("the sender knows of the loss: one ACK for what comes in {0:.0f} us"),
    "linux/tcp_compressed_ack_kick/expire": Rule("one ACK for all that came beyond the gap meanwhile: it has waited"),
    "2883/4/duplicate": Rule("{0} to {1} came twice: tell it in a block of its own (D-SACK)"),
    "7323/5.3/old": Rule("its timestamp is {0} ms older than the last one: an old duplicate, whatever its number is"),
    "7323/3.2/echo": Rule("it echoes the timestamp {0}, which no SYN of ours had"),
    "9293/3.6.1/reopen": Rule("a new SYN beyond all that was received may replace the one in TIME-WAIT", ("SHLD-4",)),
    "6191/2/reopen": Rule("a SYN with a newer timestamp: TIME-WAIT gives way to a new connection", ("MAY-2", "SHLD-4")),
    "linux/tcp_twsk_unique/reuse": Rule(
        "ours takes the place of one in TIME-WAIT: timestamps tell their segments apart"
    ),
    "1337/3/ignored": Rule("a RST does not end TIME-WAIT here (tcp_rfc1337): it may be an old one"),
    "7323/3.2/agreed": Rule("both SYNs have a timestamp: every segment carries one from now on"),
    "9293/3.7.1/mss": Rule("segments to this peer carry at most {0} bytes", ("MUST-14", "MUST-15", "MUST-16")),
    # opening
    "9293/3.10.1/active": Rule("active OPEN: send a SYN, enter SYN-SENT"),
    "9293/3.10.7.2/syn": Rule("a SYN for a listening port: answer SYN,ACK, enter SYN-RECEIVED", ("MUST-11",)),
    "9293/3.10.7.3/established": Rule(
        "SYN,ACK acknowledges our SYN: the connection is ESTABLISHED, acknowledge at once"
    ),
    "9293/3.10.7.3/simultaneous": Rule(
        "a SYN crossed ours: simultaneous open, answer SYN,ACK, enter SYN-RECEIVED", ("MUST-10",)
    ),
    "9293/3.10.7.3/refused": Rule("RST with an ACK of our SYN: the peer refuses the connection"),
    "9293/3.5/simultaneous-ack": Rule("the SYN,ACK of a simultaneous open acknowledges our SYN", ("MUST-10",)),
    "9293/3.10.7.4/ack/syn-received": Rule("our SYN is acknowledged: SYN-RECEIVED becomes ESTABLISHED"),
    "linux/tcp_check_req/synack": Rule("the same SYN again: our SYN,ACK was lost, send it again"),
    "linux/tcp_check_req/overflow": Rule("no room for a connection that is open now: RST (tcp_abort_on_overflow)"),
    "6298/5.7/synack": Rule("no ACK of our SYN,ACK came: send it again, time number {0}"),
    "linux/reqsk_timer_handler/expire": Rule("half open for too long: forgotten after {0} more SYN,ACKs"),
    "4987/3.6/sent": Rule(
        "nothing is kept of this SYN, for too many are half open, or tcp_syncookies is 2: a cookie answers, "
        "which remembers a segment size of {0}"
    ),
    "4987/3.6/valid": Rule("the ACK brings a cookie of ours back, with a segment size of {0}"),
    "4987/3.6/open": Rule("what the cookie tells is enough to open the connection"),
    "7413/4.2.2/cookie": Rule("a Fast Open cookie of {0} bytes that is not ours, or a request: tell the right one"),
    "7413/4.2.2/data": Rule("Fast Open: the application may have the connection now, and {0} bytes of the SYN"),
    "7413/4.1.3/ask": Rule("Fast Open: no cookie of this server is known, so ask for one"),
    "7413/4.2.1/data": Rule("Fast Open: {0} bytes go with the SYN"),
    "7413/4.2.1/again": Rule("Fast Open: the SYN,ACK does not acknowledge all of the {0} bytes: they go again"),
    "7413/7.4/swallowed": Rule("Fast Open: this connection comes to nothing; is it swallowed on the way?"),
    "linux/tcp_rcv_synsent_state_process/save": Rule("the ACK of the SYN,ACK waits for data that will take it along"),
    "7413/5.1/limit": Rule("Fast Open: {0} handshakes are under way already; the SYN is answered as any other"),
    # segments for no connection
    "9293/3.10.7.1/reset-ack": Rule("no connection here for {0}: answer RST with the sequence number it acknowledges"),
    "9293/3.10.7.1/reset": Rule("no connection here for {0}: answer RST,ACK"),
    # the eight checks
    "9293/3.10.7.4/seq/ack": Rule("not acceptable: tell the peer where we are with an ACK"),
    "9293/3.10.7.4/rst/accept": Rule("RST at exactly RCV.NXT: the connection is reset", ("SHLD-2", "MUST-12")),
    "9293/3.10.7.4/rst/challenge": Rule("RST {0} beyond RCV.NXT: it may be blind, so challenge it with an ACK"),
    "9293/3.10.7.4/syn/listen": Rule("another SYN before a passive open was finished: back to LISTEN", ("MUST-11",)),
    "9293/3.10.7.4/syn/challenge": Rule("a SYN inside a connection: challenge it with an ACK"),
    "5961/7/host": Rule("no challenge: enough of them went out in this second"),
    "5961/7/throttled": Rule("no answer: an ACK of this kind went out a moment ago"),
    "9293/3.10.7.4/ack/new": Rule("{0} more of our sequence numbers are acknowledged"),
    "9293/3.10.7.4/ack/dup": Rule("ACK {0} again, and something is in flight: a duplicate ACK"),
    "9293/3.10.7.4/ack/old": Rule("ACK {0} says nothing new"),
    "9293/3.10.7.4/ack/window": Rule("the peer's window goes from {0} to {1} bytes", ("MUST-1", "MUST-34")),
    "9293/3.10.7.4/text/accept": Rule("{0} bytes in order, for the application"),
    "9293/3.10.7.4/text/beyond": Rule("text {0} bytes beyond RCV.NXT: keep it; an ACK is to tell what is missing"),
    "9293/3.10.7.4/text/trim": Rule("text partly outside the window: {0} bytes cut in front, {1} behind"),
    "9293/3.10.7.4/text/after-fin": Rule("text after the peer's FIN cannot be: ignored"),
    "9293/3.10.7.4/fin/arrived": Rule("everything up to the peer's FIN has arrived: acknowledge it"),
    "9293/3.10.7.4/fin/early": Rule("a FIN, but something before it is missing: remember it"),
    "9293/3.10.7.4/fin/time-wait": Rule(
        "the FIN again in TIME-WAIT: our ACK was lost, repeat it and start 2 MSL anew", ("MUST-13",)
    ),
    # urgent data
    "9293/3.8.5/send": Rule(
        "{0} bytes ahead is something urgent: every segment tells it until it is there",
        ("MUST-30", "MUST-31", "MUST-62"),
    ),
    "9293/3.8.5/announced": Rule("{0} bytes ahead is an urgent byte: tell the application", ("MUST-32", "MUST-33")),
    "9293/3.8.5/here": Rule("the urgent byte has arrived", ("MUST-30",)),
    # the receiver
    "linux/tcp_prune_ofo_queue/last": Rule("what lies farthest beyond a gap makes room: {0} bytes of memory are free"),
    "linux/tcp_enter_memory_pressure": Rule("TCP's buffers take {0} bytes, more than tcp_mem likes: none grows now"),
    "linux/tcp_data_queue/nomem": Rule("no memory for {0} bytes in order, {1} are in use: the window closes"),
    "linux/tcp_rcvbuf_grow/larger": Rule(
        "{0} bytes were read in a round trip, more than ever: the receive buffer grows to {1}"
    ),
    "linux/tcp_cleanup_rbuf/read": Rule("a burst was read to its end: acknowledge it now"),
    "5681/4.2/fill": Rule("it fills a gap: acknowledge at once"),
    "9293/3.8.6.3/second": Rule("two full-sized segments are unacknowledged: acknowledge now", ("SHLD-19", "MUST-58")),
    "linux/tcp_ack_snd_check/waits": Rule(
        "two segments have come, but the window stands still until the application reads, which will bring the ACK"
    ),
    "linux/tcp_in_quickack_mode/at-once": Rule("the peer is just starting: this ACK and {0} more at most go at once"),
    "9293/3.8.6.3/delay": Rule("the ACK may wait {0} ms for company", ("SHLD-18", "MUST-40")),
    "9293/3.8.6.3/expire": Rule("the delayed ACK has waited long enough", ("MUST-40",)),
    "9293/3.8.6.2.2/update": Rule(
        "the application has read: the window can open by {0} bytes, worth an ACK of its own", ("MUST-39",)
    ),
    # the sender
    "9293/3.10.2/send": Rule("{0} bytes of the stream go out, within both windows"),
    "linux/tcp_enter_cwr/refused": Rule("our own device takes nothing: {0} bytes are not sent, the window is reduced"),
    "linux/forced_push/half": Rule("more than half of the largest window was written since the last PSH: one at {0}"),
    "linux/tcp_nagle_check/cork": Rule("corked: {0} bytes wait until they fill a segment, or until the cork is pulled"),
    "9293/3.7.4/nagle": Rule("Nagle: {0} bytes wait for an ACK or for more", ("SHLD-7", "MUST-17")),
    "9293/3.8.6.2.1/wait": Rule(
        "a window of {0} bytes, and less than a segment may go: wait an RTO for more", ("MUST-38",)
    ),
    "9293/3.8.6.2.1/override": Rule("the window stayed at {0} bytes for an RTO: fill it after all", ("MUST-38",)),
    "9293/3.8.6.1/persist": Rule("something to send and no window for it: probe after an RTO", ("MUST-35", "MUST-36")),
    "9293/3.8.6.1/probe": Rule("window probe {0}: an ACK that wants an answer", ("MUST-35", "MUST-37")),
    "9293/3.8.6/withdrawn": Rule(
        "the window was taken back from what is in flight from {0}: once more, as a probe", ("MUST-34", "SHLD-16")
    ),
    "9293/3.8.6/reopened": Rule("the window is open again: what was sent into the closed one goes again", ("SHLD-16",)),
    "linux/tcp_probe_timer/user": Rule("the window has been closed for as long as TCP_USER_TIMEOUT allows: give up"),
    "linux/tcp_probe_timer/silent": Rule("{0} window probes without any answer: give up"),
    "9293/3.8.4/probe": Rule("keep-alive {0}: is the peer still there?", ("MAY-5", "MUST-24", "MUST-26", "SHLD-12")),
    "9293/3.8.4/dead": Rule("{0} keep-alives without an answer: the connection is dead", ("MUST-29",)),
    "linux/tcp_close/linger2": Rule("closed in FIN-WAIT-2 by an application that will not wait (TCP_LINGER2): RST"),
    "linux/tcp_rcv_state_process/linger2": Rule("our FIN is acknowledged, and TCP_LINGER2 says not to wait for theirs"),
    "linux/tcp_probe_timer/orphan": Rule("nobody holds the socket and the peer's window stays closed: give up"),
    "9293/3.8.3/no-route": Rule("no route to the peer at the moment: the segment is not sent"),
    "9293/3.8.3/r1": Rule("{0} retransmissions, that is R1: is the next hop still there?", ("MUST-20", "SHLD-10")),
    "9293/3.8.3/r2": Rule("{0} retransmissions without an answer, that is R2: give up", ("MUST-20", "MUST-23")),
    "6298/2.2/first": Rule("first round-trip sample, {0:.3f} ms: SRTT = R, RTTVAR = R/2"),
    "6298/2.3/next": Rule("round-trip sample {0:.3f} ms smoothed into SRTT and RTTVAR", ("MUST-18",)),
    "6298/5.4/retransmit": Rule("RTO expired: retransmit from {0}, time number {1}", ("MUST-19", "MUST-22")),
    "6298/5.5/backoff": Rule("RTO doubles to {0} ms", ("MUST-19",)),
    "6298/5.7/after-syn": Rule(
        "our SYN went more than once, or was a cookie: nothing is known of the round trip, RTO starts at 3 s"
    ),
    "5681/3.1/timeout": Rule("timeout, {0} segments taken for lost: cwnd falls, slow start follows", ("MUST-19",)),
    "5681/4.1/restart": Rule("idle for more than an RTO: cwnd is no measure any more, it falls"),
    "7661/4.3/unused": Rule("for an RTO the application used less than cwnd: it falls to {0} segments"),
    "linux/tcp_pacing_check/go": Rule("the pace lets the next segments go"),
    # loss and recovery
    "3042/2/limited": Rule("duplicate ACK {0}: limited transmit, as many new segments may go"),
    "5681/3.2/2/fast": Rule("three duplicate ACKs: the segment at {0} is lost"),
    "5681/3.2/enter": Rule("fast retransmit from {0}: halve the window, recover"),
    "6582/3.2/partial": Rule("a partial ACK in recovery: the segment at {0} is lost, too"),
    "6582/3.2/full": Rule("all that was in flight when loss was found has arrived: recovery is over"),
    "2018/5/sacked": Rule("the peer has {0} to {1}, though something before is missing"),
    "2018/5/discard": Rule("a SACK block from {0} to {1} cannot be used: ignored"),
    "2018/8/reneging": Rule("the peer may have thrown away what it had SACKed: give it a moment"),
    "2018/8/reneged": Rule("the peer has thrown away what it had SACKed: send everything again"),
    "2883/4/twice": Rule("{1} bytes from {0} arrived twice, says a D-SACK: we sent them again in vain"),
    "2883/4/not-ours": Rule(
        "{0} bytes arrived twice, says a D-SACK, and we count less as sent again: ignored, perhaps the network's doing"
    ),
    "6675/4/lost": Rule("three segments beyond {0} to {1} have arrived: it is lost"),
    "6675/5/enter": Rule("something is lost: recovery begins at {0}"),
    "8985/6.2/4/widen": Rule("retransmissions were in vain, segments overtake: wait {0} quarters of a round trip now"),
    "8985/6.2/5/lost": Rule(
        "{0} to {1} was sent before something that has arrived, and the reordering window, if there is one, is over: "
        "it is lost"
    ),
    "8985/6.2/5/wait": Rule("perhaps they are only out of order: wait {0:.3f} ms before anything counts as lost"),
    "8985/7.3/probe": Rule("no answer for two round trips: a tail loss probe ({0})"),
    "8985/7.4.2/repaired": Rule("the tail loss probe has repaired a loss: the window is reduced for it"),
    "linux/tcp_check_sack_reordering/more": Rule("segments overtake each other by up to {0}"),
    "6937/3/begin": Rule("the window of {0} segments is to become {1}, in proportion to what arrives"),
    "6937/3/proportional": Rule("{0} segments may go: as the new window to the old"),
    "6937/3/rebuild": Rule("{0} segments may go: no more are in flight than the new window has room for"),
    "5682/3/new-data": Rule("the first ACK after a timeout: send new data, to see whether the timeout was too early"),
    "5682/3/spurious": Rule("what was never sent again has arrived: the timeout was too early"),
    "5682/3/real": Rule("nothing but what was sent again arrives: the loss was real"),
    "4015/3.2/undo": Rule("it was no loss: cwnd is {0} segments again"),
    # ECN (RFC 3168)
    "3168/6.1.1/offer": Rule("our SYN offers ECN", ("SHLD-8", "ECN-1")),
    "3168/6.1.1/agreed": Rule("both sides use ECN", ("SHLD-8", "ECN-1")),
    "3168/6.1.1.1/without": Rule("the SYN goes again without ECN: perhaps that was why it was lost", ("ECN-1",)),
    "3168/6.1.3/marked": Rule("the network marked it: every ACK says so until the peer has slowed down", ("ECN-3",)),
    "3168/6.1.3/answered": Rule("the peer has slowed down: no more echoes", ("ECN-3",)),
    "8257/3.2/changed": Rule("DCTCP: marks begin or end here: acknowledge what was before, and this, each at once"),
    "3168/6.1.2/cwr": Rule("this segment says that we have slowed down", ("ECN-2",)),
    # accurate ECN (RFC 9768)
    "9768/3.1/agreed": Rule("both sides use accurate ECN: ACKs count the packets that were marked"),
    "9768/3.2.2.3/zeroed": Rule("something on the way clears the flags of accurate ECN: we use no ECT"),
    "9768/3.2.2.3/mangled": Rule("our SYN, or SYN,ACK, was not ECT, and arrived as if it were: we use no ECT"),
    "9768/3.2.2.5.1/at-once": Rule("{0} marked packets were not told yet: acknowledge at once"),
    # the MTU of the path, found out (RFC 4821)
    "4821/7.2/probe": Rule("a segment of {0} bytes, larger than the others: does it arrive?", ("PLPMTU-1",)),
    "4821/7.6.1/success": Rule("the path carries {0} bytes: segments grow", ("PLPMTU-1",)),
    "4821/7.7/lost": Rule(
        "only the probe is lost: the path does not carry {0} bytes, and is not congested", ("PLPMTU-1",)
    ),
    "4821/7.7/black-hole": Rule("timeouts go on, and no router says why: perhaps {0} bytes get through"),
    "4821/7.3/again": Rule("it was long ago that the path was measured: begin anew"),
    # closing
    "9293/3.10.4/syn-sent": Rule("CLOSE before the peer answered: the connection is gone"),
    "9293/3.10.4/established": Rule("CLOSE: a FIN follows the queued data, enter FIN-WAIT-1"),
    "9293/3.10.4/close-wait": Rule("CLOSE after the peer's FIN: ours follows the queued data, enter LAST-ACK"),
    "9293/3.10.5/reset": Rule("ABORT: send a RST"),
    "9293/3.6.1/unread": Rule(
        "closed with {0} bytes unread: data would be lost, so tell the peer with a RST", ("SHLD-3",)
    ),
    "9293/3.6.1/after-close": Rule("{0} bytes for an application that has gone: RST", ("SHLD-3",)),
    "9293/3.10.7.4/ack/fin-wait-1": Rule("our FIN is acknowledged: FIN-WAIT-2"),
    "9293/3.10.7.4/ack/closing": Rule("our FIN is acknowledged: TIME-WAIT", ("MUST-13",)),
    "9293/3.10.7.4/ack/last-ack": Rule("our FIN is acknowledged: the connection is over"),
    "9293/3.10.8/time-wait": Rule("it has lingered long enough: the connection is over"),
    # ICMP (RFC 9293 §3.9.2.2)
    "9293/3.9.2.2/hard": Rule("ICMP {0} while opening: the connection is refused", ("MUST-54",)),
    "9293/3.9.2.2/soft": Rule("ICMP {0}: remembered, but no reason to give up", ("MUST-54", "MUST-56")),
    "5927/4/ignored": Rule("ICMP {0} quotes a sequence number that is not in flight: ignored"),
    "6069/4/revert": Rule(
        "what timed out had no way to go, from a router or from here: the RTO is {0} ms again, for it was no congestion"
    ),
    "5927/7.2/smaller": Rule("only {0} bytes get to the peer in one packet: segments carry {1} bytes", ("SHLD-6",)),
    "5927/7.2/no-smaller": Rule("a router says that only {0} bytes fit, and our segments are no larger: ignored"),
    # drops
    "drop.tcp.short": Rule("{0} bytes are no TCP header"),
    "drop.tcp.dataofs": Rule("a data offset of {0} bytes cannot be"),
    "drop.tcp.csum": Rule("the TCP checksum is wrong", ("MUST-3",)),
    "drop.tcp.listen_rst": Rule("a RST means nothing to a listener"),
    "drop.tcp.listen_ack": Rule("a listener has sent nothing that could be acknowledged"),
    "drop.tcp.listen_nothing": Rule("a listener waits for a SYN, not for {0}"),
    "drop.tcp.syn_fin": Rule("SYN and FIN together make no sense"),
    "drop.tcp.accept_queue": Rule("{0} connections wait for accept already"),
    "drop.tcp.syn_queue": Rule("{0} connections are half open already"),
    "drop.tcp.cookie": Rule("what it acknowledges is no cookie of ours, or an old one"),
    "linux/tcp_rcv_synsent_state_process/again": Rule(
        "the peer is somewhere else: our SYN goes again when it has the RST"
    ),
    "drop.tcp.defer_accept": Rule("an ACK of our SYN,ACK without data, for which its owner waits: {0} timeouts more"),
    "drop.tcp.syn_sent_ack": Rule("it acknowledges {0}, which we have not sent"),
    "drop.tcp.syn_sent_echo": Rule("its timestamp echoes none of ours"),
    "drop.tcp.syn_sent_rst": Rule("a RST without ACK in SYN-SENT may be blind"),
    "drop.tcp.syn_sent_nothing": Rule("SYN-SENT waits for a SYN, not for {0}"),
    "drop.tcp.rst_outside": Rule("a RST {0} bytes from RCV.NXT, outside the window"),
    "drop.tcp.outside_window": Rule("{1} bytes at {0} from RCV.NXT: nothing of it is inside the window"),
    "drop.tcp.paws": Rule("its timestamp is too old: an old duplicate (PAWS)"),
    "drop.tcp.tsecr": Rule("it echoes the timestamp {0}, which we have not sent"),
    "drop.tcp.md5_unexpected": Rule("it has a signature, and we have no key for who sent it"),
    "drop.tcp.md5_missing": Rule("it has no signature, and we have a key for who sent it"),
    "drop.tcp.md5_failure": Rule("its signature is wrong"),
    "drop.tcp.no_ack": Rule("no ACK bit in {0}"),
    "drop.tcp.handshake_ack": Rule("it does not acknowledge our SYN"),
    "drop.tcp.ack_outside": Rule("it acknowledges {0} beyond SND.NXT, or something very old"),
}
