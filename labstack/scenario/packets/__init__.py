# SPDX-License-Identifier: GPL-2.0-or-later
"""A script's packets on the wire and back: built, read in the script's terms, and compared with what it expects."""
