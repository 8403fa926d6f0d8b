"""DCTCP (RFC 8257): alpha window by window, what it does to cwnd, and what is left of it without ECN."""

import pytest
from cc_path import MS, MSS, SECOND, Path

from labstack.core.config import Config
from labstack.tcp.cc import table
from labstack.tcp.cc.controller import CWR, LOSS, OPEN, RECOVERY, Sample
from labstack.tcp.cc.dctcp import Dctcp


def windows(cc: Dctcp, marked: list[int], size: int = 100) -> list[int]:
    """alpha after each window of so many segments, of which so many were marked."""
    found, total, ce = [], 0, 0
    cc.start(Sample(0, una=0, nxt=size))
    for n in marked:
        total, ce = total + size, ce + n
        cc.heard(Sample(0, acked=size, total=total, total_ce=ce, una=total, nxt=total + size))
        found.append(cc.alpha)
    return found


def test_alpha_is_the_moving_average_of_the_fraction_marked() -> None:
    """RFC 8257 §3.3 (5): alpha = alpha (1 - g) + g M, g = 1/16, in 1024ths."""
    marked = [0, 0, 100, 50, 10, 0, 100] * 10
    alpha, expected = 1.0, []
    for n in marked:
        alpha = alpha * 15 / 16 + n / 100 / 16
        expected.append(alpha * 1024)
    assert windows(Dctcp(mss=MSS), marked) == pytest.approx(expected, abs=16)  # integers: each step cuts off


def test_alpha_starts_high_and_can_reach_both_ends() -> None:
    """RFC 8257 §4.2: begin with 1, so that the first mark halves."""
    assert windows(Dctcp(mss=MSS), [100] * 3) == [1024] * 3
    assert windows(Dctcp(mss=MSS), [0] * 200)[-1] == 0
    assert windows(Dctcp(mss=MSS, alpha=0), [100] * 200)[-1] >= 1024 - 16


def test_alpha_changes_once_a_window() -> None:
    cc = Dctcp(mss=MSS)
    cc.start(Sample(0, una=0, nxt=10))
    for una in range(1, 10):
        cc.heard(Sample(0, acked=1, total=una, una=una, nxt=20))
    assert cc.alpha == 1024
    cc.heard(Sample(0, acked=1, total=10, una=10, nxt=20))
    assert (cc.alpha, cc.window_end) == (960, 20)


@pytest.mark.parametrize(("alpha", "ssthresh"), [(1024, 50), (512, 75), (64, 97), (0, 100)])
def test_marks_take_away_half_of_alpha(alpha: int, ssthresh: int) -> None:
    """RFC 8257 §3.3 (9)."""
    cc = Dctcp(mss=MSS, cwnd=100, alpha=alpha)
    assert cc.threshold_ecn(0) == ssthresh


def test_loss_halves_whatever_alpha_is() -> None:
    """RFC 8257 §3.5, also while marks are being answered."""
    cc = Dctcp(mss=MSS, cwnd=100, alpha=0)
    assert cc.threshold(0) == 50
    cc.cwnd = cc.ssthresh = cc.threshold_ecn(0)
    cc.became(Sample(0, state=CWR), OPEN)
    assert cc.ssthresh == 100
    cc.became(Sample(0, state=RECOVERY), CWR)
    assert (cc.ssthresh, cc.after_undo(70)) == (50, 100)
    cc.became(Sample(0, state=LOSS), RECOVERY)
    assert cc.ssthresh == 50


def test_a_path_that_marks_early_keeps_its_queue_short() -> None:
    """RFC 8257 §1: the queue stands around the threshold of 20, and nothing is lost."""
    path = Path(Dctcp(mss=MSS), 2500, 40 * MS, 200, marks=20).run(10 * SECOND)
    deepest = []
    path.seen = lambda path, s: deepest.append(max(path.free_at - path.now, 0) * 2500 // SECOND)
    path.run(20 * SECOND)
    assert path.lost == 0
    assert max(deepest) < 40
    assert path.total > 0.94 * 2500 * 20


def test_without_ecn_it_is_reno_by_another_name() -> None:
    """Linux: dctcp-reno, and TCP_CC_INFO says that it is not enabled."""
    asked = table.make("dctcp", Config(), MSS)
    assert table.begin(asked, Sample(0), ecn=True) is asked
    cc = table.begin(asked, Sample(0), ecn=False)
    assert (cc.name, cc.info(), cc.threshold_ecn(0)) == ("dctcp-reno", {"dctcp_enabled": 0}, 5)


def test_it_tells_what_it_knows() -> None:
    """Linux's struct tcp_dctcp_info: bytes, of the window under way."""
    cc = Dctcp(mss=MSS)
    windows(cc, [100])
    cc.heard(Sample(0, acked=7, total=107, total_ce=103, una=107, nxt=250))
    assert cc.info() == {
        "dctcp_enabled": 1, "dctcp_ce_state": 0, "dctcp_alpha": 1024, "dctcp_ab_ecn": 3000, "dctcp_ab_tot": 7000,
    }  # fmt: skip


def test_weights_are_sysctls() -> None:
    config = Config(**{"net.ipv4.tcp_dctcp_shift_g": 1, "net.ipv4.tcp_dctcp_alpha_on_init": 512})
    cc = table.make("dctcp", config, MSS)
    assert isinstance(cc, Dctcp)
    assert windows(cc, [100]) == [768]
