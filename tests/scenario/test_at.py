# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack run FILE --at N`: the prompt at event N of a scenario's ladder, steppable both ways."""

import os
import sys
from pathlib import Path

import pexpect
import pytest

from labstack.lab.errors import LabError
from labstack.scenario import collect, command
from labstack.scenario.report import evidence
from labstack.scenario.settings import Settings

ROOT = Path(__file__).parent.parent.parent
SCRIPT = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 32792 <mss 1000>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 2570
+0 accept(3, ..., ...) = 4
+0 write(4, ..., 1000) = 1000
+0 > P. 1:1001(1000) ack 2
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "late.pkt"
    path.write_text(SCRIPT)
    return str(path)


def test_the_lab_is_where_the_failure_was(file: str) -> None:
    outcome = collect.run(file)
    assert outcome.evidence is not None
    assert outcome.failure is not None
    lab, failure = command.land(file, outcome.evidence.n, (), Settings())
    assert failure == outcome.failure
    assert (lab.history.n, lab.now) == (outcome.evidence.n, outcome.failure.at)
    told = "\n".join("".join(span.text for span in line) for line in outcome.evidence.ladder)
    assert lab.ladder(evidence.ROWS).text(evidence.width()) == "\n".join(line.rstrip() for line in told.splitlines())


def test_it_can_be_stepped_both_ways(file: str) -> None:
    """RFC 6298 §5.4: what the script did not wait for comes when time passes."""
    lab, _ = command.land(file, 10, (), Settings())
    here = lab.ladder().text()
    lab.back(10)
    assert (lab.now, lab.history.n) == (0, 0)
    lab.step(10)
    assert lab.ladder().text() == here
    lab.advance("300ms")
    assert "rtx #1" in lab.ladder().text()


@pytest.mark.parametrize("ip", ["ipv6", "ipv4-mapped-ipv6"])
def test_it_goes_to_the_family_that_was_asked_for(file: str, ip: str) -> None:
    lab, _ = command.land(file, 4, (ip,), Settings())
    assert (":" in lab.h1.ip6) == (ip == "ipv6")


def test_a_scenario_that_runs_in_no_family_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "only-v4.pkt"
    file.write_text(f"// ip: ipv6\n{SCRIPT}")
    with pytest.raises(LabError, match=r"only-v4\.pkt says that it runs in no family"):
        command.land(str(file), 0, (), Settings())


@pytest.mark.parametrize("n", [-1, 1000])
def test_an_event_that_is_not_there_is_a_mistake(file: str, n: int) -> None:
    with pytest.raises(LabError, match=r"its events are 0 \(the beginning\) to 1\d$"):
        command.land(file, n, (), Settings())


def test_the_command_lands_in_the_prompt(file: str, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "NO_COLOR": "1", "TERM": "dumb"}
    argv = ["-W", "error", "-m", "labstack", "run", file, "--at", "10"]
    prompt = pexpect.spawn(sys.executable, argv, env=env, encoding="utf-8", timeout=60, dimensions=(50, 160))
    prompt.expect_exact("▸   9 │ +0 > P. 1:1001(1000) ack 2")
    prompt.expect_exact("bare IP: inject")
    prompt.sendline("back 2; step")
    prompt.expect_exact("accept(3) = 4")
    prompt.sendline("exit")
    prompt.expect(pexpect.EOF)
    prompt.close()
    assert prompt.exitstatus == 0
