# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of a host, as Linux has them: descriptors, sockets, what blocks and what is refused, in pure state.

files.py      the records, and the table of descriptors
sk.py         what a socket is to its owner: state, pending error, addresses
parked.py     a call is made: tried, parked, tried again; the tables of all calls
sockets.py    from socket() to close()               connect.py    connect(), and being unconnected again
binding.py    who may have which port                data.py       reading and writing, around
                                                     stream.py and datagram.py
options.py    getsockopt, setsockopt                 control.py    fcntl, ioctl
poll.py       what is ready                          epoll.py      who is told of it
message.py    control messages                       errqueue.py   the queue of extended errors
"""
