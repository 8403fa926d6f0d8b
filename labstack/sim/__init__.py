# SPDX-License-Identifier: GPL-2.0-or-later
"""The stack in virtual time: hosts on memory wires, one calendar, one seed; stepped, undone, forked and compared."""
