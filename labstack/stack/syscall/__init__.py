# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of a host, as Linux has them: descriptors, sockets, what blocks and what is refused, in pure state.

files.py     the records, and the table of descriptors
sk.py        what a socket is to its owner: state, pending error, addresses
parked.py    a call is made: tried, parked, tried again; the tables of all calls
sockets.py   from socket() to close()
data.py      reading and writing
binding.py   who may have which port
"""
