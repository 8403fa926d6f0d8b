# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of all headers share: the classes, field values drawn from the tables, and Scapy's view of them."""

import logging
from typing import Any

from hypothesis import strategies as st

import layers
from layers import field, ip6opt, ipopt, ndopt
from layers.bridge import scapy_class
from layers.field import Address, Field
from layers.icmp import _OTHER, REST
from layers.listing import HEADERS
from layers.metaclass import REGISTRY
from layers.packet import Header

logging.getLogger("scapy").setLevel(logging.CRITICAL)

HIDDEN = ("Header", "NoPayload", "ICMPv6")
CLASSES: list[type[Header]] = [
    cls for name, cls in sorted(REGISTRY.items()) if not name.startswith("_") and name not in HIDDEN
]
TWINS = [cls for cls in CLASSES if cls.__name__ not in ("virtio_net_hdr", "IGMPv3")]

#: fields that say what the header is: they keep their defaults when values are drawn
IDENTITY = {"copy_flag", "optclass", "option", "otype", "optlen", "length", "len", "hwtype", "ptype", "hwlen", "plen"}
#: (class, field) that Scapy shows in another form or computes from the machine's addresses, routes and clock
OTHERWISE = {
    ("IPOption_Timestamp", "more"),
    ("ICMP", "ts_ori"), ("ICMP", "ts_rx"), ("ICMP", "ts_tx"),
    ("ICMPerror", "ts_ori"), ("ICMPerror", "ts_rx"), ("ICMPerror", "ts_tx"),
}  # fmt: skip

_text4 = st.binary(min_size=4, max_size=4).map(layers.address.ip4_text)
_text6 = st.binary(min_size=16, max_size=16).map(layers.address.ip6_text)
_label = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
_word = st.integers(0, 0xFFFFFFFF)
TCP_OPTIONS = st.lists(
    st.one_of(
        st.sampled_from([("NOP", None), ("SAckOK", b"")]),
        st.tuples(st.just("MSS"), st.integers(0, 0xFFFF)),
        st.tuples(st.just("WScale"), st.integers(0, 255)),
        st.tuples(st.just("Timestamp"), st.tuples(_word, _word)),
        st.tuples(st.just("UTO"), st.integers(0, 0xFFFF)),
        st.tuples(st.just("SAck"), st.lists(_word, min_size=2, max_size=2).map(tuple)),
        st.tuples(st.just(253), st.binary(max_size=6)),
    ),
    max_size=3,
)
_IP_OPTIONS = st.lists(
    st.one_of(
        st.builds(layers.IPOption_NOP),
        st.builds(layers.IPOption_RR, routers=st.lists(_text4, max_size=2)),
        st.builds(layers.IPOption_Router_Alert, alert=st.integers(0, 0xFFFF)),
        st.builds(layers.IPOption, option=st.just(25), value=st.binary(max_size=6)),
    ),
    max_size=3,
)
_IP6_OPTIONS = st.lists(
    st.one_of(
        st.builds(layers.PadN, optdata=st.binary(max_size=5)),
        st.builds(layers.RouterAlert, value=st.integers(0, 0xFFFF)),
        st.builds(layers.Jumbo, jumboplen=_word),
        st.builds(layers.HBHOptUnknown, otype=st.just(0x1E), optdata=st.binary(max_size=9)),
    ),
    max_size=3,
)
_RECORDS = {
    "IGMPv3mr": st.lists(
        st.builds(layers.IGMPv3gr, rtype=st.integers(1, 6), maddr=_text4, srcaddrs=st.lists(_text4, max_size=2)),
        max_size=3,
    ),
    "ICMPv6MLReport2": st.lists(
        st.builds(layers.ICMPv6MLDMultAddrRec, rtype=st.just(4), dst=_text6, sources=st.lists(_text6, max_size=2)),
        max_size=3,
    ),
}


def value(cls: type[Header], row: Field) -> st.SearchStrategy[Any]:
    """Return the values of a row that a header of `cls` may have and keep on the wire."""
    if row.codec is None:
        return _fixed(row)
    lists = {
        id(field.IP4S): st.lists(_text4, max_size=3),
        id(field.IP6S): st.lists(_text6, max_size=3),
        id(ipopt.OPTIONS): _IP_OPTIONS,
        id(ip6opt.OPTIONS): _IP6_OPTIONS,
        id(HEADERS): _RECORDS.get(cls.__name__, st.nothing()),
        id(layers.TCP.table[-1].codec): TCP_OPTIONS,
        id(layers.ICMPv6NDOptDNSSL.table[-1].codec): st.lists(
            st.lists(_label, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + "."), max_size=3
        ),
    }
    if cls is layers.ICMPv6NDOptUnknown:
        return st.integers(0, 3).flatmap(lambda n: st.binary(min_size=6 + 8 * n, max_size=6 + 8 * n))
    if cls is layers.ICMPv6NDOptRedirectedHdr:
        return st.integers(0, 3).flatmap(lambda n: st.binary(min_size=8 * n, max_size=8 * n))
    return lists.get(id(row.codec), st.binary(max_size=20))


