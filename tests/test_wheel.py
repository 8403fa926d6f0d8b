# SPDX-License-Identifier: GPL-2.0-or-later
"""The wheel holds all that an installed labstack needs, scenarios and notebooks included."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_has_both_packages_their_types_and_the_extras(tmp_path: Path) -> None:
    script = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    argv = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for top in ("labstack", "layers"):
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / top).rglob("*.py")}
        assert sources <= names
        assert f"{top}/py.typed" in names
    tables = {str(path.relative_to(ROOT)) for path in (ROOT / "labstack").rglob("*.tsv")}
    assert tables
    assert tables <= names
    for extra in ("scenarios/**/*.py", "scenarios/**/*.pkt", "notebooks/*.ipynb"):
        assert {f"labstack/{path.relative_to(ROOT)}" for path in ROOT.glob(extra)} <= names
    assert not any(name.startswith("tests/") for name in names)
