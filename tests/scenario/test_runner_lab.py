# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts on our stack: commands, code, limits, determinism, and how each kind of failure shows."""

import pytest

from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import RefusedError
from labstack.scenario.calls import Calls
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import Failure
from labstack.sim.history import digest

SYN = "< S 0:0(0) win 1000\n"
RESET = "> R. 0:0(0) ack 1\n"
RETRIES = "net.ipv4.tcp_syn_retries"


def run(text: str, **settings: object) -> tuple[Failure | None, Calls]:
    it = Settings(**settings)  # type: ignore[arg-type]
    script = parse(text, "lab.pkt")
    calls = runner.lab(script, it)
    return runner.play(script, calls, it), calls


def failed(text: str, **settings: object) -> Failure:
    failure, _ = run(text, **settings)
    assert failure is not None
    return failure


@pytest.mark.parametrize("ip_version", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])
def test_a_closed_port_answers_with_a_reset_in_every_family(ip_version: str) -> None:
    """RFC 9293 §3.10.7.1"""
    failure, calls = run(f"0 {SYN}+0 {RESET}", ip_version=ip_version)
    assert failure is None
    assert calls.counters()["Ip6InReceives" if ip_version == "ipv6" else "IpInReceives"] == 1


def test_the_host_is_as_the_script_and_its_run_want_it() -> None:
    text = f"--local_ip=10.1.1.1\n--netmask_ip=255.0.0.0\n--mtu=1000\n0 {SYN}"
    _, calls = run(text, seed=7)
    iface = calls.host.net.ifaces[1]
    assert ([(it.ip, it.plen) for it in iface.addrs], iface.mtu) == ([(bytes((10, 1, 1, 1)), 8)], 1000)
    assert calls.host.env.rng.seed == 7


def test_a_thousand_runs_are_one_run() -> None:
    text = """0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        +0 bind(3, ..., ...) = 0
        +0 listen(3, 1) = 0
        +0...0.2 accept(3, ..., ...) = 4
        +.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
        +0 > S. 0:0(0) ack 1 <...>
        +.1 < . 1:1(0) ack 1 win 257
        +0 write(4, ..., 1000) = 1000
        +0 > P. 1:1001(1000) ack 1
        +.3 > P. 1:1001(1000) ack 1
        +.1 < . 1:1(0) ack 1001 win 257
        +0 %{ assert tcpi_state == TCP_ESTABLISHED }%"""
    script, it = parse(text, "lab.pkt"), Settings()
    seen = set()
    for _ in range(1000):
        calls = runner.lab(script, it)
        assert runner.play(script, calls, it) is None
        seen.add((digest(calls.history.records), b"".join(packet.data for packet in calls.packets())))
    assert len(seen) == 1


def test_a_dry_run_only_reads() -> None:
    failure, calls = run(f"--dry_run\n0 {SYN}+0 > R 0:0(0)")
    assert (failure, calls.history.n) == (None, 0)


# commands


def test_the_init_command_runs_before_anything_and_cleanup_at_the_end() -> None:
    script = f"`sysctl -q {RETRIES}=3`\n0 {SYN}+0 {RESET}"
    assert run(script)[1].sysctl(RETRIES) == "3"
    failure, calls = run(script + f"`sysctl -q {RETRIES}=4`")
    assert failure is None
    assert calls.sysctl(RETRIES) == "4"


def test_a_command_between_events_is_done_at_its_time() -> None:
    failure, calls = run(f"0 {SYN}+0 {RESET}2 `sysctl -q {RETRIES}=3`")
    assert failure is None
    assert [it.at for it in calls.history.records if getattr(it.event, "args", ())[:1] == (RETRIES,)] == [2_000_000_000]


def test_defaults_are_the_linux_profile() -> None:
    failure, calls = run(f"`../common/defaults.sh`\n0 {SYN}+0 {RESET}", profile="none")
    assert failure is None
    assert calls.sysctl("net.ipv4.tcp_rmem") == "4096 540000 15728640"


def test_the_profile_is_there_from_the_beginning() -> None:
    assert run(f"0 {SYN}", profile="linux")[1].sysctl(RETRIES) == "5"
    assert run(f"0 {SYN}", profile="none")[1].sysctl(RETRIES) == "6"


