# SPDX-License-Identifier: GPL-2.0-or-later
"""The packetdrill language: text to Script and back. It says what a script means and runs nothing."""
