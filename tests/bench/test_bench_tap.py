# SPDX-License-Identifier: GPL-2.0-or-later
"""bench tap: what it compares is the same on both sides, and it says when something went wrong."""

import hashlib

import pytest

from labstack.bench import tap, tap_peer
from labstack.bench.tap import TASKS
from labstack.live.namespace import Namespace, StepError
from labstack.live.wire import NoWireError


def test_the_stream_is_what_senders_send() -> None:
    size = tap_peer.BLOCK * 2 + 12_345
    whole = tap_peer.DATA * 3
    assert tap_peer.stream(size) == hashlib.sha256(whole[: tap_peer.BLOCK * 2] + tap_peer.DATA[:12_345]).hexdigest()


def test_a_ratio_is_greater_when_we_are_better() -> None:
    """For rates ours to the kernel's, for times the kernel's to ours; the median of the rounds' own ratios."""
    by_role = {task.role: task for task in TASKS}
    rate = tap._row(True, by_role["send"], [(10.0, 20.0), (30.0, 40.0), (1.0, 100.0)])
    time = tap._row(False, by_role["icmp"], [(10.0, 5.0), (20.0, 4.0), (40.0, 1.0)])
    assert (rate.value, rate.reference, rate.ratio) == (10.0, 40.0, 0.5)
    assert (time.value, time.reference, time.ratio) == (20.0, 4.0, 0.2)


@pytest.mark.live
def test_every_task_runs_on_both_sides_with_offload_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(task._replace(amount=(64, 64)) for task in TASKS)
    monkeypatch.setattr(tap, "TASKS", small)
    try:
        rows = tap.run(rounds=1)
    except NoWireError as error:
        pytest.skip(str(error))
    expected = [f"{task.name}, {mode}" for mode in ("offload", "plain") for task in TASKS]
    assert [row.row for row in rows][: len(expected)] == expected
    assert all(row.value > 0 and row.reference and row.ratio for row in rows[: len(expected)])
    assert [row.value for row in rows if row.row == "streams equal by SHA-256"] == [4]


@pytest.mark.live
def test_a_peer_that_fails_is_an_error_with_its_last_words() -> None:
    try:
        space = Namespace(False)
    except StepError as error:
        pytest.skip(str(error))
    with pytest.raises(RuntimeError, match=r"pingpong against 10\.9\.9\.9 failed: OSError: .*Network is unreachable"):
        tap.play(space.popen, 0, "pingpong", "10.9.9.9", 1)
    space.close()
