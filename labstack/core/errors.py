# SPDX-License-Identifier: GPL-2.0-or-later
"""Errors. Bytes from outside never raise: these are for the caller's mistakes, and for why a socket died.

Every StackError is an OSError with the errno that the BSD call would give, and a sentence that says what was
given, what was expected, and what to do.
"""

import errno


class StackError(OSError):
    """A call could not be done. `errno` as in the sockets API; str() says what to do. Equal if it says the same."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(code, f"{os_text(code)}: {why}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.args == other.args

    def __hash__(self) -> int:
        return hash(self.args)


def os_text(code: int) -> str:
    return _TEXT.get(code, errno.errorcode.get(code, str(code)))


_TEXT = {
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: "address not available",
    errno.EAGAIN: "would block",
    errno.EBADF: "no such socket",
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by peer",
    errno.ECONNABORTED: "connection aborted",
    errno.EDESTADDRREQ: "destination address required",
    errno.EHOSTUNREACH: "no route to host",
    errno.EINVAL: "invalid argument",
    errno.EISCONN: "already connected",
    errno.EMSGSIZE: "message too long",
    errno.ENETUNREACH: "network is unreachable",
    errno.ENOBUFS: "no buffer space",
    errno.ENOTCONN: "not connected",
    errno.EOPNOTSUPP: "operation not supported",
    errno.EPIPE: "broken pipe",
    errno.ETIMEDOUT: "connection timed out",
}
