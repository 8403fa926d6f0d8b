# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/scenarios.md: what it shows runs, as it says."""

import re
from pathlib import Path

import pytest

from labstack.scenario import collect
from labstack.scenario.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"```packetdrill\n(.*?)```", PAGE, re.S)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def run(file: Path, text: str) -> list[str]:
    """The verdicts of the scenarios in a file with this text."""
    file.write_text(text, encoding="utf-8")
    cases = collect.cases(collect.find([str(file)]), ("lab",), ())
    return [collect.run(it.file, it.target, it.ip, Settings()).verdict for it in cases]


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_the_scripts_pass(tmp_path: Path, number: int) -> None:
    assert run(tmp_path / "first.pkt", SCRIPTS[number]) == ["pass"]


def test_breaking_the_first_script_breaks_it(tmp_path: Path) -> None:
    assert run(tmp_path / "first.pkt", SCRIPTS[0].replace("> . 1:1(0) ack 101", "> . 1:1(0) ack 100")) == ["fail"]


def test_the_python_scenarios_pass(tmp_path: Path) -> None:
    assert run(tmp_path / "scenario_docs.py", PYTHON[0]) == ["pass"] * 4


def test_calls_can_be_used_as_shown() -> None:
    exec(compile(PYTHON[1], "docs/scenarios.md", "exec"), {})
