# SPDX-License-Identifier: GPL-2.0-or-later
"""Real time: the same stack on a TAP, a TUN or a packet socket, opposite the Linux kernel.

`up()` in host.py gives a running live stack in one call; wire.py chooses the way to a device; loop.py is the one
loop.
"""
