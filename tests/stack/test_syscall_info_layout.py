# SPDX-License-Identifier: GPL-2.0-or-later
"""struct tcp_info and its like, as Linux 6.18 lays them out."""

import struct

from labstack.stack.syscall.info import CC_INFO, MEMINFO, TCP_INFO, pack, unpack


def test_fields_stand_where_linux_has_them() -> None:
    """linux/tcp.h: offsets of some, and the whole length."""
    raw = pack(TCP_INFO, {"state": 1, "rto": 204_000, "snd_cwnd": 10, "min_rtt": 77, "delivered": 9, "snd_wnd": 65_535})
    assert len(raw) == 280
    assert raw[0] == 1
    assert struct.unpack_from("<I", raw, 8) == (204_000,)
    assert [struct.unpack_from("<I", raw, at)[0] for at in (80, 148, 192, 228)] == [10, 77, 9, 65_535]


def test_figures_of_a_few_bits_share_a_byte() -> None:
    figures = {"snd_wscale": 7, "rcv_wscale": 8, "delivery_rate_app_limited": 1, "fastopen_client_fail": 3}
    raw = pack(TCP_INFO, figures)
    assert raw[6:8] == bytes([0x87, 0x07])
    assert {name: unpack(TCP_INFO, raw)[name] for name in figures} == figures


def test_a_shorter_struct_has_its_first_figures() -> None:
    raw = pack(MEMINFO, {"SK_MEMINFO_RCVBUF": 5})
    assert unpack(MEMINFO, raw[:11]) == {"SK_MEMINFO_RMEM_ALLOC": 0, "SK_MEMINFO_RCVBUF": 5}


def test_what_is_packed_is_read_again() -> None:
    for layout in (TCP_INFO, MEMINFO, *CC_INFO.values()):
        figures = dict.fromkeys(unpack(layout, bytes(300)), 1)
        assert unpack(layout, pack(layout, figures)) == figures


def test_what_is_too_great_is_cut_off() -> None:
    assert unpack(CC_INFO["bbr"], pack(CC_INFO["bbr"], {"bbr_bw_lo": 1 << 32 | 5}))["bbr_bw_lo"] == 5
