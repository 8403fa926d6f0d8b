# SPDX-License-Identifier: GPL-2.0-or-later
"""Playing a packetdrill script on a target: time, calls, descriptors, and what each is compared with."""
