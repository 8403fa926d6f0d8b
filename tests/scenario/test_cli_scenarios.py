# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack run` and `labstack rfc` from the command line: what they print, and their exit status."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labstack import cli
from labstack.scenario import command

ROOT = Path(__file__).parent.parent.parent
GOOD = "// covers: MUST-10\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n"
BAD = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+.1 close(3) = -1 EBADF (Bad file descriptor)\n"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a scenario of each kind, in which the command runs."""
    texts = {"good.pkt": GOOD, "bad.pkt": BAD, "known.pkt": f"// xfail lab: we know\n{BAD}", "unread.pkt": "what"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> int:
    return cli.main(["run", *words])


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["good.pkt"], 0),
        (["good.pkt", "known.pkt"], 0),
        (["bad.pkt"], 1),
        (["good.pkt", "bad.pkt"], 1),
        (["unread.pkt"], 1),
        (["."], 1),
        ([".", "-k", "good or known"], 0),
        (["nowhere.pkt"], 2),
        ([".", "-k", "nothing"], 2),
        ([".", "-k", "a b"], 2),
        (["good.pkt", "--at", "99"], 2),
        ([".", "--at", "1"], 2),
    ],
)
def test_the_exit_status_says_how_it_went(words: list[str], status: int, capsys: Capture) -> None:
    assert run(*words) == status
    if status == 2:
        err = capsys.readouterr().err
        assert err.startswith("labstack: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["x.pkt", "--target", "bsd"],
        ["x.pkt", "-j", "0"],
        ["x.pkt", "-D", "novalue"],
        ["x.pkt", "--ip-version", "ipv5"],
    ],
)
def test_a_wrong_command_line_is_status_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(*words)
    assert left.value.code == 2


def test_a_failure_is_told_whole(capsys: Capture, folder: Path) -> None:
    run("bad.pkt")
    out = capsys.readouterr().out
    for words in ("bad.pkt:2  lab ipv4", "  ▸   2 │ +.1 close(3)", "expected  actual", "● close(3) = 0", "sockets",
                  "go there: labstack run bad.pkt --at 2", "1 fail in"):  # fmt: skip
        assert words in out
    assert Path(folder / ".labstack" / "bad-lab-ipv4.pcapng").exists()


def test_json_is_all_that_is_printed(capsys: Capture) -> None:
    assert run(".", "--json") == 1
    rows = json.loads(capsys.readouterr().out)
    assert [(row["file"], row["verdict"], row["line"]) for row in rows] == [
        ("./bad.pkt", "fail", 2),
        ("./good.pkt", "pass", 0),
        ("./known.pkt", "xfail", 3),
        ("./unread.pkt", "error", 1),
    ]
    assert all(list(row) == ["file", "target", "ip", "verdict", "reason", "line", "ms"] for row in rows)


def test_tap_is_all_that_is_printed(capsys: Capture) -> None:
    assert run(".", "--tap") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["TAP version 13", "1..4"]
    assert [line for line in lines[2:] if not line.startswith("  ")] == [
        "not ok 1 - ./bad.pkt lab ipv4",
        "ok 2 - ./good.pkt lab ipv4",
        "not ok 3 - ./known.pkt lab ipv4 # TODO we know",
        "not ok 4 - ./unread.pkt lab ipv4",
    ]


def test_every_family_is_run_where_all_are_wanted(capsys: Capture) -> None:
    assert run("good.pkt", "--ip-version", "all", "--json") == 0
    assert [row["ip"] for row in json.loads(capsys.readouterr().out)] == ["ipv4", "ipv6", "ipv4-mapped-ipv6"]


def test_processes_change_nothing(capsys: Capture) -> None:
    def without_times(*words: str) -> list[dict[str, object]]:
        run(".", "--json", *words)
        return [{**row, "ms": 0} for row in json.loads(capsys.readouterr().out)]

    assert without_times("-j", "2") == without_times()


def test_a_definition_reaches_the_script(folder: Path) -> None:
    (folder / "word.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(FD) = 0\n")
    assert run("word.pkt", "-D", "FD=3") == 0
    assert run("word.pkt", "-D", "FD=4") == 1


