# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables can be asked, not only looked at."""

import pytest

from labstack.core.errors import StackError
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab


def test_a_neighbour_is_found_by_its_address_and_can_be_waited_for() -> None:
    lab = Lab()
    assert "10.0.0.2" not in lab.h1.arp
    assert lab.h1.arp["10.0.0.2"].state == ""
    lab.h1.ping("10.0.0.2")
    lab.until('h1.arp["10.0.0.2"].state == "REACHABLE"')
    assert lab.h1.arp["10.0.0.2"].mac == bytes.fromhex("020000000002")
    with pytest.raises(StackError, match="not an address"):
        lab.h1.arp["10.0.0"]


def test_until_is_content_when_nothing_is_left_and_it_holds_already() -> None:
    lab = Lab()
    assert list(lab.until("h1.stack.conns == {}").records) == []
    with pytest.raises(LabError, match="does not hold"):
        lab.until("h1.stack.conns")
