# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual shell: what scripts say to sh is done on their target, and nothing else is done anywhere."""

import contextlib
import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.scenario import profiles
from labstack.scenario.calls import Calls
from labstack.scenario.shell import procnet
from labstack.scenario.shell import real as realshell
from labstack.scenario.shell.grep import pattern
from labstack.scenario.shell.shell import Ran, RefusedError, Shell
from labstack.scenario.shell.words import parse

SACK, RMEM = "net.ipv4.tcp_sack", "net.ipv4.tcp_rmem"


class Machine:
    """A target that has sysctls and counters, and remembers what was set."""

    name = "lab"

    def __init__(self) -> None:
        self.values = {SACK: "1", "net.ipv4.tcp_ecn": "2", RMEM: "4096 131072 6291456"}
        self.count = {"TcpInSegs": 5, "TcpExtTCPTimeouts": 0, "TcpExtOutOfWindowIcmps": 1, "drop.tcp.csum": 3}
        self.set: list[tuple[str, str]] = []

    def sysctl(self, name: str, value: str | None = None) -> str:
        if name not in self.values:
            raise KeyError(f"no sysctl {name!r}")
        if value is not None:
            if not value or not value.replace(" ", "").isalnum():
                raise ValueError(f"{name} = {value!r}: expected a number")
            self.set.append((name, value))
            self.values[name] = value
        return self.values[name]

    def counters(self) -> dict[str, int]:
        return dict(self.count)

    def forget(self) -> None:
        pass


class Fixture:
    def __init__(self, **more: Any) -> None:
        self.machine = Machine()
        self.machine.__dict__.update(more)
        self.defaults = 0
        self.shell = Shell(self.machine, self._defaults)  # type: ignore[arg-type]

    def _defaults(self) -> None:
        self.defaults += 1

    def run(self, text: str) -> Ran:
        return self.shell.run(text)

    def refused(self, text: str) -> str:
        with pytest.raises(RefusedError) as told:
            self.shell.run(text)
        assert self.machine.set == []
        assert self.defaults == 0
        return str(told.value).removesuffix(" is not interpreted")


@pytest.fixture
def it() -> Fixture:
    return Fixture()


# sysctls


@pytest.mark.parametrize(
    "text",
    [
        f"sysctl -q {SACK}=0",
        f"sysctl -q -w {SACK}=0",
        f"sysctl -qw {SACK}=0",
        f"sysctl -e -q {SACK}=0",
        "sysctl -q net/ipv4/tcp_sack=0",
        f"/sbin/sysctl -q '{SACK}=0'",
        "echo 0 > /proc/sys/net/ipv4/tcp_sack",
        "echo 0 >/proc/sys/net/ipv4/tcp_sack 2>&1",
        "../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0",
        "python3 ./set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0",
        f"sysctl -q {SACK}=$((3 - 3))",
        f"sysctl -q {SACK}=1 {SACK}=0 # twice",
    ],
)
def test_sysctls_are_set_in_every_way_that_scripts_know(it: Fixture, text: str) -> None:
    assert it.run(text) == Ran(0, "")
    assert it.machine.values[SACK] == "0"


def test_values_of_several_numbers_are_one_word_in_quotes(it: Fixture) -> None:
    it.run(f'sysctl -q {RMEM}="4096 540000 $((15*1024*1024))"')
    assert it.machine.set == [(RMEM, "4096 540000 15728640")]


def test_sysctls_are_read(it: Fixture) -> None:
    assert it.run(f"sysctl {SACK}").output == f"{SACK} = 1\n"
    assert it.run(f"sysctl -n {SACK} {RMEM}").output == "1\n4096 131072 6291456\n"
    assert it.run("cat /proc/sys/net/ipv4/tcp_sack").output == "1\n"
    assert it.run(f"sysctl {SACK}=0").output == f"{SACK} = 0\n"


