# SPDX-License-Identifier: GPL-2.0-or-later
"""The controllers by name, in the order of `tcp_available_congestion_control`, and how a connection gets one.

`net.ipv4.tcp_congestion_control` is the number of a name in `core.config`, which knows the names and nothing else;
`register` adds one to both.
"""

from collections.abc import Mapping
from typing import Any

from labstack.core import config as sysctls
from labstack.tcp.cc.bbr import Bbr
from labstack.tcp.cc.controller import Controller, Sample
from labstack.tcp.cc.cubic import Cubic
from labstack.tcp.cc.dctcp import Dctcp, WithoutEcn
from labstack.tcp.cc.none import Constant
from labstack.tcp.cc.reno import Reno

CONTROLLERS: dict[str, type[Controller]] = {it.name: it for it in (Reno, Cubic, Bbr, Dctcp, Constant)}
BUILT_IN = tuple(CONTROLLERS)
LONGEST_NAME = 15  # characters: Linux's TCP_CA_NAME_MAX, less the final 0
SYSCTL = "net.ipv4.tcp_congestion_control"


def make(name: str, config: Mapping[str, int], mss: int, seed: int = 0) -> Controller:
    """A new controller as the sysctls say. Raises KeyError for an unknown name."""
    kind = CONTROLLERS[name]
    said: dict[str, Any] = {field: config[sysctl] for field, sysctl in kind.settings.items()}
    return kind(mss=mss, seed=seed, **said)


def default(config: Mapping[str, int]) -> str:
    """The name that `tcp_congestion_control` says."""
    return sysctls.SYSCTLS[SYSCTL].words[config[SYSCTL]]


def number(cc: Controller) -> int:
    """Which word of `tcp_congestion_control` it goes by; what there is instead of DCTCP without ECN, by DCTCP's."""
    return sysctls.SYSCTLS[SYSCTL].words.index(Dctcp.name if isinstance(cc, WithoutEcn) else cc.name)


def begin(cc: Controller, s: Sample, ecn: bool) -> Controller:
    """The connection is established, with ECN or without: start its controller, or the one that replaces it."""
    if cc.ecn and not ecn:
        cc = _heir(WithoutEcn(mss=cc.mss), cc)
    cc.start(s)
    return cc


def switch(cc: Controller, name: str, config: Mapping[str, int], s: Sample, ecn: bool) -> Controller:
    """Another controller for a connection under way (TCP_CONGESTION): it takes the window as it is."""
    return begin(_heir(make(name, config, cc.mss, cc.seed), cc), s, ecn)


def _heir(new: Controller, old: Controller) -> Controller:
    new.cwnd, new.ssthresh, new.clamp = old.cwnd, old.ssthresh, old.clamp
    new.credit, new.limited = old.credit, old.limited
    return new


def register(kind: type[Controller]) -> type[Controller]:
    """Offer a controller by its name, for the sysctl and for TCP_CONGESTION; a decorator. One of the same name that was
    registered before is replaced. Raises ValueError for a name that cannot be, TypeError for a class without @state.
    """
    name = kind.name
    if name in BUILT_IN or not 0 < len(name) <= LONGEST_NAME or not name.isascii() or not name.isprintable():
        raise ValueError(
            f"a controller cannot have the name {name!r}: expected 1 to 15 characters, and none of {BUILT_IN}"
        )
    if "clone" not in vars(kind):
        raise TypeError(f"{kind.__name__} needs @state under @register, so that it can be cloned")
    CONTROLLERS[name] = kind
    sysctls.offer(SYSCTL, name)
    return kind