def test_an_interrupt_prints_the_summary_so_far(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    real = command.run_all

    def interrupted(*args: object) -> object:
        yield next(iter(real(*args)))  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_all", interrupted)
    assert run(".") == 130
    assert "1 fail, 3 not run in" in capsys.readouterr().out


def test_ctrl_c_ends_processes_too(folder: Path) -> None:
    for n in range(60):
        (folder / f"slow{n}.pkt").write_text(GOOD + "+0 `sleep 0.2`\n")
    whole = [sys.executable, "-m", "labstack", "run", ".", "-j", "2", "--allow-shell", "--tap"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(whole, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True) as running:
        assert running.stdout is not None
        while not running.stdout.readline().startswith(("ok", "not ok")):
            pass
        os.killpg(running.pid, signal.SIGINT)
        running.stdout.read()
        assert running.wait(30) == 130


def test_a_table_in_a_page_is_made_anew(folder: Path, capsys: Capture) -> None:
    page = folder / "page.md"
    page.write_text("before\n<!-- labstack corpus -->\nstale\n<!-- end corpus -->\nafter\n")
    assert run(".", "--write", "page.md#corpus") == 1
    text = page.read_text()
    assert text.startswith("before\n<!-- labstack corpus -->\n\n| target | family | scenarios | pass | fail |")
    assert "| lab | ipv4 | 4 | 1 | 1 | 1 | 1 |" in text
    assert "| pass | lab ipv4 |\n| --- | --- |\n| . | 1 of 4 |" in text
    assert "| bad.pkt:2 | lab | ipv4 | fail | close(): expected -1 EBADF, got 0 |" in text
    assert text.endswith("\n\n<!-- end corpus -->\nafter\n")
    assert "stale" not in text
    assert run("good.pkt", "--write", "page.md#other") == 2
    assert "no place for a table" in capsys.readouterr().err


# rfc


def rfc(*words: str) -> int:
    return cli.main(["rfc", *words, "--paths", "good.pkt", "known.pkt"])


def test_the_matrix_says_which_scenario_tests_what(capsys: Capture) -> None:
    assert rfc("9293") == 0
    lines = capsys.readouterr().out.splitlines()
    [row] = [line.split() for line in lines if line.startswith("MUST-10 ")]
    assert row[:6] == ["MUST-10", "MUST", "W", "9293", "§3.5", "pass"]
    assert lines[-1].split()[:2] == ["all", "119"]


def test_the_matrix_for_programs_and_for_pages(capsys: Capture) -> None:
    assert rfc("MUST-10", "--json") == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["scenarios"] == [{"file": "good.pkt", "verdicts": {"lab": "pass"}}]
    assert rfc("MUST-10", "--md") == 0
    assert "| good.pkt | pass |" in capsys.readouterr().out
    assert rfc("--html") == 0
    assert capsys.readouterr().out.startswith("<!doctype html>")


def test_an_unknown_requirement_is_status_2(capsys: Capture) -> None:
    assert rfc("MUST-999") == 2
    assert "no requirement 'MUST-999'" in capsys.readouterr().err


def test_rules_that_nobody_reached(capsys: Capture) -> None:
    assert rfc("--rules") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.split()[3:5] == ["rules", "reached,"]


def test_the_tables_of_a_page_are_made_anew(folder: Path) -> None:
    (folder / "page.md").write_text("<!-- labstack summary -->\n<!-- end summary -->\n")
    assert rfc("--write", "page.md") == 0
    assert "| level | requirements |" in (folder / "page.md").read_text()


def test_our_own_scenarios_are_found_in_the_tree() -> None:
    assert Path(command.own()).samefile(ROOT / "scenarios")


@pytest.mark.parametrize("words", [["run"], ["rfc"]])
def test_every_command_explains_itself_with_examples(words: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*words, "--help"])
    assert left.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_what_cannot_be_read_is_told_with_its_line_and_column(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "typo.pkt").write_text("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 < S 0:0(0) wim 100\n")
    assert run(str(tmp_path / "typo.pkt")) == 1
    assert "typo.pkt:2:15  lab ipv4  found 'wim', expected" in capsys.readouterr().out