def test_a_sysctl_that_the_target_lacks_is_refused_by_name(it: Fixture) -> None:
    assert it.refused("sysctl -q net.ipv4.tcp_huh=0") == "no sysctl 'net.ipv4.tcp_huh'"
    assert "net.ipv4.tcp_huh" in it.refused(f"sysctl -q {SACK}=0 net.ipv4.tcp_huh=1")
    assert "net.ipv4.tcp_huh" in it.refused("set_sysctls.py /proc/sys/net/ipv4/tcp_huh=1")
    assert "net.ipv4.tcp_huh" in it.refused("cat /proc/sys/net/ipv4/tcp_huh")
    assert "net.ipv4.tcp_huh" in it.refused("echo 1 > /proc/sys/net/ipv4/tcp_huh")


def test_a_sysctl_may_be_missing_where_its_author_says_so(it: Fixture) -> None:
    assert it.run(f"sysctl -e -q net.ipv4.tcp_huh=0 {SACK}=0") == Ran(0, "")
    assert it.run("sysctl -q net.ipv4.tcp_huh=0 &> /dev/null || sysctl -q net.ipv4.tcp_ecn=1") == Ran(0, "")
    assert it.machine.set == [(SACK, "0"), ("net.ipv4.tcp_ecn", "1")]


def test_a_value_that_cannot_be_is_a_status(it: Fixture) -> None:
    ran = it.run(f"sysctl -q {SACK}=-")
    assert ran.status == 255
    assert "expected a number" in ran.output
    assert it.run("echo - > /proc/sys/net/ipv4/tcp_sack").status == 1
    assert it.run("set_sysctls.py /proc/sys/net/ipv4/tcp_sack=-").status == 1


def test_set_sysctls_remembers_and_the_restoring_script_restores(it: Fixture) -> None:
    it.run("../common/set_sysctls.py /proc/sys/net/ipv4/tcp_sack=0 \\\n  /proc/sys/net/ipv4/tcp_ecn=0")
    it.run("set_sysctls.py /proc/sys/net/ipv4/tcp_sack=5")
    assert it.run("/tmp/sysctl_restore_${PPID}.sh") == Ran(0, "")
    assert (it.machine.values[SACK], it.machine.values["net.ipv4.tcp_ecn"]) == ("1", "2")
    assert it.run("/tmp/sysctl_restore_$PACKETDRILL_PID.sh") == Ran(0, "")


@pytest.mark.parametrize(
    "path", ["./defaults.sh", "../../../common/defaults.sh", "defaults.sh", ". ../defaults.sh", "bash x/defaults.sh"]
)
def test_defaults_are_at_any_path(it: Fixture, path: str) -> None:
    assert it.run(path) == Ran(0, "")
    assert it.defaults == 1


# counters and files


def test_nstat_tells_what_has_changed_since_it_told_last(it: Fixture) -> None:
    assert it.run("nstat").output == f"#kernel\n{'TcpInSegs':<32}{5:<16}0.0\n{'TcpExtOutOfWindowIcmps':<32}{1:<16}0.0\n"
    it.machine.count["TcpInSegs"] = 7
    assert it.run("nstat -s").output == f"#kernel\n{'TcpInSegs':<32}{2:<16}0.0\n"
    assert it.run("nstat TcpIn*").output == f"#kernel\n{'TcpInSegs':<32}{2:<16}0.0\n"
    assert it.run("nstat").output == "#kernel\n"
    assert it.run("nstat -a TcpInSegs").output == f"#kernel\n{'TcpInSegs':<32}{7:<16}0.0\n"
    assert it.run("nstat -z TcpExtTCPTimeouts NoSuch").output.count("\n") == 3
    assert it.run("nstat -n").output == ""


def test_nstat_is_grepped_as_scripts_do(it: Fixture) -> None:
    assert it.run("nstat > /dev/null && nstat | grep TcpExtOutOfWindowIcmps > /dev/null") == Ran(1, "")
    it.machine.count["TcpExtOutOfWindowIcmps"] += 1
    assert it.run("nstat | grep TcpExtOutOfWindowIcmps > /dev/null") == Ran(0, "")
    assert it.run("nstat -az | grep -c TcpExt | cat").output == "2\n"


