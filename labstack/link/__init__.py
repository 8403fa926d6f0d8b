# SPDX-License-Identifier: GPL-2.0-or-later
"""The link: interfaces, Ethernet's filter and header, and one neighbour machine under both ARP and ND."""
