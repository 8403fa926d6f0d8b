# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles: what a target starts with; what it lacks is left out, and said."""

import pytest

from labstack.scenario import profiles
from labstack.scenario.calls import Calls


def test_a_profile_is_set_and_what_the_target_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = Calls()
    monkeypatch.setitem(profiles.PROFILES, "linux", {**profiles.PROFILES["linux"], "net.ipv4.tcp_telepathy": "1"})
    missing = profiles.apply(calls, "linux")
    assert calls.sysctl("net.ipv4.tcp_rmem") == "4096 540000 15728640"
    assert calls.sysctl("net.ipv4.tcp_syn_retries") == "5"
    assert missing == ["net.ipv4.tcp_telepathy"]


def test_a_profile_that_holds_already_changes_nothing() -> None:
    calls = Calls()
    first = profiles.apply(calls, "plain")
    n = calls.history.n
    assert profiles.apply(calls, "plain") == first
    assert calls.history.n == n


def test_plain_switches_off_whatever_is_not_in_the_basic_rfcs() -> None:
    plain = profiles.PROFILES["plain"]
    for name in ("sack", "dsack", "timestamps", "ecn", "frto", "recovery", "early_retrans", "fastopen"):
        assert plain[f"net.ipv4.tcp_{name}"] == "0"
    assert plain["net.ipv4.tcp_congestion_control"] == "reno"


def test_none_changes_nothing() -> None:
    calls = Calls()
    assert (profiles.apply(calls, "none"), calls.history.n) == ([], 0)


def test_an_unknown_profile_is_answered_with_those_there_are() -> None:
    with pytest.raises(KeyError, match="no profile 'bsd': there are linux, plain, none"):
        profiles.apply(Calls(), "bsd")
