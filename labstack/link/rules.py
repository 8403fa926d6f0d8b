# SPDX-License-Identifier: GPL-2.0-or-later
"""Every rule of the link floor, in our own words: what the trace, `why` and the captures say."""

from labstack.core.rules import Rule


def _both(v4: str, v6: str, says: str, *serves: str) -> dict[str, Rule]:
    """A rule of the neighbour machine, under its name in either family; each serves what is asked of its own."""
    nd = tuple(it for it in serves if it.startswith("ND-"))
    return {v4: Rule(says, tuple(it for it in serves if it not in nd)), v6: Rule(says, nd)}


RULES: dict[str, Rule] = {
    # Ethernet
    "drop.queue.full": Rule("The queue of interface {0} takes nothing: a frame that was to leave ends here."),
    "drop.link.down": Rule("Interface {0} is down: nothing that arrives on it is looked at."),
    "drop.link.runt": Rule("The frame has {0} bytes: an Ethernet header alone needs 14."),
    "drop.link.other_host": Rule(
        "The frame is addressed to {0}: neither our MAC, nor broadcast, nor a group we joined."
    ),
    "drop.link.group_source": Rule("The sender's MAC {0} is a group address, and a group cannot send."),
    "drop.link.length_field": Rule(
        "The type field says {0}: below 1536 it is an 802.3 length, and we speak Ethernet II only."
    ),
    "drop.link.vlan": Rule("The frame carries an 802.1Q tag, and this interface is in no VLAN."),
    "drop.link.ethertype": Rule("Ethertype {0:#06x} is no protocol of ours: neither IPv4, nor ARP, nor IPv6."),
    "drop.link.empty": Rule("The frame is empty: on a link without Ethernet the first byte should say which IP it is."),
    "drop.link.version": Rule("The first nibble is {0}: on a link without Ethernet it must be 4 or 6."),
    # ARP
    "drop.arp.short": Rule("The packet has {0} bytes: ARP for Ethernet and IPv4 needs 28.", ("ARP-4",)),
    "drop.arp.kind": Rule("Hardware, protocol and lengths are {0}, not Ethernet's and IPv4's: not for us.", ("ARP-4",)),
    "drop.arp.op": Rule("Operation {0} is neither request (1) nor reply (2)."),
    "drop.arp.sender_mac": Rule("The sender claims the MAC {0}, which no single host can have."),
    "drop.arp.sender": Rule("The sender claims the address {0}, which no host on a link can have."),
    "drop.arp.not_target": Rule(
        "The target is {0}, not us, and the sender is nobody we know: no answer, and no entry made.", ("ARP-1", "ARP-3")
    ),
    "drop.arp.unasked": Rule("A reply from {0} that we did not ask for: no entry made.", ("ARP-3",)),
    "drop.arp.own_address": Rule("{1} claims {0}, which is our address: nothing learned from it.", ("ACD-5",)),
    "826/-/merge": Rule(
        "We know {0} already, so where it says that it is ({1}) counts before anything else is looked at.", ("ARP-2",)
    ),
    "826/-/reply": Rule("The request asks for {0}, which is us: we tell {1} our MAC.", ("ARP-1",)),
    "5227/2.4/defend": Rule(
        "{1} uses our address {0}: we announce it once, and not again for ten seconds.", ("ACD-5",)
    ),
    # Neighbour Discovery
    "drop.nd.no_ethernet": Rule("Neighbour Discovery has nothing to resolve on a link without Ethernet."),
    "drop.nd.hop_limit": Rule(
        "The hop limit is {0}, not 255: a router has passed this on, so it was not sent on our link.", ("ND-1", "ND-2")
    ),
    "drop.nd.code": Rule("The code is {0}, and must be 0.", ("ND-1", "ND-2")),
    "drop.nd.router": Rule("Type {0} concerns routers or redirects, and this host does not follow them.", ("ND-4",)),
    "drop.nd.short": Rule("The message has {0} bytes: without a whole target, 24, it says nothing.", ("ND-1", "ND-2")),
    "drop.nd.target": Rule("The target {0} is a group, and only a single address can be resolved.", ("ND-1", "ND-2")),
    "drop.nd.option": Rule(
        "An option has length zero or runs past the end of the message: the whole message is invalid.", ("ND-5",)
    ),
    "drop.nd.mac": Rule("The link-layer address option holds {0}, which is no MAC of a single host."),
    "drop.nd.probe_destination": Rule(
        "It comes from :: but went to {0}, not to the target's solicited-node group.", ("ND-1",)
    ),
    "drop.nd.probe_mac": Rule(
        "It comes from :: and still names a source MAC: a host without address has none to give.", ("ND-1",)
    ),
    "drop.nd.not_target": Rule("The target is {0}, not us: no answer, and no entry made."),
    "drop.nd.tentative": Rule(
        "{0} is still tentative: until we know that nobody else has it, we do not answer for it.", ("SLAAC-1",)
    ),
    "drop.nd.own_probe": Rule("This is our own duplicate address probe, looped back: its nonce is ours."),
    "drop.nd.solicited_group": Rule("It claims to answer a solicitation, yet went to a group.", ("ND-2",)),
    "drop.nd.own_address": Rule("{1} advertises {0}, which is our address: nothing learned from it."),
    "drop.nd.unasked": Rule("{0} advertises itself, and we never wanted to know: no entry made.", ("ND-9",)),
    "4861/7.2.4/probe": Rule("A host wants to use {0}, which is ours: everybody on the link is told so.", ("ND-8",)),
    "4861/7.2.4/answer": Rule("The solicitation asks for {0}, which is us: we tell {1} our MAC.", ("ND-8",)),
    "4861/7.2.5/router": Rule("{0} says that it is {1}.", ("ND-20",)),
    # duplicate address detection
    "4862/5.4/off": Rule("{0} is used at once: duplicate detection is switched off here."),
    "4862/5.4.2/probe": Rule(
        "Is anybody using {0} already? Probe {1} asks its solicited-node group.", ("SLAAC-1", "SLAAC-2")
    ),
    "4862/5.4/unique": Rule("Nobody objected: {0} is ours to use.", ("SLAAC-1",)),
    "4862/5.4.5/duplicate": Rule(
        "Another host has {0} or wants it at the same time: we shall not use it.", ("SLAAC-3", "SLAAC-4")
    ),
    # the neighbour machine, under ARP and ND alike
    **_both(
        "826/-/ask",
        "4861/7.2.2/solicit",
        "Where is {0}? Question {1} goes to everybody who might be it; the packet waits.",
        "ND-6",
        "ND-7",
        "ARP-6",
        "ARP-7",
    ),
    **_both(
        "1122/2.3.2.2/unresolved",
        "4861/7.2.2/unresolved",
        "{0} did not answer {1} questions: what waited for it cannot be delivered.",
        "ND-6",
    ),
    **_both(
        "826/-/learned",
        "4861/7.2.3/learned",
        "{0} wrote to us from {1}: worth remembering, but not yet proof that it hears us.",
    ),
    **_both("1122/2.3.2.2/resolved", "4861/7.2.5/resolved", "{0} is at {1}: what waited for it goes out now.", "ND-9"),
    "4861/7.2.5/no_mac": Rule("{0} answered without saying its MAC: we keep asking.", ("ND-9",)),
    **_both(
        "826/-/unknown",
        "4861/7.2.5/unknown",
        "{0} says where it is, and we have no use for that: no entry is made or changed.",
        "ND-9",
    ),
    **_both("826/-/moved", "4861/7.2.5/override", "{0} has moved to {1}: the old MAC is replaced.", "ND-10", "ARP-2"),
    "4861/7.2.5/no_override": Rule(
        "Somebody else also answers for {0} but does not insist: we keep our MAC and trust it less.", ("ND-10",)
    ),
    **_both(
        "1122/2.3.2.1/doubt",
        "4861/7.3.1/doubt",
        "a transport gets no answer through {0}: it is reachable no more, until it says so",
        "ARP-5",
    ),
    **_both(
        "1122/2.3.2.1/hint",
        "4861/7.3.1/hint",
        "The transport made progress through {0}: it is reachable, no question needed.",
        "ND-12",
        "ARP-5",
    ),
    **_both(
        "1122/2.3.2.1/delay",
        "4861/7.3.3/delay",
        "{0} was not heard of lately; the packet goes out, and silence will make us ask.",
        "ND-11",
    ),
    **_both("1122/2.3.2.1/probe", "4861/7.3.3/probe", "Is {0} still there? Probe {1} asks it alone.", "ND-11", "ARP-5"),
    **_both(
        "1122/2.3.2.1/unreachable",
        "4861/7.3.3/unreachable",
        "{0} did not answer {1} probes: its MAC is forgotten.",
        "ND-11",
        "ARP-5",
        "IP4-14",
    ),
    **_both(
        "1122/2.3.2.1/stale",
        "4861/7.3.3/stale",
        "No sign of life from {0} for a while: still used, but to be checked at the next use.",
        "ND-11",
        "ARP-5",
    ),
    "linux/gc_stale_time/collect": Rule("Nobody wrote to {0} for a while: the entry goes.", ("ARP-5",)),
    "6583/5.1/evict": Rule("The table is full: {0}, the entry unused for longest, makes room; neighbours in use stay."),
    "6583/5.1/incomplete": Rule("Too many unanswered questions at once: the oldest, for {0}, is given up."),
    "drop.neigh.queue": Rule(
        "Too many packets wait for {0}: the oldest is given up for the newest.", ("ARP-7", "ND-7")
    ),
    "drop.neigh.full": Rule("The table is full of neighbours in use: no room to ask for {0}."),
    "drop.neigh.unreachable": Rule(
        "The neighbour never answered: this packet of ours is lost, and its sender is told."
    ),
}
