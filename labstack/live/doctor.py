# SPDX-License-Identifier: GPL-2.0-or-later
"""Doctor: each way to a wire, whether it works here, why not, and the one line that would mend it.

Nothing is guessed: each namespace and device is made in a child that is thrown away, and the step and errno at which
it failed become one sentence (user_namespaces(7), tuntap.rst).
"""

import errno
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from labstack.live.namespace import Namespace, StepError

OWNED_LINE = (
    "once, as root:  ip tuntap add dev lab0 mode tap user $USER && "
    "ip addr add 10.0.0.254/24 dev lab0 && ip link set lab0 up"
)
DOCKER_LINE = "docker run --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN ..."

# (step, errno): what it means, what would mend it
REASONS: dict[tuple[str, int], tuple[str, str]] = {
    ("unshare", errno.EPERM): ("forbidden, by a container's seccomp filter or by the system", DOCKER_LINE),
    ("unshare", errno.ENOSPC): (
        "user.max_user_namespaces is 0 or reached",
        "as root:  sysctl user.max_user_namespaces=9999",
    ),
    ("unshare", errno.EINVAL): ("this kernel has no such namespaces", ""),
    ("uid_map", errno.EPERM): ("AppArmor restricts user namespaces (Ubuntu)", OWNED_LINE),
    ("queue", errno.EACCES): (
        "not for everybody; a veth pair does instead of a TAP",
        "as root:  chmod 0666 /dev/net/tun",
    ),
    ("queue", errno.EPERM): ("forbidden here; a veth pair does instead of a TAP", ""),
    ("queue", errno.ENOENT): ("there is none; a veth pair does instead of a TAP", "as root:  modprobe tun"),
    ("queue", errno.ENODEV): ("no kernel module; a veth pair does instead of a TAP", "as root:  modprobe tun"),
    ("veth", errno.EOPNOTSUPP): ("this kernel has no veth", "as root:  modprobe veth"),
    ("owned", errno.ENOENT): ("there is no TAP or TUN of this name", OWNED_LINE),
    ("owned", errno.EPERM): ("it belongs to somebody else", OWNED_LINE),
    ("owned", errno.EACCES): ("/dev/net/tun is not for everybody", "as root:  chmod 0666 /dev/net/tun"),
    ("owned", errno.EBUSY): ("another program has it open", ""),
}


class Check(NamedTuple):
    """One way: does it work here, what was found, and at most one line that would mend it."""

    name: str
    ok: bool
    finding: str
    mend: str = ""


def checks() -> list[Check]:
    """Try every way, in children that leave nothing behind."""
    return [
        Check("memory wire", True, "needs nothing"),
        _owned_taps(),
        *_namespaces(),
        _capture_tools(),
    ]


def status(found: Iterable[Check]) -> int:
    """The exit status: 0 when any wire works."""
    return 0 if any(check.ok for check in found if check.name != "capture tools") else 1


def render(found: Sequence[Check]) -> str:
    """One line a check, and below it what would mend it."""
    lines = []
    for check in found:
        lines.append(f"{check.name:<16} {'ok ' if check.ok else '-  '}  {check.finding}")
        if check.mend:
            lines.append(f"{'':<16}      {check.mend}")
    return "\n".join(lines)


def namespace_check(user: bool, error: StepError | None) -> Check:
    name = "user namespace" if user else "net namespace"
    if error is None:
        return Check(name, True, "a network namespace of our own" + (", without privilege" if user else ", as root"))
    if not user and error.step == "unshare" and os.geteuid():
        return Check(name, False, "EPERM: only for root; the user namespace does instead")
    return _explained(name, error.step, error)


def device_check(way: str, error: StepError | None) -> Check:
    name = "veth and packet" if way == "veth" else "/dev/net/tun"
    if error is None:
        return Check(name, True, "works inside the namespace, with offload")
    return _explained(name, error.step, error)


def owned_check(name: str, error: OSError) -> Check:
    return _explained(name, "owned", error)


def _explained(name: str, step: str, error: OSError) -> Check:
    code = error.errno or 0
    meaning, mend = REASONS.get((step, code), (os.strerror(code), ""))
    where = "" if step == "owned" else f" at {step}"
    return Check(name, False, f"{errno.errorcode.get(code, code)}{where}: {meaning}", mend)


def _owned_taps() -> Check:
    taps = (path.parent for path in Path("/sys/class/net").glob("*/tun_flags"))
    mine = [tap.name for tap in taps if int((tap / "owner").read_text()) == os.getuid()]
    if not mine:
        return Check("tap, owned", False, "none here belongs to you", OWNED_LINE)
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return _explained("tap, owned", "owned", error)
    return Check("tap, owned", True, ", ".join(f"--iface {name}" for name in sorted(mine)))


def _namespaces() -> list[Check]:
    """Both kinds of namespace, and both kinds of device inside the first that works."""
    found: list[Check] = []
    devices: list[Check] = []
    for user in (False, True):
        try:
            space = Namespace(user)
        except StepError as error:
            found.append(namespace_check(user, error))
            continue
        found.append(namespace_check(user, None))
        devices = devices or [_device(space, "tap"), _device(space, "veth")]
        space.close()
    return found + devices


def _device(space: Namespace, way: str) -> Check:
    request = ("veth", "host0", "lab1", True) if way == "veth" else ("queue", "lab0", False, True)
    try:
        _, fds = space.ask(*request)
    except StepError as error:
        return device_check(way, error)
    for fd in fds:
        os.close(fd)
    return device_check(way, None)


def _capture_tools() -> Check:
    found = [tool for tool in ("dumpcap", "tshark") if shutil.which(tool)]
    if shutil.which("tcpdump"):
        found.append("tcpdump" if os.geteuid() == 0 else "tcpdump (not inside a user namespace)")
    return Check("capture tools", bool(found), ", ".join(found) or "none; pcapng files are written all the same")
