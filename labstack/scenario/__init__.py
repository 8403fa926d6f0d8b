# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripted conformance: scenarios in packetdrill's language and in Python, against our stack and against Linux."""