def test_grep_has_the_options_that_people_use(it: Fixture) -> None:
    assert it.run("echo 'abc' | grep -q b && echo yes").output == "yes\n"
    assert it.run("echo 'abc' | grep -v b || echo no").output == "no\n"
    assert it.run("echo 'abc' | grep -i B").output == "abc\n"
    assert it.run("echo 'a.c' | grep -F a.c; echo abc | grep -F a.c").output == "a.c\n"
    assert it.run("echo 'abc' | egrep 'x|b+c'").output == "abc\n"
    assert it.run("echo 'abc' | grep -e b -").output == "abc\n"
    assert it.run("grep -H 1 /proc/sys/net/ipv4/tcp_sack").output == "/proc/sys/net/ipv4/tcp_sack:1\n"


def test_many_files_take_linear_time(it: Fixture) -> None:
    assert it.run("cat" + " -" * 45_000 + " /dev/null" * 100).output == ""
    assert it.run("cat" + " /proc/sys/net/ipv4/tcp_sack" * 3).output == "1\n1\n1\n"


def test_standard_input_is_read_once_so_that_no_pipe_multiplies_it(it: Fixture) -> None:
    assert it.run("echo a | cat - - -" + " | cat - - -" * 200).output == "a\n"
    assert it.run("echo a" + " | grep -h a - /dev/stdin -" * 200).output == "a\n"


# the words of sh


@pytest.mark.parametrize(
    ("text", "ran"),
    [
        ("", Ran(0, "")),
        ("\n  # only a comment\n", Ran(0, "")),
        ("true", Ran(0, "")),
        ("false", Ran(1, "")),
        ("true && false || echo a", Ran(0, "a\n")),
        ("false && echo a; echo b", Ran(0, "b\n")),
        ("false || true && echo c", Ran(0, "c\n")),
        ("true || echo a && echo b", Ran(0, "b\n")),
        ("false\ntrue", Ran(0, "")),
        ("true; false", Ran(1, "")),
        ("echo a  b 'c  d' \"e $PPID\" f\\ g", Ran(0, "a b c  d e 1 f g\n")),
        ("echo -n a", Ran(0, "a")),
        ("echo a > /dev/null", Ran(0, "")),
        ("echo a 1>&2", Ran(0, "a\n")),
        ("echo a | cat | cat", Ran(0, "a\n")),
        ("echo a |\n cat", Ran(0, "a\n")),
        ("true &&\\\n echo a", Ran(0, "a\n")),
        ("echo $((2 * 3)) ${PACKETDRILL_PID}", Ran(0, "6 1\n")),
        ("cat < /dev/null", Ran(0, "")),
        ("> /dev/null", Ran(0, "")),
        ("ip tcp_metrics flush all > /dev/null 2>&1", Ran(0, "")),
        ("ip route flush cache", Ran(0, "")),
        ("ethtool -K tun0 tso off gso off", Ran(0, "")),
        ("tc qdisc replace dev tun0 root pfifo", Ran(0, "")),
        ("tc qdisc del dev tun0 root 2>/dev/null; tc qdisc add dev tun0 root pfifo limit 1000", Ran(0, "")),
    ],
)
def test_texts_do_what_sh_does(it: Fixture, text: str, ran: Ran) -> None:
    assert it.run(text) == ran


