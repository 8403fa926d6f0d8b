# SPDX-License-Identifier: GPL-2.0-or-later
"""Python scenarios as a whole: what a file says of them, how they end, and which line is to blame."""

import threading
from pathlib import Path

import pytest
from play_toy import one, played, scenarios

from labstack.lab.lab import Lab
from labstack.packetdrill.script import ScriptError
from labstack.scenario.calls import Calls
from labstack.scenario.play.scenario import Scenario
from labstack.sim.history import digest

UNREACHABLE = """
t.send(t.IP() / UDP(sport=5000, dport=9) / b"anybody?")
t.expect(ICMP(type=3, code=3), within=0)
"""


IMPORT = "from labstack.scenario import scenario\n"

# what a file says


def test_the_decorator_says_all_that_a_runner_wants_to_know(tmp_path: Path) -> None:
    [it] = scenarios(
        tmp_path,
        '''\
        from labstack.scenario import scenario

        @scenario(covers="MUST-1, SEC-2", link="ether", ip="ipv6", xfail={"kernel": "why"}, wait="SACK",
                  target="lab", sysctls={"net.ipv4.tcp_sack": 0}, mtu=600)
        def named_by_behaviour(t):
            """What it shows."""
        ''',
    )
    assert (it.name, it.about, it.line, it.file) == (
        "named_by_behaviour",
        "What it shows.",
        3,
        it.function.__code__.co_filename,
    )
    assert (it.covers, it.link, it.ips, it.targets) == (("MUST-1", "SEC-2"), "ether", ("ipv6",), ("lab",))
    assert it.expected == {"kernel": "why", "lab": "waits for SACK"}
    assert it.sysctls == {"net.ipv4.tcp_sack": "0"}
    assert (it.needs["link"], it.needs["mtu"], it.profile, it.hosts) == ("ether", 600, "plain", 0)


def test_a_bare_decorator_means_every_family_and_both_targets(tmp_path: Path) -> None:
    it = one(tmp_path, "pass")
    assert (it.ips, it.targets) == (("ipv4", "ipv6", "ipv4-mapped-ipv6"), ("lab", "kernel"))
    assert it.expected == {}


