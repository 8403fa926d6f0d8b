# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables can be asked, not only looked at."""

import pytest

from labstack.core.errors import StackError
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