def test_an_error_goes_where_it_is_sent(it: Fixture) -> None:
    bad = f"sysctl -q {SACK}=-"
    assert it.run(f"{bad} 2>/dev/null") == Ran(255, "")
    assert it.run(f"{bad} > /dev/null").output != ""
    assert it.run(f"{bad} > /dev/null 2>&1") == Ran(255, "")
    assert it.run(f"{bad} &> /dev/null") == Ran(255, "")
    assert it.run(f"{bad} 2>&1 > /dev/null").output != ""
    assert it.run(f"{bad} 2>&1 | grep -c expected").output == "1\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("rm -rf /", "the command 'rm'"),
        ("/bin/rm -f x", "the command 'rm'"),
        ("curl http://x", "the command 'curl'"),
        ("sh -c 'rm x'", "the command '-c'"),
        ("bash evil.sh", "the command 'evil.sh'"),
        ("sudo rm x", "the command 'rm'"),
        ("./unknown.py", "the command 'unknown.py'"),
        ("exec rm", "the command 'exec'"),
        ("eval rm", "the command 'eval'"),
        ("echo $(rm x)", "a command within a command, $(...),"),
        ('echo "$(rm x)"', "a command within a command, $(...),"),
        ("echo $HOME", "the variable $HOME"),
        ('echo "${PATH}"', "the variable ${PATH}"),
        ("X=5", "the assignment X="),
        ("LD_PRELOAD=x echo a", "the assignment LD_PRELOAD="),
        ("if true; then echo a; fi", "'if' of the shell"),
        ("while true; do echo a; done", "'while' of the shell"),
        ("for i in 1; do echo; done", "'for' of the shell"),
        ("f() { rm x; }", "a subshell or function, (),"),
        ("(echo a)", "a subshell or function, (),"),
        ("echo a &", "running in the background (&)"),
        ("cat << E\nE", "the redirection <<"),
        ("echo a > /etc/passwd", "writing to /etc/passwd"),
        ("echo a >> x", "writing to x"),
        ("echo a &> x", "writing to x"),
        ("echo a 2> x", "writing to x"),
        ("echo a > /proc/sys/../../etc/passwd", "the sysctl ......etc.passwd"),
        ("echo 1 > /sys/module/x/parameters/y", "writing to /sys/module/x/parameters/y"),
        ("cat /etc/passwd", "reading /etc/passwd"),
        ("cat < /etc/passwd", "reading /etc/passwd"),
        ("grep root /etc/passwd", "reading /etc/passwd"),
        ("grep x /proc/net/tcp", "reading /proc/net/tcp"),
        ("grep '\\(a*\\)*b' /dev/null", "grep's pattern '\\\\(a*\\\\)*b'"),
        ("egrep '(a*)*b' /dev/null", "grep's pattern '(a*)*b'"),
        ("grep -P x", "grep -P"),
        ("grep", "grep without a pattern"),
        ("sysctl -a", "sysctl -a"),
        ("sysctl -p x", "sysctl -p"),
        ("sysctl", "sysctl without a name"),
        ("nstat -d 5", "nstat -d"),
        ("ip link set dev eth0 down", "'ip link set dev eth0 down'"),
        ("ip netns exec x rm", "'ip netns exec x rm'"),
        ("ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11",
         "'ip route change 192.0.2.1 via 192.168.0.2 dev tun0 advmss 600 mtu lock 640 initcwnd 11'"),
        ("ip route show", "'ip route show'"),
        ("tc qdisc replace dev tun0 root fq", "'tc qdisc replace dev tun0 root fq'"),
        ("tc qdisc replace dev tun0 root pfifo limit 0", "'tc qdisc replace dev tun0 root pfifo limit 0'"),
        ("tc filter add", "'tc filter add'"),
        ("ethtool -s tun0", "'ethtool -s tun0'"),
        ("ethtool -K tun0 magic on", "'ethtool -K tun0 magic on'"),
        ("route add -host 192.0.2.1 gw 192.168.0.2", "the command 'route'"),
        ("echo 'a", "a quote that does not end"),
        ('echo "a\\"', "a quote that does not end"),
        ("; echo a", "nothing before ';'"),
        ("echo a ;; echo b", "nothing before ';'"),
        ("echo a &&", "a line that ends in &&"),
        ("echo a |", "a line that ends in |"),
        ("echo a >", "> without a file"),
        ("echo $((x))", "$((x))"),
        ("echo $((10**10**10))", "$((10**10**10))"),
        ("echo $((__import__('os')))", "$((__import__('os'))"),
        ("echo $((1.5))", "$((1.5))"),
        ("echo $((1", "$(( without ))"),
        ("echo $!", "'$!'"),
        ("[ 1 = 1 ]", "the command '['"),
        ("sleep 5", "the command 'sleep'"),
        ("a" * 200_000, "a command of 200000 characters"),
    ],
)  # fmt: skip
def test_what_is_not_interpreted_is_refused_by_name_before_anything_is_done(it: Fixture, text: str, what: str) -> None:
    assert it.refused(f"sysctl -q {SACK}=0 && ./defaults.sh; {text}" if text[0] not in ";a" else text).startswith(what)


