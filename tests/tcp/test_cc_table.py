"""Controllers by name: sysctls, changing one under way, and the one that docs/congestion.md writes."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path as File
from types import ModuleType

import pytest
from cc_path import MS, MSS, SECOND, Path

from labstack.core import config as sysctls
from labstack.core.config import Config, spoken, understood
from labstack.core.env import Env
from labstack.core.rng import Rng
from labstack.core.state import state
from labstack.tcp.cc import news, table
from labstack.tcp.cc.controller import INFINITE, Controller, Sample
from labstack.tcp.cc.cubic import Cubic
from labstack.tcp.cc.reno import Reno

DOCS = File(__file__).parents[2] / "docs" / "congestion.md"


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is registered is gone afterwards."""
    monkeypatch.setattr(table, "CONTROLLERS", dict(table.CONTROLLERS))
    monkeypatch.setitem(sysctls.SYSCTLS, table.SYSCTL, sysctls.SYSCTLS[table.SYSCTL])
    yield
    sys.modules.pop("student", None)


def test_core_knows_the_names_and_their_order() -> None:
    """It may not import them."""
    assert tuple(table.CONTROLLERS) == sysctls.CONGESTION == sysctls.SYSCTLS[table.SYSCTL].words


def test_the_default_is_cubic_as_in_linux() -> None:
    assert table.default(Config()) == "cubic"
    assert table.default(Config(**understood(table.SYSCTL, "bbr"))) == "bbr"


def test_a_controller_is_made_as_the_sysctls_say() -> None:
    config = Config(**{"net.ipv4.tcp_abe": 1, "net.ipv4.tcp_cubic_friendliness": 0})
    cc = table.make("cubic", config, 1448, seed=9)
    assert isinstance(cc, Cubic)
    assert (cc.mss, cc.abe, cc.friendly, cc.hystart, cc.seed) == (1448, 1, 0, 1, 9)


@pytest.mark.parametrize("name", table.BUILT_IN)
def test_another_one_takes_the_window_as_it_is(name: str) -> None:
    """Linux's tcp_reinit_congestion_control."""
    old = Reno(mss=MSS, cwnd=33, ssthresh=22, clamp=5000, credit=4, limited=True, seed=8)
    cc = table.switch(old, name, Config(), Sample(0, srtt=MS, min_rtt=MS), ecn=True)
    assert (cc.name, cc.mss, cc.clamp, cc.limited, cc.seed) == (name, MSS, 5000, True, 8)
    assert (cc.cwnd, cc.ssthresh) == {"none": (5000, 22), "bbr": (33, INFINITE)}.get(name, (33, 22))


def test_news_becomes_notes_and_linux_counters() -> None:
    env = Env(Rng(1), tracing=True)
    cc = Reno(mss=MSS)
    cc.say("linux/hystart_update/delay", 36, "TcpExtTCPHystartDelay")
    cc.say("9438/4.2/epoch", 50)
    news.tell(env, 7, cc)
    assert [(it.rule, it.sock, it.values) for it in env.trace] == [  # type: ignore[union-attr]
        ("linux/hystart_update/delay", 7, (36,)), ("9438/4.2/epoch", 7, (50,)),
    ]  # fmt: skip
    assert dict(env.count) == {"TcpExtTCPHystartDelayDetect": 1, "TcpExtTCPHystartDelayCwnd": 36}
    assert cc.news == ()


def test_the_controller_of_the_docs_works(registry: None) -> None:
    """At most 30 lines, offered by name, and it fills a path."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(code[code.index("@register") :].splitlines()) <= 30
    module = sys.modules["student"] = ModuleType("student")
    exec(compile(code, str(DOCS), "exec"), module.__dict__)
    config = Config(**understood(table.SYSCTL, "gentle"))
    assert (spoken(config, table.SYSCTL), table.default(config)) == ("gentle", "gentle")
    cc = table.make("gentle", config, MSS)
    path = Path(cc, 2500, 40 * MS, 100).run(10 * SECOND)
    assert path.total > 0.9 * 2500 * 10
    assert cc.clone() == cc
    exec(compile(code, str(DOCS), "exec"), module.__dict__)  # a cell that is run again
    assert sysctls.SYSCTLS[table.SYSCTL].words == (*sysctls.CONGESTION, "gentle")


@pytest.mark.parametrize("bad", ["reno", "", "a-name-that-is-too-long", "b\n", "\xe9"])
def test_a_name_that_cannot_be_is_refused(registry: None, bad: str) -> None:
    kind: type[Controller] = state(type("Bad", (Controller,), {"name": bad, "__annotations__": {}}))
    with pytest.raises(ValueError, match="a controller cannot have the name"):
        table.register(kind)


def test_a_class_without_state_is_refused(registry: None) -> None:
    class Bare(Controller):
        name = "bare"

    with pytest.raises(TypeError, match="Bare needs @state under @register"):
        table.register(Bare)
