# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration, counters, rules, errors and Env: small tables with exact promises."""

import copy
import errno
import re
from typing import Any

import pytest

from labstack.core import kinds
from labstack.core.config import SYSCTLS, Config, spoken, understood
from labstack.core.counters import LAYERS, drops, missing, unbalanced
from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.event import Became, Note, Tx, Wake
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.rules import Rule, cite, sentence

RMEM = "net.ipv4.tcp_rmem.default"


def test_every_default_is_within_its_own_bounds_and_explained() -> None:
    for name, entry in SYSCTLS.items():
        assert entry.least <= entry.default <= entry.most, name
        assert entry.means


def test_a_config_is_replaced_and_never_changed() -> None:
    config = Config()
    other = config.replace({RMEM: 8192})
    assert (config[RMEM], other[RMEM]) == (SYSCTLS[RMEM].default, 8192)
    assert other.replace({"net.ipv4.tcp_retries2": 3})[RMEM] == 8192
    assert set(config) == set(SYSCTLS)
    assert len(config) == len(SYSCTLS)
    assert repr(other) == "Config({'net.ipv4.tcp_rmem.default': 8192})"
    assert config == Config()
    assert hash(config) == hash(Config())
    assert config != other
    assert copy.deepcopy(config) is copy.copy(config) is config


