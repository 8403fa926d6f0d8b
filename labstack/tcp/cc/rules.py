# SPDX-License-Identifier: GPL-2.0-or-later
"""What each rule of congestion control says, in our own words."""

from labstack.core.rules import Rule

RULES: dict[str, Rule] = {
    "5681/3.1/slow-start": Rule("slow start, {0} segments more delivered: cwnd is {1} now"),
    "5681/3.1/avoid": Rule("congestion avoidance, enough delivered for a step: cwnd is {1} now"),
    "8511/3/backoff": Rule("marked, but nothing lost, so the queue is short: back off to {0} segments only"),
    "linux/hystart_update/train": Rule(
        "HyStart: ACKs have come in a row for half a round trip; slow start ends at {0} segments"
    ),
    "linux/hystart_update/delay": Rule(
        "HyStart: the round trip has grown by an eighth; slow start ends at {0} segments"
    ),
    "9406/4.2/css": Rule("the round trip has grown by an eighth: conservative slow start from {0} segments"),
    "9406/4.2/resume": Rule("the round trip is short again, it was a mistake: back to slow start, at {0} segments"),
    "9406/4.2/avoid": Rule("five rounds of conservative slow start: congestion avoidance from {0} segments"),
    "9438/4.7/converge": Rule(
        "loss before the old window was reached: others want room, so W_max is {0} segments only"
    ),
    "9438/4.2/epoch": Rule("a new cubic curve begins; its plateau is {0} segments"),
    "8257/3.3/alpha": Rule("something in the last window was marked: alpha is {0} / 1024 now"),
    "linux/bbr_lt_bw_sampling/policed": Rule("BBR: a policer lets pass {0} bytes/s; send no faster"),
    "linux/bbr_check_drain/full": Rule("BBR: three rounds brought no more than {0} bytes/s: drain the queue"),
    "linux/bbr_check_drain/drained": Rule("BBR: {0} segments in flight, the queue is empty: probe for bandwidth"),
    "linux/bbr_update_min_rtt/probe": Rule("BBR: no round trip as short as {0} us for 10 s: let the queue run empty"),
}
