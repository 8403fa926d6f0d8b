# SPDX-License-Identifier: GPL-2.0-or-later
"""`tcp` makes Scripts, and ends each of them when the test is over.

Every test runs twice: with a trace, where each rule is followed in full, and without, where shortcuts may be taken.
"""

from collections.abc import Callable, Iterator

import pytest
from tcp_script import Script

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(params=[True, False], ids=["traced", "quick"])
def tcp(request: pytest.FixtureRequest) -> Iterator[Callable[..., Script]]:
    made: list[Script] = []

    def factory(**settings: object) -> Script:
        made.append(Script(**{"tracing": request.param, **settings}))
        return made[-1]

    yield factory
    if request.node.stash.get(FAILED, False):
        return
    for script in made:
        script.end()