def test_no_way_of_writing_to_a_dict_changes_a_config() -> None:
    config = Config()
    for write in (
        lambda: config.update({RMEM: 1}),
        lambda: config.__setitem__(RMEM, 1),
        lambda: config.__ior__({RMEM: 1}),
        lambda: config.pop(RMEM),
        lambda: config.popitem(),
        lambda: config.setdefault("x", 1),
        lambda: config.__delitem__(RMEM),
        config.clear,
    ):
        with pytest.raises(TypeError, match="does not change; replace"):
            write()
    assert config == Config()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"net.ipv4.tcp_rmen": 1}, "no sysctl 'net.ipv4.tcp_rmen'"),
        ({"net.ipv4.tcp_wmem": 1}, r"'net.ipv4.tcp_wmem' is 3: net.ipv4.tcp_wmem.min, .*default, .*max"),
        ({"net.ipv4.tcp_fack": 1}, r"tcp_fack = 1: expected 0 and nothing else \(forward .* not offered yet\)"),
        ({RMEM: 0}, r"net.ipv4.tcp_rmem.default = 0: expected a number in 1\.\."),
        ({"net.core.rmem_max": 2303}, r"net.core.rmem_max = 2303: expected a number in 2304\.\."),
        ({"net.core.wmem_max": 4607}, r"net.core.wmem_max = 4607: expected a number in 4608\.\."),
        ({RMEM: "8192"}, "net.ipv4.tcp_rmem.default = '8192'"),
        ({RMEM: None}, "net.ipv4.tcp_rmem.default = None"),
    ],
)
def test_a_wrong_sysctl_is_an_error_that_names_it(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(StackError, match=says) as caught:
        Config().replace(changes)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(StackError, match=says):
        Config(**changes)


def test_a_layer_balances_only_if_all_that_came_in_is_accounted_for() -> None:
    assert unbalanced({}) == []
    for layer, (arrived, delivered) in LAYERS.items():
        good = {arrived[-1]: 5, delivered[0]: 3, f"drop.{layer}.why": 1, f"drop.{layer}.also": 1}
        assert unbalanced(good) == []
        lost = {**good, arrived[0]: good.get(arrived[0], 0) + 1}
        assert missing(lost) == {layer: 1}
        assert unbalanced(lost) == [f"{layer}: 1 arrivals are neither delivered nor dropped"]
        assert missing({f"drop.{layer}.why": 1}) == {layer: -1}


def test_drops_are_those_that_occurred() -> None:
    assert drops({"drop.tcp.csum": 2, "drop.ip.ttl": 0, "TcpInSegs": 5, "drop.ip.csum": 1}) == {
        "drop.ip.csum": 1,
        "drop.tcp.csum": 2,
    }


def test_a_rule_becomes_a_sentence_with_its_values_and_a_citation() -> None:
    rules = {"9293/3.10.7.4/ack/dup": Rule("ACK {0} repeats {1}")}
    assert sentence(rules, "9293/3.10.7.4/ack/dup", (5, 6)) == "ACK 5 repeats 6"
    assert sentence(rules, "9293/9.9/none", ()) == "9293/9.9/none"
    assert sentence(rules, "9293/3.10.7.4/ack/dup", (b"\x0a\0\0\1", 6)) == "ACK 10.0.0.1 repeats 6"
    some = {"6937/3/rebuild": Rule("{0} segments, {1} bytes")}
    assert sentence(some, "6937/3/rebuild", (1, 11)) == "1 segment, 11 bytes"
    assert cite("9293/3.10.7.4/ack/dup") == "RFC 9293 §3.10.7.4"
    assert cite("826/-/merge") == "RFC 826"
    assert cite("linux/tcp_retries2/gives_up") == "Linux tcp_retries2"
    assert cite("drop.tcp.csum") == "drop.tcp.csum"


def test_an_error_carries_errno_and_advice_and_equals_one_that_says_the_same() -> None:
    error = StackError(errno.EADDRINUSE, "port 80 is taken; close its listener")
    assert isinstance(error, OSError)
    assert error.errno == errno.EADDRINUSE
    assert str(error) == f"[Errno {errno.EADDRINUSE}] address already in use: port 80 is taken; close its listener"
    assert error == StackError(errno.EADDRINUSE, "port 80 is taken; close its listener")
    assert error != StackError(errno.EADDRINUSE, "port 81 is taken; close its listener")
    assert len({error, StackError(errno.EADDRINUSE, "port 80 is taken; close its listener")}) == 1


def test_env_notes_only_while_tracing_and_counts_always() -> None:
    env = Env(Rng(1))
    env.note("1/2/3")
    env.drop("drop.ip.csum", 7)
    assert env.trace == []
    env.tracing = True
    env.note("1/2/3", 4, "v")
    assert env.drop("drop.ip.csum", 7) is None  # type: ignore[func-returns-value]
    env.became("tcp", 4, "LISTEN", "SYN-RECEIVED")
    assert env.trace == [
        Note("1/2/3", 4, ("v",)), Note("drop.ip.csum", 0, (7,)), Became("tcp", 4, "LISTEN", "SYN-RECEIVED"),
    ]  # fmt: skip
    assert env.count == {"drop.ip.csum": 2}


def test_env_gathers_actions_in_order_and_its_clone_has_its_own() -> None:
    env, frame = Env(Rng(1)), Frame(b"x")
    env.wake(5, 1)
    env.send(2, frame)
    env.wake(5, 4)
    twin = env.clone()
    twin.wake(6, 1)
    twin.send(1, frame)
    twin.timers.set((1,), 1)
    twin.dirty[1] = None
    assert env.count == {"LinkOutFrames": 1}
    assert (env.timers.at, env.dirty) == ({}, {})
    assert env.take_actions() == [Tx(2, frame), Wake(5, 1 | 4)]  # each owner is woken once, after the frames
    assert env.take_actions() == []
    assert twin.take_actions() == [Tx(2, frame), Tx(1, frame), Wake(5, 1 | 4), Wake(6, 1)]


def test_the_kinds_of_timers_are_distinct_and_named() -> None:
    values = [value for name, value in vars(kinds).items() if name.isupper() and isinstance(value, int)]
    assert len(values) == len(set(values))
    assert set(kinds.NAMES) <= set(values)


def test_what_proc_has_as_one_line_is_spoken_and_understood_as_one() -> None:
    config = Config()
    assert spoken(config, "net.ipv4.tcp_rmem") == "4096 131072 6291456"
    assert spoken(config, "net.ipv4.ip_local_port_range") == "32768 60999"
    assert spoken(config, "net.ipv4.tcp_congestion_control") == "cubic"
    assert spoken(config, "net.ipv4.tcp_retries2") == "15"
    wide = config.replace(understood("net.ipv4.tcp_rmem", "4096\t540000 15728640"))
    assert spoken(wide, "net.ipv4.tcp_rmem") == "4096 540000 15728640"
    assert understood("net.ipv4.tcp_retries2", "0x7") == {"net.ipv4.tcp_retries2": 7}
    assert all(config.replace(understood(name, spoken(config, name))) == config for name in SYSCTLS)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("net.ipv4.tcp_rmen", "1", "no sysctl 'net.ipv4.tcp_rmen'"),
        ("net.ipv4.tcp_rmem", "4096", "expected 3 of them, as in '4096 131072 6291456'"),
        ("net.ipv4.tcp_retries2", "many", "tcp_retries2 = 'many': expected a number in 1..255"),
        ("net.ipv4.tcp_retries2", "0", "tcp_retries2 = 0: expected a number in 1..255"),
        ("net.ipv4.tcp_congestion_control", "vegas", "= 'vegas': expected reno, cubic, bbr, dctcp or none"),
        ("net.ipv4.tcp_fack", "1", "= 1: expected 0 and nothing else"),
    ],
)
def test_a_line_that_cannot_be_is_refused_with_what_was_expected(name: str, text: str, says: str) -> None:
    with pytest.raises(StackError, match=re.escape(says)) as caught:
        understood(name, text)
    assert caught.value.errno == errno.EINVAL
    with pytest.raises(StackError, match="no sysctl"):
        spoken(Config(), "net.ipv4.tcp_rmen")
