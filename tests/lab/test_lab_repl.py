# SPDX-License-Identifier: GPL-2.0-or-later
"""The prompt: typed into by a program, through a pipe and through a terminal."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pexpect
import pyte
import pytest

from labstack.lab import repl
from labstack.lab.lab import Lab
from labstack.live.wire import NoWireError

ROOT = Path(__file__).parents[2]
START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from labstack.cli import main; sys.exit(main(sys.argv[1:]))"


class Terminal(pyte.Screen):
    """A terminal that shows what the prompt draws, and answers when it asks where the cursor is."""

    def __init__(self, env: dict[str, str], *args: str) -> None:
        super().__init__(140, 40)
        self.stream = pyte.Stream(self)
        argv = ["-c", START, str(ROOT), *args]
        self.child = pexpect.spawn(sys.executable, argv, env=env, dimensions=(40, 140), encoding="utf-8", timeout=60)

    def write_process_input(self, data: str) -> None:
        self.child.send(data)

    def until(self, words: str) -> None:
        """Read until the screen shows these words; pexpect gives up after its timeout."""
        while not any(words in line for line in self.display):
            self.child.expect(r".+")
            self.stream.feed(self.child.after)

    def type(self, keys: str, words: str) -> None:
        self.child.send(keys)
        self.until(words)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path), "TERM": "xterm-256color"}


def piped(env: dict[str, str], *lines: str, args: tuple[str, ...] = ()) -> str:
    """What the prompt says to these lines."""
    argv = [sys.executable, "-c", START, str(ROOT), *args]
    typed = "\n".join(lines)
    done = subprocess.run(argv, input=typed, capture_output=True, text=True, timeout=120, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_banner_names_the_hosts_the_wire_and_scapys_interface(env: dict[str, str]) -> None:
    out = piped(env, args=("--hosts", "3", "--seed", "7"))
    assert "virtual time, seed 7" in out
    assert "h3 10.0.0.3 fd00::3 02:00:00:00:00:03" in out
    assert "Scapy iface: lab0" in out


def test_bare_words_magics_and_calls_are_the_same_verbs(env: dict[str, str]) -> None:
    out = piped(env, "h1.ping(h2.ip)", "step", "%step", "step(1)[0].host", "back 3; where", "x = step(2)", "len(x)")
    assert "called ping 10.0.0.2" in out
    assert out.count("ARP who-has 10.0.0.2 tell 10.0.0.1") >= 2
    assert "'h1'" in out
    assert "event #0 (of 3 known)" in out
    assert "Out[7]: 2" in out


BEGUN = ["srv = h2.listen(80); h1.ping(h2.ip); h1.connect(h2.ip, 80).send(b'x'); lab.run()"]


@pytest.mark.parametrize(
    ("page", "first", "before"), [("README.md", 0, BEGUN), ("docs/repl.md", 1, []), ("docs/scapy.md", 0, [])]
)
def test_what_a_page_shows_works_as_shown(env: dict[str, str], page: str, first: int, before: list[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    shown = [line for block in blocks[first:] for line in block.splitlines()]
    out = piped(env, *before, *(f"{line}\n" if line.startswith("for ") else line for line in shown), "'to the ' 'end'")
    assert "✗" not in out
    assert "Error" not in out
    assert "'to the end'" in out


def test_tab_knows_hosts_settings_and_counters(env: dict[str, str]) -> None:
    asked = ("ss h", "sysctl h1 net.ipv4.tcp_congestion", "nstat Arp")
    lines = [f"get_ipython().complete(None, {line!r}, {len(line)})[1]" for line in asked]
    out = piped(env, "h1.ping(h2.ip); step", *lines)
    for found in (["h1", "h2"], ["net.ipv4.tcp_congestion_control"], ["ArpOutPackets"]):
        assert f": {found}\n" in out


def test_only_the_users_own_names_are_listed(env: dict[str, str]) -> None:
    out = piped(env, "mine = 5", "%who")
    assert "mine" in out
    assert "ICMP" not in out


def test_ipythons_run_is_its_own_and_debuggers_words_are_hints(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("print('mine', 6 * 7)")
    out = piped(env, f"%run {tmp_path}/mine.py", "break", "b 3", "n", "n = 5", "n", "h2.listen(80)", "run", "ss -tl")
    assert "mine 42" in out
    assert out.count("✗ there are no breakpoints: `until EXPR`") == 2
    assert out.count("✗ `step` does the next event anywhere") == 1
    assert "called listen on port 80" in out
    assert "Netid" in out
    assert "Error" not in out


def test_python_keeps_its_words(env: dict[str, str]) -> None:
    out = piped(env, "for i in range(3): continue", "i", "c = 5", "c", "next(iter([42]))")
    assert ": 2\n" in out
    assert ": 5\n" in out
    assert ": 42\n" in out


def test_mistakes_are_one_line_each_and_no_traceback(env: dict[str, str]) -> None:
    verbs = ["step many", "why 7", "ss h9", "inject nonsense", "enter nowhere", "advance 10", "until 1/0"]
    lines = [*verbs, "h1.connect('x', 80)"]
    out = piped(env, *lines, "h2.listen(80).accept()")
    assert "Traceback" not in out
    assert out.count("✗") == len(lines) + 1


OPTION = ["c = h1.connect(h2.ip, 80); step", "c.setopt('cwnd', 1)"]


def test_what_a_typed_line_has_wrong_itself_needs_no_traceback(env: dict[str, str]) -> None:
    out = piped(env, "stpe 3", "step; foo", "h1.pong(h2.ip)", "h1.connect(h2.ip)", "step(1, 2)", "h1.arp()", *OPTION)
    assert "✗ 'stpe' is no verb, and nothing here has that name; did you mean step?" in out
    assert "✗ NameError: name 'foo' is not defined" in out
    assert "✗ AttributeError: 'Host' object has no attribute 'pong'; did you mean ping?" in out
    assert "✗ TypeError: Host.connect() missing 1 required positional argument: 'dport'; a ? behind its name" in out
    assert "✗ step: too many positional arguments; typed as a word: step [n]" in out
    assert "✗ TypeError: 'Neighbours' object is not callable; without brackets it is there already" in out
    assert "✗ [Errno 92] ENOPROTOOPT: no option 'cwnd'; there are nodelay, " in out
    assert "Traceback" not in out


def test_an_error_deeper_down_keeps_its_traceback(env: dict[str, str]) -> None:
    out = piped(env, "f = lambda: foo", "f()")
    assert "Traceback" in out
    assert "<lambda>" in out


def test_help_lists_the_verbs(env: dict[str, str]) -> None:
    out = piped(env, "help", "help ip neigh")
    assert "undo the last event, completely" in out
    assert out.count("all neighbours, as `ip neigh`") == 2
    assert piped(env, "verbs  # all of them").count("undo the last event") == 1


def test_a_fork_is_entered_and_the_way_back_is_known(env: dict[str, str]) -> None:
    out = piped(env, "fork other", "h1.ping(h2.ip)", "continue", "diff main", "enter main", "where")
    assert "world other" in out
    assert "first difference: event #1" in out
    assert "event #0  world main" in out


def test_the_hosts_names_follow_the_lab(env: dict[str, str]) -> None:
    out = piped(env, "lab = Lab(hosts=3)", "h3.ping(h1.ip)", "continue", "h3.arp")
    assert "10.0.0.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE" in out


def test_the_hosts_names_follow_within_a_line(env: dict[str, str]) -> None:
    out = piped(env, "lab = Lab(hosts=3); h3.ping(h1.ip); step")
    assert "called ping 10.0.0.1" in out


def test_scapys_names_are_there_and_speak_to_the_hosts(env: dict[str, str]) -> None:
    out = piped(env, "sr1(IP(dst=h2.ip)/ICMP(), timeout=5, verbose=0).src", "IPv6(dst=h2.ip6)/TCP()", "verbs")
    assert "'10.0.0.2'" in out
    assert "<IPv6" in out
    assert "continue" in out


def test_keys_step_back_and_go_on_in_a_terminal_with_a_toolbar(env: dict[str, str]) -> None:
    terminal = Terminal(env)
    terminal.until("event #0/0")  # the toolbar
    terminal.type('h1.ping("10.0.0.2")\r', "queued")
    terminal.type("\x1b[19~", "event #1/1")  # F8
    terminal.type("\x1b[15~", "event #5/5")  # F5
    terminal.type("\x1b[18~", "event #4/5")  # F7
    terminal.child.send("exit\r")
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0


def test_no_color_is_honoured(env: dict[str, str]) -> None:
    def colours(more: dict[str, str]) -> int:
        script = (
            "import sys; sys.path.insert(0, sys.argv[1]); sys.stdout.isatty = lambda: True\n"
            "from labstack.lab.demo import story; from labstack.lab.repl import show; show(story()[0].ladder())"
        )
        argv = [sys.executable, "-c", script, str(ROOT)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env | more, check=True)
        return done.stdout.count("\x1b[3") + done.stdout.count("\x1b[4")

    forced = {"FORCE_COLOR": "1", "COLUMNS": "150"}
    assert colours(forced) > 0
    assert colours({**forced, "NO_COLOR": "1"}) == 0


def test_load_ext_brings_the_lab_into_any_ipython(env: dict[str, str]) -> None:
    argv = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", "--colors=NoColor"]
    lines = "%load_ext labstack\nh1.ping(h2.ip)\nstep 2\nlab.now\n"
    more = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=120, env=env | more, check=False)
    assert "ARP 10.0.0.2 is-at" in done.stdout, done.stderr
    assert "10000000" in done.stdout


def test_while_the_prompt_waits_only_a_lab_on_a_tap_is_served() -> None:
    served: list[int] = []
    read, write = os.pipe()
    os.write(write, b"x")  # the user typed
    history = SimpleNamespace(serve=lambda over, fd: served.append(fd))
    repl.wait(SimpleNamespace(kind="memory"), lambda: True, read)  # type: ignore[arg-type]
    assert served == []
    repl.wait(SimpleNamespace(kind="tap", history=history), lambda: True, read)  # type: ignore[arg-type]
    assert served == [read]
    os.close(read)
    os.close(write)


@pytest.mark.live
def test_the_prompt_goes_from_a_tap_to_memory_and_back(env: dict[str, str]) -> None:
    try:
        Lab(wire="tap").close()
    except NoWireError as error:
        pytest.skip(f"no TAP to be had here: {error}")
    terminal = Terminal(env, "--wire", "tap")
    terminal.until("or in another shell: nsenter ")
    terminal.type("first = lab.history.host.wire; lab = Lab()\r", "event #0/0")
    terminal.type("h1.ping(h2.ip); step\r", "event #1/1")
    terminal.type("'kernel' in dir() or first.device.fd\r", "-1")
    terminal.type("lab = Lab(wire='tap')\r", "In [5]")
    ask = "p = lab.history.host.wire.popen(['ping', '-c1', h1.ip])"  # answered while the prompt waits, or never
    terminal.type(ask + "\r", "1 received")
    terminal.child.send("exit\r")
    terminal.child.expect(pexpect.EOF)


def test_no_colour_where_nobody_wants_it(env: dict[str, str]) -> None:
    out = piped({**env, "NO_COLOR": "1"}, "1/0", "ladder")
    assert "ZeroDivisionError" in out
    assert "\x1b[" not in out
