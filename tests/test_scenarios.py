# SPDX-License-Identifier: GPL-2.0-or-later
"""Every run of a lab in scenarios/ holds, as a module and as a script; pytest has *.pkt and scenario_*.py by itself."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for path in (ROOT / "scenarios").glob("*.py") if not path.name.startswith("scenario_"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_scenario_holds_and_leaves_a_lab_to_look_at(script: Path) -> None:
    lab = runpy.run_path(str(script))["run"]()
    assert lab.records


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_scenario_runs_as_a_script_and_shows_its_ladder(script: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    argv = [sys.executable, str(script)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "why" in done.stdout.splitlines()[0]
