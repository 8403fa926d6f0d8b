# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule of the IP floor, in our own words: what the trace, `why` and the captures say."""

from labstack.core.rules import Rule

RULES: dict[str, Rule] = {
    # IPv4 arrives
    "drop.ip.v4_short": Rule("{0} bytes are left behind the link header: an IPv4 header needs 20."),
    "drop.ip.v4_version": Rule("The version is {0}, and the link said IPv4.", ("IP4-5",)),
    "drop.ip.v4_header_length": Rule("The header claims {0} bytes: less than 20, or more than arrived."),
    "drop.ip.v4_csum": Rule("The header checksum is wrong: no field can be trusted, so nobody is told.", ("IP4-6",)),
    "drop.ip.v4_length": Rule("The packet claims {0} bytes, and {1} arrived."),
    "drop.ip.v4_martian": Rule(
        "The source {0} is no address that a packet on a wire can come from.", ("IP4-7", "UDP-4")
    ),
    "drop.ip.v4_not_mine": Rule(
        "The destination is {0}: neither ours, nor a broadcast, nor a group we joined.", ("IP4-7",)
    ),
    "drop.ip.link_group": Rule(
        "The frame went to everybody on the link, but the packet to {0} alone: somebody is confused."
    ),
    "drop.ip.bad_option": Rule("An option's length is impossible: the header cannot be read.", ("IP4-9",)),
    "drop.ip.source_route": Rule("The packet prescribes its own route, and we do not follow such wishes."),
    "drop.ip.igmp": Rule("IGMP is for routers and for hosts that report their groups: nothing to do here."),
    "drop.ip.proto": Rule("Nothing here speaks protocol {0}: the sender is told, if it may be.", ("ICMP4-3",)),
    "drop.ip.fragment": Rule("The packet is a fragment, and nothing is reassembled here."),
    # IPv6 arrives
    "drop.ip.v6_short": Rule("{0} bytes are left behind the link header: an IPv6 header needs 40."),
    "drop.ip.v6_version": Rule("The version is {0}, and the link said IPv6."),
    "drop.ip.v6_length": Rule("The payload claims {0} bytes, and {1} arrived."),
    "drop.ip.v6_martian": Rule("The source {0} is no address that a packet on a wire can come from.", ("UDP-4",)),
    "drop.ip.v6_not_mine": Rule("The destination is {0}: neither ours on this link nor a group we joined."),
    "drop.ip.tentative": Rule(
        "{0} is still tentative: until nobody has objected to it, nothing is received there.", ("SLAAC-1",)
    ),
    "drop.ip.duplicated": Rule("{0} belongs to another host: duplicate detection said so.", ("SLAAC-1",)),
    "drop.ip.no_next_header": Rule("The packet says itself that nothing follows its headers."),
    "drop.ip.next_header": Rule(
        "Nothing here understands next header {0}: the sender is told where it stands.", ("IP6-3",)
    ),
    "drop.ip.hop_by_hop_late": Rule(
        "A hop-by-hop header may only come first: here it is unknown, and the sender is told.", ("IP6-2",)
    ),
    "drop.ip.extension_short": Rule("An extension header runs past the end of the packet."),
    "drop.ip.extensions": Rule("The packet has more extension headers than anybody needs."),
    "drop.ip.routing": Rule(
        "A routing header wants to be followed, and we follow none: the sender is told.", ("IP6-6", "IP6-15")
    ),
    "drop.ip.option_overrun": Rule("An option runs past the end of its header."),
    "drop.ip.padding": Rule("More padding between options than alignment can need.", ("IP6-5",)),
    "drop.ip.options": Rule("More options in one header than we are willing to look at."),
    "drop.ip.option_discard": Rule("An unknown option whose top bits say: drop the packet silently.", ("IP6-4",)),
    "drop.ip.option_report": Rule(
        "An unknown option whose top bits say: drop the packet and tell the sender.", ("IP6-4",)
    ),
    # routes and sources
    "1122/3.3.1/no_route": Rule("No route leads to {0}."),
    "1122/3.3.1.1/on_link": Rule("{0} is on our own link ({1}): it gets the packet directly.", ("IP4-13",)),
    "1122/3.3.1.2/gateway": Rule("{0} is not on our link: the packet goes to the gateway {1}.", ("IP4-13",)),
    "6724/5/no_source": Rule("We have no address to speak to {0} from.", ("SLAAC-12",)),
    # ICMP
    "drop.icmp.short": Rule("The message has {0} bytes: every ICMP message needs 8."),
    "drop.icmp.csum": Rule("The ICMP checksum is wrong.", ("ICMP6-7",)),
    "drop.icmp.quench": Rule("Source quench is obsolete: nobody slows down for it (RFC 6633)."),
    "drop.icmp.redirect": Rule("A redirect wants to change our routes, and we do not follow them."),
    "drop.icmp.v4_type": Rule("ICMP type {0} asks for nothing that a host must do."),
    "drop.icmp.v6_type": Rule("ICMPv6 type {0} is informational and unknown: it vanishes silently.", ("ICMP6-1",)),
    "drop.icmp.unspecified": Rule("It comes from ::, and only Neighbour Discovery may."),
    "drop.icmp.mld": Rule("Type {0} is about multicast listeners: nothing to do here."),
    "drop.icmp.quote": Rule("The error does not quote enough of a packet to tell whose it was.", ("ICMP4-2",)),
    "drop.icmp.not_ours": Rule("The error is about a packet from {0}, which we did not send."),
    "drop.icmp.echo_ignored": Rule("Echo requests are not answered here: it is configured so."),
    "drop.icmp.echo_group": Rule("The echo request went to a group: answering would help to flood its alleged sender."),
    "drop.icmp.echo_no_path": Rule("The echo reply has no way back to {0}."),
    "drop.icmp.echo_too_large": Rule("The echo reply would have {0} bytes, more than fit in one packet of {1}."),
    "1122/3.2.2.6/echo": Rule(
        "{0} asks whether we are there: its data goes back unchanged, from the address it asked.",
        ("ICMP4-4", "ICMP6-6"),
    ),
    "1122/3.2.2/error": Rule(
        "The network reports an error (type {0}, code {1}) about a packet of ours: its transport is told.", ("ICMP4-2",)
    ),
    "1122/3.2.2/silent": Rule("No ICMP error about this packet: {0}.", ("ICMP4-1", "ICMP6-3")),
    "1122/3.2.2.1/error": Rule(
        "{2} is told that its packet ended here (type {0}, code {1}).", ("ICMP4-3", "ICMP6-5", "ICMP6-2", "UDP-2")
    ),
    "drop.icmp.no_pmtu_disc": Rule("The message says that a packet was too big, and nobody shall listen to that here."),
    "8201/4/larger": Rule("Packets of {0} bytes would fit, says a router, but {1} is all we send.", ("PMTU6-2",)),
    "8201/4/least": Rule("Every IPv6 link carries 1280 bytes: that only {0} fit cannot be true.", ("PMTU6-1",)),
    "1191/5/least": Rule(
        "No IPv4 path is believed to carry only {0} bytes: we send the least, and routers may fragment it.",
        ("PMTU4-1",),
    ),
    "1191/3/learnt": Rule("The path to {0} carries {1} bytes: remembered for ten minutes.", ("PMTU4-1", "PMTU6-1")),
    "1191/6.3/forgotten": Rule(
        "The path to {0} may carry more than {1} bytes again: it was long ago.", ("PMTU4-2", "PMTU6-3")
    ),
    "1122/2.4/undelivered": Rule("{0} did not say where it is: whoever wrote to it is told.", ("UDP-3",)),
    "4861/7.2.2/undelivered": Rule(
        "{0} cannot be reached on the link: whoever wrote to it is told.", ("ND-6", "UDP-3")
    ),
    "linux/icmp_msgs_per_sec/limited": Rule("No ICMP error now: {0} a second are enough.", ("ICMP6-4",)),
    "linux/icmp_ratelimit/limited": Rule("No ICMP error now: {0} has had its share of them.", ("ICMP6-4",)),
}
