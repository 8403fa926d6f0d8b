# SPDX-License-Identifier: GPL-2.0-or-later
"""Plan: a script's options over the run's settings over packetdrill's defaults."""

import pytest

from labstack.packetdrill.script import Note, Place, RefusedError, Script, ScriptError
from labstack.scenario.script.plan import DEFINES, Plan, defines, plan
from labstack.scenario.settings import IP_VERSIONS, Settings


def planned(*options: tuple[str, str], settings: Settings = Settings(), notes: tuple[Note, ...] = ()) -> Plan:  # noqa: B008
    return plan(Script("a.pkt", (), options=options, notes=notes), settings)


def test_the_usual_run_of_each_family() -> None:
    v4, v6, mapped = (planned(settings=Settings(ip_version=it)) for it in IP_VERSIONS)
    assert (v4.local, v4.plen, v4.remote, v4.mtu) == ("192.168.0.1", 16, "192.0.2.1", 1500)
    assert (v6.local, v6.plen, v6.remote, v6.mtu) == ("fd3d:a0b:17d6::1", 64, "fd3d:fa7b:d17d::1", 1520)
    assert (mapped.local, mapped.mtu, mapped.v6) == ("192.168.0.1", 1500, False)
    assert [it.name(it.local) for it in (v4, mapped)] == ["192.168.0.1", "::ffff:192.168.0.1"]


def test_a_scripts_options_win_over_the_usual_ones() -> None:
    own = (("local_ip", "10.0.0.1"), ("netmask_ip", "255.0.0.0"), ("remote_ip", "10.9.9.9/24"), ("bind_port", "99"))
    it = planned(*own)
    assert (it.cidr, it.remote, it.bind_port, it.connect_port) == ("10.0.0.1/8", "10.9.9.9", 99, 8080)


def test_a_script_for_ipv6_alone_has_what_packetdrill_has_itself() -> None:
    """Its MTU, its remote address and its router, whether the name says so, an option or an address."""
    by_option = planned(("ip_version", "ipv6"))
    by_address = planned(("local_ip", "fd::1"), settings=Settings(ip_version="ipv6"))
    by_name = plan(Script("a-v6.pkt", ()), Settings(ip_version="ipv6"))
    for it in (by_option, by_address, by_name):
        assert (it.remote, it.mtu) == ("2001:db8::1", 1500)
    assert planned(("ip_version", "ipv6"), ("mtu", "1520"), ("remote_ip", "fd::2")).mtu == 1520


def test_a_scripts_family_wins_and_an_address_of_the_other_family_is_left_aside() -> None:
    assert planned(("ip_version", "ipv6"), ("local_ip", "fd::1")).local == "fd::1"
    it = planned(("local_ip", "192.168.0.2"), settings=Settings(ip_version="ipv6"))
    assert it.local == "fd3d:a0b:17d6::1"


def test_times_are_exact_unless_the_scripts_own_tolerance_is_asked_for() -> None:
    own = (("tolerance_usecs", "10000"),)
    assert (planned(*own).tolerance, planned(*own).percent) == (0, 0.0)
    loose = planned(*own, settings=Settings(tolerance_us=None))
    assert (loose.tolerance, loose.percent) == (10_000_000, 12.5)
    assert planned(*own, settings=Settings(tolerance_us=5)).tolerance == 5000


def test_the_rest_of_the_options() -> None:
    it = planned(
        ("tcp_ts_tick_usecs", "1000"), ("tcp_ts_ecr_scaled", ""), ("strict_segments", ""), ("mss", "0"),
        ("non_fatal", "packet,syscall"), ("verbose", ""), ("code_command", "python3"), ("send_omit_free", ""),
    )  # fmt: skip
    assert (it.tick, it.ecr_scaled, it.strict) == (1000, True, True)
    assert it.non_fatal == {"packet", "syscall"}


def test_a_profile_in_the_script_wins() -> None:
    note = Note("profile", "plain", Place("a.pkt", 1, 1))
    assert (planned().profile, planned(notes=(note,)).profile) == ("linux", "plain")


def test_an_unknown_profile_of_the_run_is_told() -> None:
    with pytest.raises(ScriptError, match=r"^a\.pkt:1:1: found the unknown profile 'plane', expected linux, plain"):
        planned(settings=Settings(profile="plane"))


def test_an_unknown_profile_is_told_with_its_line() -> None:
    with pytest.raises(ScriptError, match=r"^a\.pkt:3:1: found the unknown profile 'plane', expected linux, plain"):
        planned(notes=(Note("profile", "plane", Place("a.pkt", 3, 1)),))


@pytest.mark.parametrize("name", ["wire_client", "so_filename", "speed", "init_scripts"])
def test_what_we_do_not_have_is_refused_by_name(name: str) -> None:
    with pytest.raises(RefusedError, match=f"option --{name}"):
        planned((name, "x"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", "red"), ("mtu", "67"), ("mtu", "many"), ("bind_port", "0"), ("local_ip", "somewhere"),
        ("netmask_ip", "255.0.255.0"), ("netmask_ip", "24"), ("tolerance_percent", "-1"), ("tolerance_percent", "x"),
        ("ip_version", "ipx"), ("strict_segments", "1"), ("non_fatal", "code"), ("code_command", "perl"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_answered_with_its_name(name: str, value: str) -> None:
    with pytest.raises(ScriptError, match=f"--{name}"):
        planned((name, value))


def test_injected_segments_may_be_super_segments() -> None:
    assert planned().mss == 0
    assert planned(("mss", "1000")).mss == 1000


def test_words_of_the_usual_runs_and_of_this_one() -> None:
    assert defines(Settings())["CODE"] == "host_unreachable"
    it = defines(Settings(ip_version="ipv6", defines={"CODE": "no_route", "X": "1"}))
    assert (it["CODE"], it["X"], it["CMSG_LEVEL_IP"]) == ("no_route", "1", "SOL_IPV6")
    assert set(DEFINES) == set(IP_VERSIONS)
