# SPDX-License-Identifier: GPL-2.0-or-later
"""The same Python scenarios on Linux: they pass, and what is wrong in them is told as it is on a host of ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from play_toy import FIRST, one

from labstack.scenario.collect import run
from labstack.scenario.kernel import available
from labstack.scenario.kernel.target import Kernel
from labstack.scenario.play.scenario import Scenario, load

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(bool(available()), reason=available() or "the kernel is to be had"),
]
FILES = sorted((Path(__file__).parents[2] / "scenarios").rglob("scenario_*.py"))
QUICK = ["asks_before_it_sends_and_keeps", "who_has_no_address_yet", "the_error_reaches", "connections_of_one_port"]


def quick() -> Iterator[Scenario]:
    """One of each kind that takes no long time: ARP, ND, UDP, TCP."""
    for file in FILES:
        yield from (it for it in load(str(file)) if it.name.startswith(tuple(QUICK)) and it.needs.get("link"))


@pytest.mark.parametrize("scenario", list(quick()), ids=lambda it: it.name)
def test_a_scenario_passes_on_linux_in_each_of_its_families(scenario: Scenario) -> None:
    for ip in scenario.ips:
        outcome = run(f"{scenario.file}::{scenario.name}", "kernel", ip)
        assert (outcome.verdict, outcome.reason.partition("attempt")[0]) == ("pass", "")


def test_a_failure_on_linux_has_its_line_and_its_fields(tmp_path: Path) -> None:
    scenario = one(tmp_path, "c = t.accepts(80)\nc.send(b'hello')\nc.expect(flags='A', ack=7)\n")
    with Kernel(**scenario.needs) as kernel:
        failure = scenario.play(kernel)
    assert failure is not None
    assert (failure.kind, failure.place.line) == ("packet", FIRST + 2)
    assert [row[:3] for row in failure.fields if row.differs] == [("TCP.ack", "7", "6")]