def test_a_command_that_fails_fails_the_script() -> None:
    failure = failed(f"0 {SYN}+0 {RESET}1 `sysctl {RETRIES}=many`")
    assert (failure.kind, failure.place.line) == ("shell", 3)
    assert "many" in failure.why


@pytest.mark.parametrize(
    ("text", "line"),
    [(f"// x\n\n`sysctl net.a=1`\n0 {SYN}+0 {RESET}", 3), (f"0 {SYN}+0 {RESET}\n`sysctl net.a=1`\n", 4)],
)
def test_a_command_before_or_behind_all_events_fails_at_its_line(text: str, line: int) -> None:
    assert failed(text).place.line == line


@pytest.mark.parametrize("text", ["rm -rf /", "cat /etc/passwd", "$(reboot)"])
def test_a_strange_command_is_refused_and_nothing_is_done(text: str) -> None:
    failure, calls = run(f"`{text}`\n0 {SYN}", profile="none")
    assert failure is not None
    assert (failure.kind, calls.history.n) == ("refused", 0)


# how each kind of failure shows


def test_a_packet_that_differs() -> None:
    failure = failed(f"0 {SYN}+0 > R 0:0(0)")
    assert (failure.kind, failure.place.line, failure.at) == ("packet", 2, 0)
    assert {row.name for row in failure.fields if row.differs} == {"flags", "ack"}


def test_a_packet_that_does_not_come() -> None:
    assert failed("0 < R 0:0(0) win 0\n+0 > R 0:0(0)").kind == "missing"


def test_a_packet_that_comes_early_or_late() -> None:
    assert failed(f"0 {SYN}1 {RESET}").kind == "early"
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n"
    text += f"0 {SYN}+0 > S. 0:0(0) ack 1 <...>\n+.9 > S. 0:0(0) ack 1 <...>"
    late = failed(text)
    assert (late.kind, late.fields[-1].expected, late.fields[-1].actual) == ("late", ".9", "1")
    assert run(text, tolerance_us=None)[0] is None


def test_a_result_and_an_errno() -> None:
    assert failed("0 socket(..., SOCK_STREAM, 0) = -1 EAFNOSUPPORT").kind == "result"
    assert failed("0 close(9) = -1 EINVAL").kind == "errno"


def test_code_that_fails() -> None:
    failure = failed(f"0 {SYN}+0 {RESET}1 %{{ assert 1 == 2, 'never' }}%")
    assert (failure.kind, failure.place.line) == ("code", 3)


def test_code_that_never_ends() -> None:
    failure = failed(f"0 {SYN}+0 {RESET}1 %{{\nwhile True:\n    pass\n}}%")
    assert failure.kind == "endless"
    assert failure.place.line in (3, 4, 5)


def test_a_script_that_never_ends() -> None:
    failure = failed(f"0 {SYN}+0 {RESET}+999999999 {SYN}")
    assert (failure.kind, failure.place.line) == ("endless", 3)


def test_a_host_that_goes_round_in_circles() -> None:
    """A SYN-ACK comes again and again, so an allowance of ten events is soon used up."""
    text = "0 socket(..., SOCK_STREAM, 0) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n"
    text += f"0 {SYN}+0 > S. 0:0(0) ack 1 <...>\n100 close(3) = 0"
    failure = failed(text, events=10, profile="none")
    assert (failure.kind, failure.place.line) == ("endless", 6)


def test_a_crash_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("labstack.stack.arrive.frame", broken)
    monkeypatch.setattr("labstack.stack.shortcut.taken", lambda *_: False)
    failure = failed(f"0 {SYN}+0 {RESET}")
    assert failure.kind == "crash"
    assert "ZeroDivisionError" in failure.why


def test_options_that_we_do_not_have_are_refused() -> None:
    with pytest.raises(RefusedError, match="so_"):
        run(f"--so_filename=x.so\n0 {SYN}")


def test_nothing_is_refused_silently(capsys: pytest.CaptureFixture[str]) -> None:
    run(f"--verbose\n0 {SYN}+0 {RESET}")
    assert capsys.readouterr() == ("", "")