def test_a_refused_text_is_really_run_where_that_is_allowed() -> None:
    fixture = Fixture()
    fixture.shell.real = lambda text: Ran(7, text)
    assert fixture.run(f"sysctl -q {SACK}=0; uname") == Ran(7, f"sysctl -q {SACK}=0; uname")
    assert fixture.machine.set == []
    assert fixture.run("echo a") == Ran(0, "a\n")


@given(st.text(alphabet="ab=$(){}'\"\\|&;<> \n\t\f#0/`*-", max_size=40))
def test_any_text_is_done_or_refused(text: str) -> None:
    with contextlib.suppress(RefusedError):
        assert isinstance(Fixture().run(text), Ran)


@pytest.mark.parametrize(
    "text", ['"' + "\\x" * 49_000, "a" + " b" * 49_000, "'" * 99_999, "$((" * 33_000, "a|" * 40_000]
)
def test_reading_takes_time_linear_in_the_text(text: str) -> None:
    with pytest.raises(RefusedError):
        parse(text + "(", str)


# patterns


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("b", "abc", True), ("^b", "abc", False), ("^a", "abc", True), ("c$", "abc", True), ("b$", "abc", False),
        ("a.c", "abc", True), ("a.c", "ac", False), ("ab*c", "ac", True), ("ab*c", "abbc", True), ("a.*z", "ab", False),
        ("[a-c]x", "cx", True), ("[^a-c]x", "cx", False), ("[^a-c]x", "dx", True), ("[]x]", "]", True),
        ("a\\.c", "abc", False), ("a\\.c", "a.c", True), ("^$", "", True), ("^$", "a", False), ("", "a", True),
        ("x\\|b", "abc", True), ("ab\\+c", "abbc", True), ("ab\\+c", "ac", False), ("ab\\?c", "ac", True),
        ("*", "*", True), ("a+", "a+", True), ("a|b", "a|b", True), ("\\$", "$", True), (" 0A ", "st 0A x", True),
    ],
)  # fmt: skip
def test_patterns_of_grep(text: str, line: str, found: bool) -> None:
    assert pattern(text, False, False, False)(line) is found


@given(st.text("ab.*^$", max_size=8), st.text("ab", max_size=8))
def test_patterns_find_what_python_finds(text: str, line: str) -> None:
    """Where basic patterns and Python's mean the same: no star at the beginning or twice, anchors only at the ends."""
    inner = text.strip("^$").replace("^", "").replace("$", "").replace("**", "").lstrip("*")
    text = ("^" if text[:1] == "^" else "") + inner + ("$" if text[-1:] == "$" and len(text) > 1 else "")
    if "**" not in text:
        assert pattern(text, False, False, False)(line) is (re.search(text, line) is not None)


def test_a_hostile_pattern_takes_linear_time() -> None:
    assert not pattern(".*" * 90 + "x", False, False, False)("a" * 500)  # backtracking would not end


# on targets


