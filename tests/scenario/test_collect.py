# SPDX-License-Identifier: GPL-2.0-or-later
"""Which scenarios there are, where they run, and what is made of how it went. What runs them is a fake here."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from labstack.lab.errors import LabError
from labstack.packetdrill.script import Place, RefusedError, ScriptError
from labstack.scenario import collect, kinds, many
from labstack.scenario.collect import Case, chooser
from labstack.scenario.kinds import NoTargetError, Played, Ready
from labstack.scenario.settings import IP_VERSIONS, Settings
from labstack.scenario.verdict import Failure, Outcome

TINY = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"


def write(folder: Path, *names: str, text: str = TINY) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# what there is


def test_folders_are_searched_whole_and_in_order(tmp_path: Path) -> None:
    write(tmp_path, "b/z.pkt", "b/a.pkt", "a.pkt", "scenario_x.py", "other.py", "b/notes.txt", ".hidden/x.pkt")
    write(tmp_path, "b/__pycache__/scenario_x.py")
    found = collect.find([str(tmp_path)])
    assert [str(Path(it).relative_to(tmp_path)) for it in found] == ["a.pkt", "scenario_x.py", "b/a.pkt", "b/z.pkt"]


def test_a_path_given_twice_is_there_once(tmp_path: Path) -> None:
    write(tmp_path, "a.pkt")
    assert len(collect.find([str(tmp_path), str(tmp_path / "a.pkt")])) == 1


@pytest.mark.parametrize(
    ("path", "says"),
    [("nowhere", "there is no"), ("empty", "no scenario"), ("x.txt", "no scenario"), ("empty::x", "no scenario")],
)
def test_a_path_without_scenarios_is_a_mistake(tmp_path: Path, path: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(LabError, match=says):
        collect.find([str(tmp_path / path)])


def test_a_script_has_no_scenarios_with_names(tmp_path: Path) -> None:
    (tmp_path / "a.pkt").write_text(TINY)
    with pytest.raises(LabError, match=r"a\.pkt' is one scenario, and has none of the name 'x'"):
        collect.cases(collect.find([f"{tmp_path}/a.pkt::x"]), ["lab"], ())


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ("", ["tcp/close.pkt", "tcp/sack.pkt", "udp/close.pkt"]),
        ("close", ["tcp/close.pkt", "udp/close.pkt"]),
        ("CLOSE and not tcp", ["udp/close.pkt"]),
        ("sack or udp", ["tcp/sack.pkt", "udp/close.pkt"]),
        ("not (sack or udp)", ["tcp/close.pkt"]),
        ("tcp/close.pkt", ["tcp/close.pkt"]),
        ("not not udp", ["udp/close.pkt"]),
        ("sack or close and udp", ["tcp/sack.pkt", "udp/close.pkt"]),
    ],
)
def test_words_choose_by_name(words: str, chosen: list[str]) -> None:
    wanted = chooser(words)
    assert [it for it in ("tcp/close.pkt", "tcp/sack.pkt", "udp/close.pkt") if wanted(it)] == chosen


@pytest.mark.parametrize("words", ["a b", "and", "(a", "a)", "not", "()", "a and", "a or or b", "or a"])
def test_words_that_make_no_sense_are_a_mistake(words: str) -> None:
    with pytest.raises(LabError, match="expected words with and, or, not"):
        chooser(words)


@pytest.mark.parametrize(
    ("name", "text", "ips"),
    [
        ("a.pkt", TINY, IP_VERSIONS),
        ("a-v4.pkt", TINY, ("ipv4", "ipv4-mapped-ipv6")),
        ("a-v6.pkt", TINY, ("ipv6",)),
        ("a.pkt", f"// ip: ipv6\n{TINY}", ("ipv6",)),
        ("a.pkt", f"--ip_version=ipv4\n{TINY}", ("ipv4",)),
        ("a.pkt", f"--local_ip=192.0.2.7\n{TINY}", ("ipv4", "ipv4-mapped-ipv6")),
        ("a.pkt", f"--remote_ip=fd00::7\n{TINY}", ("ipv6",)),
        ("a.pkt", f"--remote_ip=192.0.2.7\n--local_ip=fd00::7\n{TINY}", IP_VERSIONS),
        ("a.pkt", "this is no script", IP_VERSIONS),
        ("v6.pkt", "nor is this", ("ipv6",)),
    ],
)
def test_a_scenario_has_its_families(tmp_path: Path, name: str, text: str, ips: tuple[str, ...]) -> None:
    write(tmp_path, name, text=text)
    assert kinds.scenarios(str(tmp_path / name))[0].ips == ips


def test_cases_are_every_target_in_every_family_in_which_a_scenario_runs(tmp_path: Path) -> None:
    write(tmp_path, "a-v6.pkt", "b.pkt")
    files = collect.find([str(tmp_path)])

    def made(ips: Sequence[str]) -> list[tuple[str, str, str]]:
        return [(Path(it.file).name, it.target, it.ip) for it in collect.cases(files, ["lab", "kernel"], ips)]

    assert made(()) == [
        ("a-v6.pkt", "lab", "ipv6"),
        ("a-v6.pkt", "kernel", "ipv6"),
        ("b.pkt", "lab", "ipv4"),
        ("b.pkt", "kernel", "ipv4"),
    ]
    assert made(["ipv4"]) == [("b.pkt", "lab", "ipv4"), ("b.pkt", "kernel", "ipv4")]


# Python scenarios


PYTHON = """
from labstack.scenario.play.scenario import scenario

