# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: hosts on a wire that you step, undo, fork, explain and draw. `Lab()` is the whole of it."""
