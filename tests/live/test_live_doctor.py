# SPDX-License-Identifier: GPL-2.0-or-later
"""Doctor's lines: the step and the errno become one sentence, and at most one line that would mend it."""

import errno

import pytest

from labstack.live import doctor, wire
from labstack.live.doctor import Check
from labstack.live.namespace import StepError

FAILURES = [
    (("unshare", errno.EPERM), "forbidden, by a container's seccomp filter", "docker run --device /dev/net/tun"),
    (("unshare", errno.ENOSPC), "user.max_user_namespaces", "sysctl user.max_user_namespaces"),
    (("uid_map", errno.EPERM), "AppArmor", "ip tuntap add dev lab0 mode tap user $USER"),
]


def failure(step: str, code: int) -> StepError:
    return StepError(step, code, "")


@pytest.mark.parametrize(("at", "finding", "mend"), FAILURES)
def test_where_and_why_a_user_namespace_failed_says_what_mends_it(at: tuple[str, int], finding: str, mend: str) -> None:
    """user_namespaces(7), unshare(2): one reason for each step and errno."""
    check = doctor.namespace_check(True, failure(*at))
    assert check.finding.startswith(errno.errorcode[at[1]] + f" at {at[0]}: ")
    assert finding in check.finding
    assert mend in check.mend
    assert not check.ok


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENODEV])
def test_without_a_tap_doctor_says_that_a_veth_pair_does(code: int) -> None:
    assert "a veth pair does instead" in doctor.device_check("tap", failure("queue", code)).finding


def test_an_errno_that_nobody_foresaw_is_still_named() -> None:
    check = doctor.namespace_check(True, failure("netlink", errno.EPROTO))
    assert (check.finding, check.mend) == ("EPROTO at netlink: Protocol error", "")


def test_every_check_is_one_line_with_what_mends_it_below() -> None:
    found = [Check("memory wire", True, "needs nothing"), Check("tap, owned", False, "none", "make one")]
    assert doctor.render(found).splitlines() == [
        "memory wire      ok   needs nothing",
        "tap, owned       -    none",
        "                      make one",
    ]
    assert max(text.count("\n") for pair in doctor.REASONS.values() for text in pair) == 0


def test_the_status_is_zero_when_any_wire_works() -> None:
    """Capture tools are no wire."""
    assert doctor.status([Check("a", False, ""), Check("b", True, "")]) == 0
    assert doctor.status([Check("a", False, ""), Check("capture tools", True, "")]) == 1


def test_no_wire_at_all_is_an_error_whose_text_is_doctors(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TAP to be had: doctor's line, not a traceback."""

    def refuse(user: bool) -> None:
        raise failure("unshare", errno.ENOSPC)

    monkeypatch.setattr(wire, "Namespace", refuse)
    with pytest.raises(wire.NoWireError) as caught:
        wire.open_wire()
    assert str(caught.value) == doctor.render(
        [doctor.namespace_check(u, failure("unshare", errno.ENOSPC)) for u in (False, True)]
    )
    assert "sysctl user.max_user_namespaces=" in str(caught.value)
