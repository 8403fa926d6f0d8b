# SPDX-License-Identifier: GPL-2.0-or-later
"""The `labstack` command line: help everywhere, clear errors, exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from labstack import __version__, cli

ROOT = Path(__file__).parent.parent


def command(*argv: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """`python -m labstack ...` in a process of its own."""
    whole = [sys.executable, "-W", "error", "-m", "labstack", *argv]
    return subprocess.run(whole, input=stdin, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


@pytest.mark.parametrize("words", [[], ["demo"], ["doctor"], ["bench"]])
def test_every_command_explains_itself_with_examples(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*words, "--help"])
    assert left.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out.strip() == f"labstack {__version__}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nonsense"], "invalid choice"),
        (["bench"], "required: {layers,"),
        (["fuzz"], "required: {tcp}"),
        (["bench", "nonsense"], "invalid choice"),
        (["bench", "sim", "--rounds", "0"], "not a number of 1 or more"),
        (["--hosts", "many"], "not a number of 1 or more"),
        (["--wire", "pigeon"], "invalid choice"),
    ],
)
def test_a_wrong_command_line_is_status_2_and_says_what(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert left.value.code == 2
    assert says in capsys.readouterr().err


def test_what_cannot_be_done_is_status_1_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--hosts", "1"]) == 1
    assert capsys.readouterr().err == "labstack: hosts=1: expected 2 to 250\n"


def test_no_tap_is_doctors_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from labstack.lab import demo_tap
    from labstack.live.doctor import namespace_check, render
    from labstack.live.namespace import StepError
    from labstack.live.wire import NoWireError

    def refuse(*_: object, **__: object) -> None:
        found = namespace_check(True, StepError("uid_map", 1, "Operation not permitted"))
        raise NoWireError(95, render([found]))

    monkeypatch.setattr(demo_tap, "up", refuse)
    assert cli.main(["demo", "--tap"]) == 1
    err = capsys.readouterr().err
    assert "AppArmor" in err
    assert "Traceback" not in err


def test_doctor_names_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    for way in ("memory wire", "user namespace", "net namespace", "tap, owned", "capture tools"):
        assert way in out


def test_the_demo_leaves_when_nobody_can_type() -> None:
    done = command("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert "TIME_WAIT" in done.stdout
    assert "In [" not in done.stdout


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    whole = f"{sys.executable} -m labstack demo | head -1"
    done = subprocess.run(whole, shell=True, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.stderr == ""


def test_bench_prints_rows_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "state", "--rounds", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    assert all(set(row) == {"bench", "row", "value", "unit", "reference", "ratio"} for row in rows)
