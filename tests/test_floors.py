# SPDX-License-Identifier: GPL-2.0-or-later
"""The architecture is a test: what docs/architecture.md says of imports, sizes and rule ids, judged from the source."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "layers": 0, "labstack.core": 1, "labstack.link": 2, "labstack.ip": 3, "labstack.tcp": 4, "labstack.udp": 4,
    "labstack.stack": 5, "labstack.packetdrill": 1, "labstack.sim": 6, "labstack.live": 6, "labstack.lab": 7,
    "labstack.scenario": 8, "labstack.bench": 8, "labstack.fuzz": 9, "labstack.cli": 10,
    "labstack.__main__": 11,
}  # fmt: skip
PEOPLE = 7  # from here on is what people touch: it may load modules by name, so that --help is fast
CLOCKS = 6  # below here a stack is a deterministic machine
FORBIDDEN = {"time", "socket", "threading", "_thread", "asyncio", "random", "os", "select", "selectors", "fcntl"}
HEAVY = {"scapy", "IPython", "rich", "prompt_toolkit", "matplotlib"}  # may be imported late, by who uses them
LATE = {"layers.bridge"}  # it leads to Scapy, and every packet class leads to it
LAZY = {"labstack", "layers.bridge"}  # below what people touch only these load modules by name: Lab, and Scapy's
PRINTS = {"layers.view"}  # show() prints, as Scapy's does
RULE_ID = re.compile(r"(\d+|linux)/[^/\s]+/\S+|drop\.\w+\.\w+")
LONGEST_FUNCTION, LONGEST_FILE = 60, 400
LONG: dict[str, str] = {}  # module, or module:function -> why it is better long

FILES = {path: ast.parse(path.read_text()) for top in ("layers", "labstack") for path in (ROOT / top).rglob("*.py")}


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def folder(name: str) -> str:
    parts = name.split(".")
    return parts[0] if parts[0] == "layers" else ".".join(parts[:2])


def floor(name: str) -> int | None:
    return FLOORS.get(folder(name))


MODULES = {module(path): tree for path, tree in FILES.items()}
BELOW = {name: tree for name, tree in MODULES.items() if (floor(name) or 0) < CLOCKS and name != "labstack"}


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, module) of every import; `from a import b` is a.b if that is a module of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name if name in MODULES else str(node.module)) for name in names)


def late(tree: ast.AST) -> set[tuple[int, str]]:
    """The imports inside functions."""
    return {found for function in functions(tree) for found in imports(function)}


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    """The calls of these functions or methods."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [c for c in found if getattr(c.func, "id", getattr(c.func, "attr", "")) in names]


def none(wrong: list[str]) -> None:
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_module_stands_on_a_floor() -> None:
    none([name for name in MODULES if floor(name) is None and name != "labstack"])


def test_imports_go_down_and_never_sideways() -> None:
    wrong = []
    for ours, tree in MODULES.items():
        mine = floor(ours)
        for line, theirs in imports(tree):
            other = floor(theirs)
            if mine is None or other is None or folder(ours) == folder(theirs):
                continue
            if other >= mine:
                wrong.append(f"{ours}:{line}: floor {mine} imports {theirs} of floor {other}")
    none(wrong)


def test_no_import_is_relative() -> None:
    none(
        [f"{m}:{n.lineno}" for m, t in MODULES.items() for n in ast.walk(t) if isinstance(n, ast.ImportFrom) if n.level]
    )


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {m: {name for _, name in set(imports(t)) - late(t)} & MODULES.keys() - {m} for m, t in MODULES.items()}
    while free := [name for name, needs in graph.items() if not needs & graph.keys()]:
        for name in free:
            del graph[name]
    none([f"{name} imports {', '.join(needs & graph.keys())}" for name, needs in graph.items()])


def test_imports_stand_at_the_top_of_a_file() -> None:
    allowed = {(m, line) for m, tree in MODULES.items() for line, name in late(tree) if name.split(".")[0] in HEAVY}
    wrong = [(m, line, name) for m, t in MODULES.items() for line, name in late(t) if (m, line) not in allowed]
    none([f"{m}:{line}: imports {name}" for m, line, name in wrong if name not in LATE])
    by_name = [(m, call.lineno) for m, t in MODULES.items() for call in calls(t, "import_module", "__import__")]
    none([f"{m}:{line}: imports by name" for m, line in by_name if m not in LAZY and (floor(m) or 0) < PEOPLE])


def test_nothing_is_imported_for_types_only() -> None:
    none([str(path) for path in FILES if "TYPE_CHECKING" in path.read_text()])


def test_below_the_two_clocks_there_is_no_clock_no_thread_and_no_system() -> None:
    none(
        [
            f"{m}:{line}: {name}"
            for m, t in BELOW.items()
            for line, name in imports(t)
            if name.split(".")[0] in FORBIDDEN
        ]
    )
    none(
        [
            f"{m}:{call.lineno}: prints"
            for m, t in BELOW.items()
            if m not in PRINTS
            for call in calls(t, "print", "open")
        ]
    )
    none([f"{m}:{n.lineno}: global" for m, t in BELOW.items() for n in ast.walk(t) if isinstance(n, ast.Global)])


def test_functions_and_files_are_short() -> None:
    lines = {module(path): path.read_text().count("\n") for path in FILES}
    none([f"{m}: {n} lines" for m, n in lines.items() if n > LONGEST_FILE and m not in LONG])
    sizes = [(f"{m}:{f.name}", (f.end_lineno or 0) - f.lineno + 1) for m, t in MODULES.items() for f in functions(t)]
    none([f"{name}: {size} lines" for name, size in sizes if size > LONGEST_FUNCTION and name not in LONG])


def test_every_rule_id_occurs_once_in_the_code_and_once_in_its_folder() -> None:
    used: dict[str, Counter[str]] = {}
    said: dict[str, Counter[str]] = {}
    for name, tree in BELOW.items():
        side = said if name.endswith(".rules") and folder(name) != "labstack.core" else used
        literals = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        side.setdefault(folder(name), Counter()).update(text for text in literals if RULE_ID.fullmatch(text))
    for side in (used, said):
        none([f"{rule}: {n} times" for rule, n in sum(side.values(), Counter[str]()).items() if n > 1])
    for place in used.keys() | said.keys():
        code, rules = set(used.get(place, ())), set(said.get(place, ()))
        none([f"{place}: {rule} has no meaning in rules.py" for rule in sorted(code - rules)])
        none([f"{place}: {rule} in rules.py is never decided" for rule in sorted(rules - code)])


def test_rules_are_named_by_literals_so_that_grep_finds_them() -> None:
    noted = [(m, call) for m, t in BELOW.items() if m.startswith("labstack") for call in calls(t, "note", "drop")]
    assert len(noted) > 100
    none([f"{m}:{c.lineno}" for m, c in noted if c.args and isinstance(c.args[0], ast.JoinedStr | ast.BinOp)])


@pytest.mark.parametrize(
    "package", ["layers", "labstack", "labstack.cli", "labstack.sim.history", "labstack.live.loop"]
)
def test_importing_does_not_import_what_is_heavy(package: str) -> None:
    script = f"import sys, {package}; print(*({sorted(HEAVY)} & sys.modules.keys()))".replace("[", "{").replace(
        "]", "}"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.stdout.strip(), run.stderr) == ("", "")
