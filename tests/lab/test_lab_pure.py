# SPDX-License-Identifier: GPL-2.0-or-later
"""The memory lab needs no thread, socket, select, fcntl, and nothing heavy: it also runs where those do not exist."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCKED = ("threading", "socket", "_socket", "select", "selectors", "fcntl", "asyncio", "multiprocessing")
HEAVY = ("scapy", "IPython", "rich", "prompt_toolkit")


def run(script: str) -> str:
    argv = [sys.executable, "-c", script, str(ROOT)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_whole_connection_runs_with_those_modules_blocked() -> None:
    out = run(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        f"blocked = {BLOCKED + HEAVY}\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in blocked: raise ImportError(name + ' is blocked')\n"
        "sys.meta_path.insert(0, Block())\n"
        "for name in blocked: sys.modules.pop(name, None)\n"
        "from labstack.lab.demo import story\n"
        "lab, names = story()\n"
        "lab.back(5); lab.step(5); lab.fork().back(3)\n"
        "print(names['c1'].state); print(lab.ladder(), lab.ladder().svg(), lab.ss().html(), file=sys.stderr)\n"
    )
    assert out.strip() == "TIME_WAIT"


def test_importing_labstack_layers_or_the_command_loads_nothing_heavy() -> None:
    out = run(
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import labstack, layers, labstack.cli\n"
        "labstack.cli.parser()\n"
        "from labstack import Lab; Lab()\n"
        f"print([name for name in {HEAVY} if name in sys.modules])\n"
    )
    assert out.strip() == "[]"