@scenario(covers="UDP-1 MUST-10", ip="ipv4 ipv6")
def talks(t):
    c = t.accepts(80)
    c.send(b"hello")
    c.expect(flags="A", ack=6)

@scenario(ip="ipv6")
def differs(t):
    c = t.accepts(80)
    c.send(b"hello")
    c.expect(flags="A", ack=7)

@scenario(ip="ipv4", wait="a miracle")
def waits(t):
    t.check(False, "there is one")

@scenario(hosts=2, ip="ipv4")
def several(lab):
    lab.h2.listen(80)
    c = lab.h1.connect(lab.h2.ip, 80)
    lab.run()
    assert c.state == "CLOSED"
"""


@pytest.fixture
def python(tmp_path: Path) -> str:
    write(tmp_path, "scenario_it.py", text=PYTHON)
    return str(tmp_path / "scenario_it.py")


def test_every_function_of_a_python_file_is_a_scenario(python: str) -> None:
    found = collect.cases([python], ["lab"], ["ipv4", "ipv6"])
    assert [(case.file.partition("::")[2], case.ip) for case in found] == [
        ("talks", "ipv4"),
        ("talks", "ipv6"),
        ("differs", "ipv6"),
        ("waits", "ipv4"),
        ("several", "ipv4"),
    ]


def test_one_function_can_be_named(python: str) -> None:
    files = collect.find([f"{python}::differs"])
    assert [it.file for it in collect.cases(files, ["lab"], ())] == [f"{python}::differs"]
    with pytest.raises(LabError, match="there is no scenario 'nothing'"):
        collect.cases([f"{python}::nothing"], ["lab"], ())


def test_a_function_has_outcomes_as_a_script_has(python: str) -> None:
    talks = collect.run(f"{python}::talks")
    assert (talks.verdict, talks.covers) == ("pass", ("UDP-1", "MUST-10"))
    assert "9293/3.10.7.2/syn" in talks.rules
    differs = collect.run(f"{python}::differs", "lab", "ipv6")
    assert (differs.verdict, differs.line) == ("fail", 14)
    assert differs.evidence is not None
    assert differs.evidence.n > 0
    assert collect.run(f"{python}::waits")[3:5] == ("xfail", "waits for a miracle")
    assert collect.run(f"{python}::talks", "lab", "ipv4-mapped-ipv6")[3:5] == ("skip", "only for ipv4 and ipv6")


def test_a_scenario_of_several_hosts_has_their_ladder(python: str) -> None:
    several = collect.run(f"{python}::several")
    assert (several.verdict, several.line) == ("fail", 25)
    assert several.evidence is not None
    assert "".join(span.text for span in several.evidence.ladder[0]).split() == ["#", "t", "(ms)", "h1", "h2", "why"]
    assert collect.run(f"{python}::several", "kernel")[3:5] == ("skip", "only for lab")


def test_a_python_file_that_cannot_be_read_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "scenario_bad.py", text="x = 1\nnonsense here\n")
    [case] = collect.cases(collect.find([str(tmp_path)]), ["lab"], ())
    found = collect.run(*case)
    assert (found.verdict, found.line) == ("error", 2)


def test_a_file_that_is_no_text_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "noise.pkt").write_bytes(b"0 \xff\x9e")
    found = collect.run(str(tmp_path / "noise.pkt"))
    assert (found.verdict, found.line, found.reason) == ("error", 1, "found bytes that are no UTF-8 text, at byte 2")


def test_a_byte_order_mark_is_no_part_of_a_script(tmp_path: Path) -> None:
    (tmp_path / "marked.pkt").write_bytes(b"\xef\xbb\xbf" + TINY.encode())
    assert collect.run(str(tmp_path / "marked.pkt")).verdict == "pass"


def test_a_script_with_too_many_events_is_stopped_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "long.pkt", text=TINY + "+0 getsockname(3, ..., ...) = 0\n" * 50)
    found = collect.run(str(tmp_path / "long.pkt"), settings=Settings(events=20))
    assert (found.verdict, found.failure.kind if found.failure else "") == ("fail", "endless")
    assert found.line > 1


# what becomes of it


FAILURE = Failure(Place("a.pkt", 7, 1), "packet", "the ack differs")
Fake = Callable[..., list[str]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a scenario in the place of every file; returns the list of targets on which it was played."""

    def install(
        *plays: Failure | Exception | None,
        expected: str = "",
        targets: tuple[str, ...] = ("lab", "kernel"),
        ips: tuple[str, ...] = IP_VERSIONS,
        held_up: int = 0,
    ) -> list[str]:
        left, played = list(plays), []

        def play(target: str) -> Played:
            played.append(target)
            now = left.pop(0)
            if isinstance(now, Exception):
                raise now
            return Played(now, frozenset({"a/rule"}), held_up=held_up)

        said = {"lab": expected} if expected else {}
        monkeypatch.setattr(kinds, "ready", lambda file, settings: Ready(("MUST-1",), targets, ips, said, play))
        return played

    return install


