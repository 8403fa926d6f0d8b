# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP (RFC 768, RFC 1122 §4.1) and echo sockets (`ping`): datagrams in, datagrams out."""
