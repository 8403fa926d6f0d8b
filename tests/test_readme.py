# SPDX-License-Identifier: GPL-2.0-or-later
"""The README: its commands, its links, its picture, and that CI runs the very test command that stands there."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from labstack.lab import verbs

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
SHELL = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


def test_there_are_two_commands_of_one_line_each() -> None:
    assert [len(block.strip().splitlines()) for block in SHELL] == [1, 1]
    assert all(block.startswith("python3 -m venv .venv && .venv/bin/pip install ") for block in SHELL)
    assert SHELL[0].strip().endswith("labstack demo")
    assert SHELL[1].strip().endswith("-m pytest")


def test_ci_finds_the_test_command_in_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    found = next(line for line in script.splitlines() if line.startswith("test_command="))
    shown = subprocess.run(
        ["bash", "-c", f'{found}\nprintf %s "$test_command"'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert shown.stdout == SHELL[1].strip()


def test_every_link_leads_to_a_file() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    missing = []
    for page in pages:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            if not (page.parent / link).exists():
                missing.append(f"{page.name}: {link}")
    assert missing == []


def test_the_words_it_shows_are_verbs() -> None:
    block = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
    words = [line.split()[0] for line in block.splitlines() if re.match(r"[a-z]+ ", line) and " = " not in line[:6]]
    assert set(words) <= set(verbs.BY_WORD)
    assert {"back", "why", "step", "until", "fork"} <= set(words)


def test_every_verb_is_in_the_manual() -> None:
    manual = (ROOT / "docs" / "repl.md").read_text()
    assert [verb.word for verb in verbs.VERBS if f"`{verb.usage}`" not in manual] == []


def test_every_deviation_in_the_code_is_in_the_table() -> None:
    table = (ROOT / "docs" / "deviations.md").read_text()
    marked = Counter(
        str(path.relative_to(ROOT / "labstack"))
        for path in (ROOT / "labstack").rglob("*.py")
        for _ in re.findall(r"DEVIATES:", path.read_text())
    )
    told = Counter(re.findall(r"^\| `([^`]+)` \|", table, re.MULTILINE))
    assert told == marked


def test_every_chapter_of_tcp_has_its_place_in_the_map() -> None:
    page = (ROOT / "docs" / "tcp.md").read_text()
    folder = ROOT / "labstack" / "tcp"
    assert [path.name for path in sorted(folder.glob("*.py")) if f"`{path.name}`" not in page] == ["__init__.py"]
    named = set(re.findall(r"`([a-z_0-9]+\.py)`", page))
    assert sorted(name for name in named if not (folder / name).exists()) == []