def test_a_pass_has_rules_and_requirements(fake: Fake) -> None:
    fake(None)
    found = collect.run("a.pkt", "lab", "ipv6")
    assert (found.verdict, found.reason, found.line, found.ip) == ("pass", "", 0, "ipv6")
    assert (found.rules, found.covers) == (frozenset({"a/rule"}), ("MUST-1",))
    assert found.ms > 0


def test_a_failure_has_its_line_and_reason(fake: Fake) -> None:
    fake(FAILURE)
    found = collect.run("a.pkt")
    assert (found.verdict, found.reason, found.line, found.failure) == ("fail", "the ack differs", 7, FAILURE)


@pytest.mark.parametrize(
    ("play", "expected", "verdict", "reason"),
    [
        (FAILURE, "waits for SACK", "xfail", "waits for SACK"),
        (None, "waits for SACK", "xpass", "passed, though it is said to fail: waits for SACK"),
        (FAILURE._replace(kind="refused"), "", "refused", "the ack differs"),
        (FAILURE._replace(kind="refused"), "waits for SACK", "xfail", "waits for SACK"),
        (FAILURE._replace(kind="endless"), "", "fail", "the ack differs"),
        (FAILURE._replace(kind="crash"), "waits for SACK", "error", "the ack differs"),
    ],
)
def test_what_was_expected_decides(fake: Fake, play: Failure | None, expected: str, verdict: str, reason: str) -> None:
    fake(play, expected=expected)
    found = collect.run("a.pkt")
    assert (found.verdict, found.reason) == (verdict, reason)


def test_an_expectation_is_of_one_target(fake: Fake) -> None:
    fake(FAILURE, expected="not yet")
    assert collect.run("a.pkt", "kernel").verdict == "fail"


def test_where_it_does_not_apply_it_is_skipped_and_not_played(fake: Fake) -> None:
    played = fake(targets=("lab",), ips=("ipv6",))
    assert [collect.run("a.pkt", *where)[3:5] for where in (("kernel", "ipv6"), ("lab", "ipv4"))] == [
        ("skip", "only for lab"),
        ("skip", "only for ipv6"),
    ]
    assert played == []


def test_a_target_that_is_not_to_be_had_is_a_skip_with_the_reason(fake: Fake) -> None:
    fake(NoTargetError("no user namespaces here"))
    assert collect.run("a.pkt", "kernel")[3:5] == ("skip", "no user namespaces here")


