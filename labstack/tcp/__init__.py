# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP (RFC 9293), one file per chapter.

`conn` records and invariants; `states` the transition table and `become`; `segment` what a segment means and how it
looks on the wire; `arrive` SEGMENT ARRIVES as eight ordered checks; `opening`, `syn`, `closing`; `listen`, `half`,
`cookies`; Fast Open: `fastopen`, `eager`, `siphash`; the sender:
`acks`, `recovery`, `send`, `stream`, `sndbuf`, `rtt`, `cc/`; the receiver: `receive`, `islands`, `ackgen`, `window`;
`timeouts`, `keepalive`; `icmp`, `mtu`, `plpmtud`; `ecn`, `accecn`; `isn`. Sender and receiver know nothing of each
other; a Conn joins them. `settings` is what an application may set; `tally` and `flight` remember what only `info`,
TCP_INFO, asks for.
"""
