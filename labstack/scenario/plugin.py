# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin: scenarios as tests, one for each scenario, target and family; JUnit comes with pytest.

It collects nothing of a project that does not ask for it: only files in the folders that the ini option
`labstack_paths` names, and files that are named on pytest's command line. The rest of labstack is imported when the
first of them is collected. Requirement ids are properties of a test ("covers").
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from labstack.scenario.settings import IP_VERSIONS as IPS

TARGETS = {"lab": ("lab",), "kernel": ("kernel",), "both": ("lab", "kernel")}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("labstack", "labstack scenarios")
    group.addoption("--labstack-target", choices=list(TARGETS), help="what scenarios run on (default: labstack_target)")
    group.addoption("--labstack-ip", metavar="FAMILIES", help="such as ipv4,ipv6, or all (default: labstack_ip)")
    parser.addini("labstack_paths", "folders whose *.pkt and scenario_*.py are scenarios", type="paths", default=[])
    parser.addini("labstack_target", "lab (default), kernel or both", default="lab")
    parser.addini("labstack_ip", "families, or all (default: ipv4,ipv6)", default="ipv4,ipv6")


def pytest_configure(config: pytest.Config) -> None:
    target = config.getoption("labstack_target") or config.getini("labstack_target")
    if target not in TARGETS:
        raise pytest.UsageError(f"labstack_target = {target}: expected {', '.join(TARGETS)}")
    words = config.getoption("labstack_ip") or config.getini("labstack_ip")
    ips = IPS if words == "all" else tuple(words.replace(",", " ").split())
    if unknown := [ip for ip in ips if ip not in IPS]:
        raise pytest.UsageError(f"labstack_ip = {words}: {unknown[0]!r} is none of all, {', '.join(IPS)}")
    config.stash[WANTED] = TARGETS[target], ips


WANTED = pytest.StashKey[tuple[tuple[str, ...], tuple[str, ...]]]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    name = file_path.name
    if not (name.endswith(".pkt") or (name.startswith("scenario_") and name.endswith(".py"))):
        return None
    folders = parent.config.getini("labstack_paths")
    if parent.session.isinitpath(file_path) or any(file_path.is_relative_to(folder) for folder in folders):
        return File.from_parent(parent, path=file_path)
    return None


class File(pytest.File):
    """A file of scenarios."""

    def collect(self) -> Iterator[pytest.Item]:
        collect: Any = import_module("labstack.scenario.collect")
        targets, ips = self.config.stash[WANTED]
        for case in collect.cases([str(self.path)], targets, ips):
            name = case.file.partition("::")[2]
            variant = f"{case.target}-{case.ip}"
            yield Item.from_parent(self, name=f"{name}[{variant}]" if name else variant, case=case)


class Item(pytest.Item):
    """One scenario on one target in one family."""

    def __init__(self, *, case: Any, **more: Any) -> None:
        super().__init__(**more)
        self.case = case

    def runtest(self) -> None:
        collect: Any = import_module("labstack.scenario.collect")
        name = self.case.file.removeprefix(str(self.path))  # "", or "::name"
        outcome = collect.run(*self.case)._replace(file=self.nodeid.partition("::")[0] + name)
        self.user_properties += [("covers", requirement) for requirement in outcome.covers]
        self.user_properties += [("target", outcome.target), ("ip", outcome.ip)]
        if outcome.verdict == "skip":
            pytest.skip(outcome.reason)
        if outcome.verdict == "xfail":
            pytest.xfail(outcome.reason)
        if outcome.bad:
            raise ScenarioError(outcome)

    def repr_failure(self, excinfo: Any, style: Any = None) -> Any:
        if not isinstance(excinfo.value, ScenarioError):
            return super().repr_failure(excinfo, style)
        failure: Any = import_module("labstack.scenario.report.failure")
        outcome = excinfo.value.args[0]
        capture = failure.save(outcome, self.config.rootpath / failure.FOLDER)
        return failure.Report(outcome, capture).text()

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self.path.name} {self.name}"


class ScenarioError(Exception):
    """An outcome that is not as it should be."""

    def __str__(self) -> str:
        outcome = self.args[0]
        return f"{outcome.file}:{outcome.line}: {outcome.reason}"