@pytest.mark.parametrize("error", [KeyError(1), RecursionError("deep"), OSError(2, "No such file")])
def test_whatever_is_raised_is_an_outcome_with_its_traceback(fake: Fake, error: Exception) -> None:
    fake(error)
    found = collect.run("a.pkt")
    assert found.verdict == "error"
    assert found.reason.startswith(type(error).__name__)
    assert found.failure is not None
    assert "Traceback" in found.failure.why


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(ScriptError(Place("a.pkt", 3, 9), "found x"), "error"), (RefusedError(Place("a.pkt", 3, 9), "mpls"), "refused")],
)
def test_a_script_that_cannot_be_read_has_the_line(fake: Fake, error: ScriptError, verdict: str) -> None:
    fake(error)
    found = collect.run("a.pkt")
    assert (found.verdict, found.line, found.reason) == (verdict, 3, error.why)


LATE = FAILURE._replace(kind="late", why="20 ms late")


def test_on_the_kernel_a_failure_of_time_alone_is_tried_again_and_told(fake: Fake) -> None:
    played = fake(LATE, LATE._replace(kind="early", why="5 ms early"), None)
    found = collect.run("a.pkt", "kernel")
    assert (found.verdict, found.reason) == ("pass", "attempt 3; before that: 20 ms late; 5 ms early")
    assert played == ["kernel"] * 3


def test_it_is_tried_five_times_and_no_more(fake: Fake) -> None:
    played = fake(*[LATE] * 5)
    assert collect.run("a.pkt", "kernel").verdict == "fail"
    assert len(played) == 5


def test_on_the_kernel_any_failure_is_tried_again_if_the_machine_had_no_time_for_it(fake: Fake) -> None:
    played = fake(FAILURE, None, held_up=20_000_000)
    found = collect.run("a.pkt", "kernel")
    assert (found.verdict, found.reason, len(played)) == ("pass", "attempt 2; before that: the ack differs", 2)


@pytest.mark.parametrize(("target", "failure"), [("lab", LATE), ("kernel", FAILURE)])
def test_nothing_else_is_tried_again(fake: Fake, target: str, failure: Failure) -> None:
    played = fake(failure)
    assert collect.run("a.pkt", target).verdict == "fail"
    assert played == [target]


# many


def test_outcomes_come_in_the_order_of_the_cases_whatever_the_processes(tmp_path: Path) -> None:
    write(tmp_path, *(f"{n}.pkt" for n in range(10)), text="no script")
    cases = collect.cases(collect.find([str(tmp_path)]), ["lab"], ())
    one, two = (list(many.run_all(cases, Settings(), n)) for n in (1, 2))
    assert [it.file for it in two] == [it.file for it in cases]
    assert [it._replace(ms=0.0) for it in one] == [it._replace(ms=0.0) for it in two]


def test_few_cases_and_the_kernel_are_run_in_one_process_unless_told_otherwise() -> None:
    few, kernel = [Case("a.pkt", "lab", "ipv4")] * 3, [Case("a.pkt", "kernel", "ipv4")] * 500
    assert [many.jobs(few), many.jobs(kernel), many.jobs(few, 8), many.jobs(few, 2), many.jobs([])] == [1, 1, 3, 2, 1]


def test_a_bar_on_a_terminal_changes_nothing_of_the_outcomes() -> None:
    outcomes = [Outcome("a.pkt", "lab", "ipv4", verdict) for verdict in ("pass", "fail")]
    assert list(many.watched(iter(outcomes), 2, True)) == outcomes


def test_a_process_that_dies_costs_its_own_case_only(tmp_path: Path) -> None:
    text = "import os, signal\nfrom labstack.scenario import scenario\n\n@scenario(ip='ipv4')\ndef it(t):\n    {}\n"
    for n in range(6):
        write(
            tmp_path, f"scenario_{n}.py", text=text.format("os.kill(os.getpid(), signal.SIGKILL)" if n == 2 else "pass")
        )
    cases = collect.cases(collect.find([str(tmp_path)]), ["lab"], ())
    found = list(many.run_all(cases, Settings(), 2))
    assert [it.verdict for it in found] == ["pass", "pass", "error", "pass", "pass", "pass"]
    assert found[2].reason == "the process that ran it died (SIGKILL)"