def _fixed(row: Field) -> st.SearchStrategy[Any]:
    if isinstance(row, Address):
        size = len(row.default)
        return st.binary(min_size=size, max_size=size).map(row.show)
    if row.fmt.endswith("s") and not row.bits:
        return st.binary(min_size=int(row.fmt[:-1]), max_size=int(row.fmt[:-1]))
    return st.integers(0, (1 << row.bits) - 1)


@st.composite
def values(draw: st.DrawFn, cls: type[Header], computed: bool = False) -> dict[str, Any]:
    """Draw field values for a header; computed fields stay None unless `computed`."""
    drawn: dict[str, Any] = {}
    message = issubclass(cls, (layers.ICMPv6Unknown.__mro__[1], ndopt._Option, layers.ICMPv6MLReport2, layers.IGMPv3))
    for row in cls.table:
        kept = row.name in IDENTITY or row.name == "autopad" or (row.name == "type" and message)
        if kept or (row.codec is None and row.default is None and not computed):
            continue
        drawn[row.name] = draw(value(cls, row))
    if cls in (layers.ICMP, layers.ICMPerror):
        if drawn["type"] in (37, 38):  # to which Scapy adds a word that RFC 1788 does not have
            drawn["type"] = 0
        wanted = {name.removesuffix("_packed") for name in REST.get(drawn["type"], _OTHER)[1]}
        drawn = {name: v for name, v in drawn.items() if name in wanted | {"type", "code", "chksum"}}
        if drawn["type"] in (11, 12):
            drawn["unused"] &= 0xFFFF
    if cls in (layers.TCP, layers.TCPerror):
        drawn.pop("dataofs", None)
    if cls in (layers.IP, layers.IPerror):
        drawn.pop("ihl", None)
    if cls is layers.IPOption_Timestamp:
        drawn.pop("more")
        if not drawn["flg"]:
            drawn.pop("internet_address")
    if cls is layers.IGMP:
        drawn["type"] = draw(st.sampled_from((0x11, 0x12, 0x16, 0x17)))
    if cls is layers.IGMPv3mq:
        drawn["mrcode"] &= 127  # Scapy shows what larger codes mean
    if cls is layers.IPOption:
        drawn["option"] = 25
    if cls is layers.HBHOptUnknown:
        drawn["otype"] = 0x1E
    if cls is layers.ICMPv6Unknown:
        drawn["type"] = 200
    if cls is layers.ICMPv6NDOptUnknown:
        drawn["type"] = 253
    if cls is layers.ICMPv6NDOptRouteInfo and drawn["prefix"] == "::":
        drawn["prefix"] = "2001:db8::"
    return drawn


def scapy_values(drawn: dict[str, Any]) -> dict[str, Any]:
    """Return drawn values as Scapy wants them: headers inside fields become Scapy's."""
    return {name: [_scapy(item) for item in v] if isinstance(v, list) else v for name, v in drawn.items()}


def _scapy(item: Any) -> Any:
    return item.to_scapy() if isinstance(item, Header) else item


def plain(value: Any) -> Any:
    """Return a field value, ours or Scapy's, in a form that can be compared."""
    if value.__class__.__name__ == "FlagValue":
        return int(value)
    if hasattr(value, "fields_desc") or hasattr(value, "table"):
        return bytes(value)
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return b"".join(items) if value and hasattr(value[0], "payload") else items
    return value.encode() if isinstance(value, str) and not value.isascii() else value


def differing(ours: Header, theirs: Any) -> list[str]:
    """Return the fields of Scapy's header whose values differ in ours."""
    found = []
    known = {row.name for row in ours.table}
    for each in theirs.fields_desc:
        name = each.name
        if name not in known or name == "autopad" or (ours.__class__.__name__, name) in OTHERWISE:
            continue
        other = theirs.getfieldval(name)
        if other is None and ours.__class__ in (layers.ICMP, layers.ICMPerror):
            continue  # not in a message of this type
        if plain(getattr(ours, name)) != plain(other) and not (other in (b"", "", None) and not getattr(ours, name)):
            found.append(f"{ours.__class__.__name__}.{name}: ours {getattr(ours, name)!r}, Scapy's {other!r}")
    return found


def twin(cls: type[Header]) -> Any:
    """Return Scapy's class of the same header."""
    return scapy_class(cls)
