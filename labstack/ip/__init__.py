# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv4 and IPv6, which differ by a `Family` record: addresses, routes, arrival, departure, ICMP."""
