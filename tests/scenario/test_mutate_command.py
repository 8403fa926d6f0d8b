# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack mutate`: its summary, JSON, exit status, and what it saves."""

import json
from pathlib import Path
from typing import Any

import pytest

from labstack.cli import main
from labstack.tcp import receive

SCRIPT = """
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+.1 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+.1 < P. 1:101(100) ack 1 win 65535
+0 > . 1:1(0) ack 101
+.1 < P. 101:201(100) ack 1 win 65535
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "serve.pkt"
    path.write_text(SCRIPT)
    return str(path)


def test_nothing_broken_is_status_0(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", file, "--seeds", "10"]) == 0
    assert capsys.readouterr().out.startswith("10 mutants of 1 scenario: no invariant broken in ")


def test_what_is_broken_is_shown_saved_and_status_1(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(receive, "_keep", lambda *_: 1 / 0)
    folder = tmp_path / "broken"
    assert main(["mutate", file, "--seeds", "40", "-j", "1", "--save", str(folder)]) == 1
    told = capsys.readouterr().out
    saved = list(folder.iterdir())
    assert len(saved) == 1
    assert "✗ ZeroDivisionError: division by zero" in told
    assert f"labstack run {saved[0]}" in told
    assert main(["run", str(saved[0])]) == 1
    assert main(["mutate", file, "--seeds", "40", "--save", str(folder), "--json"]) == 1
    capsys.readouterr()
    monkeypatch.undo()
    assert main(["run", str(saved[0])]) == 0


def test_json_is_for_programs(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.pkt").write_text("nonsense")
    monkeypatch.setattr(receive, "_keep", lambda *_: 1 / 0)
    assert main(["mutate", str(tmp_path), "--seeds", "40", "--save", str(tmp_path), "--json"]) == 1
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["tried"] == 40
    assert [it["file"] for it in told["skipped"]] == [str(tmp_path / "bad.pkt")]
    (it,) = told["found"]
    assert set(it) == {"file", "ip", "seed", "moves", "reason", "lines", "times", "saved"}
    assert Path(it["saved"]).exists()
    assert it["times"] > 1


def test_two_processes_find_what_one_finds(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mutate", file, "--seeds", "60", "-j", "2", "--ip-version", "all", "--save", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("180 mutants of 3 scenarios: no invariant broken")


def test_what_is_not_there_is_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scenario_x.py").write_text("")
    assert main(["mutate", str(tmp_path / "none.pkt")]) == 2
    assert main(["mutate", str(tmp_path)]) == 2
    assert "no packetdrill script is left to mutate" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--seeds", "0"], ["--seed", "x"], ["-j", "0"], ["--ip-version", "ipv5"]])
def test_a_wrong_command_line_is_status_2(words: list[str], file: str) -> None:
    with pytest.raises(SystemExit) as error:
        main(["mutate", file, *words])
    assert error.value.code == 2
