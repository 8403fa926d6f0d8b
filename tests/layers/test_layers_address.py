# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 4291 §2.2 and RFC 5952: text and packed addresses, against the standard library."""

import ipaddress
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import address

QUICK = settings(max_examples=300, deadline=None, database=None)
_sparse = st.lists(st.sampled_from((0, 0, 0, 1, 0xDB8, 0xFFFF)), min_size=8, max_size=8).map(
    lambda words: b"".join(word.to_bytes(2, "big") for word in words)
)


@QUICK
@given(st.one_of(_sparse, st.binary(min_size=16, max_size=16)))
def test_ip6_text_is_what_the_system_writes_and_reads(packed: bytes) -> None:
    text = address.ip6_text(packed)
    assert text == socket.inet_ntop(socket.AF_INET6, packed)
    assert address.ip6(text) == packed
    assert address.ip6(ipaddress.IPv6Address(packed).exploded.upper()) == packed


@QUICK
@given(st.text("0123456789abcdef:.", max_size=24))
def test_ip6_refuses_what_the_standard_library_refuses(text: str) -> None:
    try:
        expected = ipaddress.IPv6Address(text).packed
    except ValueError:
        with pytest.raises(ValueError, match="not an IPv6 address"):
            address.ip6(text)
    else:
        assert address.ip6(text) == expected


@QUICK
@given(st.binary(min_size=4, max_size=4))
def test_ip4_and_mac_go_back_and_forth(packed: bytes) -> None:
    assert address.ip4(address.ip4_text(packed)) == packed
    assert address.mac(address.mac_text(packed + b"ab")) == packed + b"ab"
    assert address.mac(address.mac_text(packed + b"ab").replace(":", "-")) == packed + b"ab"


@pytest.mark.parametrize("text", ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "a.b.c.d", "1..2.3", "1.2.3.-4", "٣.1.1.1"])
def test_bad_ip4_is_refused_with_what_was_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="not an IPv4 address"):
        address.ip4(text)


@pytest.mark.parametrize("text", ["", "02:00:00:00:00", "02:00:00:00:00:xx", "02:00:00:00:00:100"])
def test_bad_mac_is_refused_with_what_was_wrong(text: str) -> None:
    with pytest.raises(ValueError, match="not a MAC address"):
        address.mac(text)


def test_kind_is_told_by_form_or_length() -> None:
    for text in ("192.0.2.1", "02:00:00:00:00:01", "2001:db8::1", "::ffff:1.2.3.4"):
        assert address.any_text(address.any_address(text)) == text
