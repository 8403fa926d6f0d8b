# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin, in projects of its own: what it collects, what verdicts become, what it leaves."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import labstack.scenario.command  # noqa: F401 - what pytester imports itself it forgets again, by halves

pytest_plugins = ["pytester"]

PLUGIN = ("-p", "labstack.scenario.plugin")
ROOT = Path(__file__).parent.parent.parent
GOOD = "// covers: MUST-10 SEC-1\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
BAD = "// covers: MUST-10\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+.1 close(3) = -1 EBADF (Bad file descriptor)\n"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project whose folder `wire` holds scenarios."""
    pytester.makeini("[pytest]\nlabstack_paths = wire\nlabstack_ip = ipv4\n")
    pytester.mkdir("wire")
    return pytester


def script(project: pytest.Pytester, name: str, text: str, folder: str = "wire") -> None:
    (project.path / folder / name).write_text(text)


def test_every_scenario_is_a_test_on_each_target_in_each_family(project: pytest.Pytester) -> None:
    script(project, "good.pkt", GOOD)
    script(project, "only-v6.pkt", GOOD)
    found = project.runpytest(*PLUGIN, "--collect-only", "-q", "--labstack-ip=ipv4,ipv6", "--labstack-target=both")
    assert [line for line in found.outlines if "::" in line] == [
        "wire/good.pkt::lab-ipv4",
        "wire/good.pkt::kernel-ipv4",
        "wire/good.pkt::lab-ipv6",
        "wire/good.pkt::kernel-ipv6",
        "wire/only-v6.pkt::lab-ipv6",
        "wire/only-v6.pkt::kernel-ipv6",
    ]


def test_verdicts_become_pytests(project: pytest.Pytester) -> None:
    script(project, "good.pkt", GOOD)
    script(project, "bad.pkt", BAD)
    script(project, "expected.pkt", f"// xfail lab: we know\n{BAD}")
    script(project, "surprise.pkt", f"// xfail lab: we thought\n{GOOD}")
    script(project, "elsewhere.pkt", f"// target: kernel\n{GOOD}")
    script(project, "unread.pkt", "what is this")
    found = project.runpytest(*PLUGIN, "-rA")
    found.assert_outcomes(passed=1, failed=3, xfailed=1, skipped=1)
    found.stdout.fnmatch_lines(["SKIPPED*only for kernel", "XFAIL wire/expected.pkt::lab-ipv4 - we know"])


def test_a_failure_is_told_as_labstack_run_tells_it(project: pytest.Pytester) -> None:
    script(project, "bad.pkt", BAD)
    found = project.runpytest(*PLUGIN)
    found.stdout.fnmatch_lines(
        [
            "? fail    wire/bad.pkt:3  lab ipv4  *",
            "  ?   3 │ +.1 close(3) = -1 EBADF*",
            "*field *expected *actual*",
            "go there: labstack run wire/bad.pkt --at *",
        ]
    )
    assert found.ret == 1


def test_junit_has_the_failure_and_the_requirements(project: pytest.Pytester) -> None:
    script(project, "good.pkt", GOOD)
    script(project, "bad.pkt", BAD)
    project.runpytest(*PLUGIN, "--junitxml=out.xml")
    cases = {case.get("classname"): case for case in ElementTree.parse(project.path / "out.xml").iter("testcase")}
    good, bad = cases["wire.good.pkt"], cases["wire.bad.pkt"]
    assert [(it.get("name"), it.get("value")) for it in good.iter("property")] == [
        ("covers", "MUST-10"), ("covers", "SEC-1"), ("target", "lab"), ("ip", "ipv4"),
    ]  # fmt: skip
    failure = bad.find("failure")
    assert failure is not None
    assert "+.1 close(3)" in (failure.text or "")


def test_a_project_that_does_not_ask_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.mkdir("wire")
    script(pytester, "net.pkt", "another program's file")
    (pytester.path / "scenario_mine.py").write_text("raise RuntimeError('nobody imports me')\n")
    pytester.makepyfile(test_own="def test_own(): pass")
    pytester.runpytest(*PLUGIN).assert_outcomes(passed=1)


def test_a_file_named_on_the_command_line_is_a_scenario(pytester: pytest.Pytester) -> None:
    (pytester.path / "good.pkt").write_text(GOOD)
    pytester.runpytest(*PLUGIN, "good.pkt").assert_outcomes(passed=2)


def test_tests_can_be_chosen_and_run_one_by_one(project: pytest.Pytester) -> None:
    script(project, "good.pkt", GOOD)
    script(project, "bad.pkt", BAD)
    project.runpytest(*PLUGIN, "-k", "good").assert_outcomes(passed=1, deselected=1)
    project.runpytest(*PLUGIN, "wire/good.pkt::lab-ipv4").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "says"),
    [("--labstack-ip=ipv5", "'ipv5' is none of all, ipv4"), ("--labstack-target=bsd", "invalid choice: 'bsd'")],
)
def test_a_wrong_option_is_a_mistake_of_the_command_line(pytester: pytest.Pytester, option: str, says: str) -> None:
    found = pytester.runpytest(*PLUGIN, option)
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    assert says in found.stderr.str()


def test_being_there_imports_nothing_heavy() -> None:
    code = "import labstack.scenario.plugin, sys; print([m for m in sys.modules if m.startswith('labstack')])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "labstack.scenario.plugin" in found.stdout
    heavy = ("collect", "labstack.lab", "labstack.stack", "labstack.packetdrill")
    assert not any(name in found.stdout for name in heavy)