def test_a_host_of_ours_understands_the_shell() -> None:
    calls = Calls()
    shell = Shell(calls, lambda: profiles.apply(calls, "linux"))
    assert shell.run(f"./defaults.sh && sysctl {RMEM}").output == f"{RMEM} = 4096 540000 15728640\n"
    assert shell.run("nstat -az TcpInSegs").output == f"#kernel\n{'TcpInSegs':<32}{0:<16}0.0\n"
    with pytest.raises(RefusedError, match="tcp_huh"):
        shell.run("sysctl -q net.ipv4.tcp_huh=1")


def test_a_listener_of_ours_is_in_proc_net_tcp() -> None:
    calls = Calls()
    fd = calls.socket(2, 1).result  # type: ignore[union-attr]
    calls.bind(fd, ("192.168.0.1", 8080))
    calls.listen(fd, 1)
    shell = Shell(calls, lambda: None)
    found = shell.run('grep " 0A " /proc/net/tcp /proc/net/tcp6 | grep ":1F90"')
    assert found.status == 0
    assert "0100A8C0:1F90 00000000:0000 0A" in found.output
    assert shell.run('grep " 01 " /proc/net/tcp').status == 1
    assert (
        procnet.text(calls.host.host if hasattr(calls.host, "host") else calls.host, "/proc/net/tcp6").count("\n") == 1
    )  # type: ignore[arg-type]


def test_what_the_kernel_target_can_is_asked_of_it_quoted() -> None:
    asked = []

    def inside(text: str) -> tuple[int, str]:
        asked.append(text)
        return 0, "  0: 0100A8C0:1F90 00000000:0000 0A\n"

    fixture = Fixture(shell=inside)
    text = "ip -6 route change 2001:db8::1 via fd3d::1 dev tun0 advmss 600 mtu lock 660 initcwnd 11"
    fixture.run(f"{text}; tc qdisc replace dev tun0 root fq; grep -q 0A /proc/net/tcp")
    assert asked == [text, "tc qdisc replace dev tun0 root fq", "cat /proc/net/tcp"]


@pytest.mark.parametrize(
    "text",
    [
        "ip route change '$(rm x)' via 192.168.0.2",
        "ip route change 192.0.2.1 via '192.168.0.2;rm x'",
        "ip route add 192.0.2.1 dev '-x'",
        "ip tcp_metrics flush '|rm'",
        "ip route change 192.0.2.1 mtu lock",
        "ip route change 192.0.2.1 mtu -1",
        "ip -n other route change 192.0.2.1 via 192.168.0.2",
        "ip -batch x",
        "tc qdisc replace dev '$(x)' root fq",
        "tc qdisc replace dev tun0 root fq limit x",
        "tc -n other qdisc replace dev tun0 root fq",
        "ethtool -K 'a b' tso off",
    ],
)
def test_words_that_are_no_addresses_names_or_numbers_do_not_reach_the_kernel(text: str) -> None:
    fixture = Fixture(shell=lambda text: pytest.fail(text))
    fixture.refused(text)


# the real shell


def test_real_text_runs_in_the_folder_of_the_script(tmp_path: Any) -> None:
    (tmp_path / "here.sh").write_text("echo $PACKETDRILL_PID\nexit 3\n")
    run = realshell.real_shell(Machine(), str(tmp_path / "a.pkt"))  # type: ignore[arg-type]
    ran = run("sh ./here.sh")
    assert ran.status == 3
    assert ran.output.strip().isdigit()
    assert run("echo a >&2; cat") == Ran(0, "a\n")


def test_real_text_of_the_kernel_target_runs_inside(tmp_path: Any) -> None:
    def inside(text: str, folder: str, variables: dict[str, str]) -> tuple[int, str]:
        return 5, f"{text} in {folder}, {sorted(variables)[-1] != ''}"

    run = realshell.real_shell(SimpleNamespace(shell=inside), str(tmp_path / "a.pkt"))  # type: ignore[arg-type]
    assert run("x") == Ran(5, f"x in {tmp_path}, True")