def test_scenarios_come_in_the_order_of_their_file_and_imported_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("from labstack.scenario import scenario\n\n@scenario\ndef other(t): ...\n")
    found = scenarios(
        tmp_path,
        """\
        from beside import other
        from labstack.scenario import scenario

        @scenario
        def b(t): ...

        @scenario
        def a(t): ...
        """,
    )
    assert [it.name for it in found] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("import labstack\n\ndef f(:\n", 3, "invalid syntax"),
        ("x = 1\ny = nothing\n", 2, "NameError: name 'nothing' is not defined"),
        ("x = 1\nraise SystemExit(0)\n", 2, "SystemExit"),
        (
            "from labstack.scenario import scenario\n@scenario(link='wifi')\ndef f(t): ...\n",
            2,
            "expected one of ip, ether",
        ),
        (IMPORT + "@scenario(profile='best')\ndef f(t): ...\n", 2, "profile='best'"),
        (
            "from labstack.scenario import scenario\n@scenario(ip='ipx')\ndef f(t): ...\n",
            2,
            "ip='ipx': expected one of",
        ),
        (IMPORT + "@scenario(colour=1)\ndef f(t): ...\n", 2, "TypeError"),
        (
            "from labstack.scenario import scenario\n@scenario\ndef f(t): ...\n@scenario\ndef f(t): ...\n",
            4,
            "'f' already",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    with pytest.raises(ScriptError) as caught:
        scenarios(tmp_path, text)
    assert caught.value.place.line == line
    assert why in caught.value.why
    assert caught.value.place.file.endswith("scenario_x.py")


# how they end


@pytest.mark.parametrize("ip", ["ipv4", "ipv4-mapped-ipv6"])
def test_what_holds_is_no_failure(tmp_path: Path, ip: str) -> None:
    assert played(tmp_path, UNREACHABLE, ip=ip) is None


def test_a_failure_has_the_place_the_time_and_the_fields(tmp_path: Path) -> None:
    failure = played(tmp_path, "t.sleep(1)\nt.send(t.IP() / UDP(dport=9))\nx = t.expect(ICMP(code=4))\n")
    assert failure is not None
    assert (failure.place.line, failure.place.column, failure.kind, failure.at) == (3, 9, "packet", 1_000_000_000)
    assert [row.name for row in failure.fields if row.differs] == ["ICMP.code"]
    assert failure.event == 3


def test_the_place_is_the_innermost_line_of_the_file(tmp_path: Path) -> None:
    failure = played(tmp_path, "def helper():\n    t.expect(UDP, within=0)\nhelper()\n")
    assert failure is not None
    assert (failure.place.line, failure.kind) == (2, "missing")


def test_an_end_that_is_not_quiet_is_a_failure_at_the_last_line(tmp_path: Path) -> None:
    body = "t.listen(80)\nt.send(t.IP() / TCP(sport=5, dport=80))\n"
    failure = played(tmp_path, body)
    assert failure is not None
    assert (failure.kind, failure.place.line) == ("silence", 2)
    assert played(tmp_path, body + "t.expect(TCP(flags='SA'))\n") is None


def test_the_end_is_quiet_for_as_long_as_was_said(tmp_path: Path) -> None:
    body = "t.listen(80)\nt.send(t.IP() / TCP(sport=5, dport=80))\nt.expect(TCP(flags='SA'))\n"
    failure = played(tmp_path, body, said="quiet='2s'")  # the SYN-ACK again, after 1 s
    assert failure is not None
    assert (failure.kind, failure.at) == ("silence", 1_000_000_000)
    assert played(tmp_path, body + "t.quiet('900ms')\n", said="quiet='2s'") is None


def test_an_assertion_tells_both_sides_and_looks_at_each_once(tmp_path: Path) -> None:
    failure = played(tmp_path, "it = iter([4, 5])\n\nassert next(it) == 5, 'the first is five'\n")
    assert failure is not None
    assert (failure.kind, failure.place.line) == ("code", 3)
    assert failure.why == "the first is five (this does not hold: next(it) == 5)"
    assert failure.fields[0][:3] == ("next(it)", "5", "4")


@pytest.mark.parametrize(
    ("assertion", "expected", "actual"),
    [("2 + 2 < 4", "< 4", "4"), ("'a' in 'bcd'", "in bcd", "a"), ("1 != 1", "not 1", "1")],
)
def test_assertions_of_every_comparison(tmp_path: Path, assertion: str, expected: str, actual: str) -> None:
    failure = played(tmp_path, f"assert {assertion}\n")
    assert failure is not None
    assert failure.fields[0][1:3] == (expected, actual)


def test_an_assertion_of_another_kind_is_told_as_it_is_written(tmp_path: Path) -> None:
    failure = played(tmp_path, "assert not [1]\n")
    assert failure is not None
    assert (failure.why, failure.fields) == ("this does not hold: not [1]", ())


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("t.expect(5)", "5 is no pattern: expected a packet, a header class, bytes, or a function of the packet"),
        ("t.expect(TCP(dport='http'))", "TCP: dport='http': expected a number"),
        ("t.expect(UDP, withn=1)", "TypeError"),
        ("t.sleep('soon')", "'soon' is not a span of time"),
        ("t.call('listen', 3, 1, fails='EWHAT')", "'EWHAT' is no word of Linux's headers"),
        ("t.call('listen', 3)", "TypeError"),
        ("undefined", "NameError"),
        ("t.accept", "AttributeError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_mistake_in_a_scenario_is_told_with_its_line_and_is_no_failure(tmp_path: Path, body: str, why: str) -> None:
    scenario = one(tmp_path, f"x = 1\n{body}\n")
    with pytest.raises(ScriptError) as caught:
        scenario.play(Calls(**scenario.needs))
    assert why in caught.value.why
    assert Path(scenario.file).read_text().splitlines()[caught.value.place.line - 1].strip() == body


def test_what_the_host_does_not_have_is_refused(tmp_path: Path) -> None:
    for body, said in (("t.sysctl('net.ipv4.tcp_magic', 1)", ""), ("pass", "sysctls={'net.ipv4.tcp_magic': 1}")):
        failure = played(tmp_path, body, said)
        assert failure is not None
        assert failure.kind == "refused"
        assert "tcp_magic" in failure.why


def test_a_loop_that_never_ends_is_stopped_with_its_line(tmp_path: Path) -> None:
    failure = played(tmp_path, "x = 0\nwhile True:\n    x += 1\n", said="limit=0.05")
    assert failure is not None
    assert (failure.kind, failure.why) == ("endless", "it was stopped after 0.05 s of real time")
    assert failure.place.line in (2, 3)


def test_what_catches_every_exception_is_stopped_all_the_same(tmp_path: Path) -> None:
    body = "try:\n    for x in range(10**8): pass\nexcept Exception:\n    pass\n"
    failure = played(tmp_path, body, said="limit=0.05")
    assert failure is not None
    assert failure.kind == "endless"


def test_a_loop_of_steps_is_stopped_without_a_clock(tmp_path: Path) -> None:
    failure = played(tmp_path, "while True:\n    t.sleep('10s')\n")
    assert failure is not None
    assert (failure.kind, failure.place.line, failure.why) == ("endless", 2, "the scenario goes on after 86400 s")


def test_in_another_thread_there_is_no_clock_to_stop_it_and_all_else_works(tmp_path: Path) -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(played(tmp_path, UNREACHABLE)))
    thread.start()
    thread.join()
    assert found == [None]


def test_a_fault_of_the_host_is_a_crash_whatever_the_scenario_says(tmp_path: Path) -> None:
    class Broken(Calls):
        fault = "Traceback: it broke"

    scenario = one(tmp_path, "t.expect(UDP, within=0)\n")
    failure = scenario.play(Broken(**scenario.needs))
    assert failure is not None
    assert (failure.kind, failure.why) == ("crash", "Traceback: it broke")
    assert one(tmp_path, "pass").play(Broken()) == failure._replace(at=100_000_000)


# what they are played on


def test_the_profile_and_the_sysctls_are_set_before_it_begins(tmp_path: Path) -> None:
    rmem = "assert t.sysctl('net.ipv4.tcp_rmem').split()[1] == '{}'\n"
    retries = "assert t.sysctl('net.ipv4.tcp_syn_retries') == '2'\n"
    body = rmem.format(540_000) + retries
    assert played(tmp_path, body, said="sysctls={'net.ipv4.tcp_syn_retries': 2}") is None
    assert played(tmp_path, rmem.format(131_072), said="profile='none'") is None


def test_two_runs_are_the_same_bit_for_bit(tmp_path: Path) -> None:
    body = "c = t.accepts(80)\nc.fd.send(b'x' * 5000)\nc.collect(5000)\nt.connects(443)\n"
    scenario = one(tmp_path, body)
    runs = []
    for _ in range(2):
        calls = Calls(**scenario.needs)
        assert scenario.play(calls, "ipv6") is None
        runs.append(digest(calls.history.records))
    assert runs[0] == runs[1]


def test_with_hosts_it_gets_a_lab(tmp_path: Path) -> None:
    body = "assert len(t.hosts) == 3\nt.h1.ping(t.h3.ip)\nt.run()\nassert t.now < 0\n"
    scenario = one(tmp_path, body, "hosts=3")
    assert (scenario.needs, scenario.ips, scenario.targets) == ({"hosts": 3}, ("ipv4",), ("lab",))
    failure = scenario.play(Lab(**scenario.needs))
    assert failure is not None
    assert (failure.kind, failure.fields[0].expected) == ("code", "< 0")


def test_what_a_lab_waits_for_in_vain_is_a_failure_at_its_line(tmp_path: Path) -> None:
    scenario = one(tmp_path, "t.until('h1.name == \"h9\"')\n", "hosts=2")
    failure = scenario.play(Lab(**scenario.needs))
    assert failure is not None
    assert failure.kind == "code"
    assert "nothing is left to happen" in failure.why


def test_a_scenario_may_be_called_by_another(tmp_path: Path) -> None:
    scenario = one(tmp_path, "t.silence(1)\n")
    assert isinstance(scenario, Scenario)
    assert scenario(type("T", (), {"silence": lambda self, time: None})()) is None
