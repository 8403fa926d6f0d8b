# SPDX-License-Identifier: GPL-2.0-or-later
"""Wire: a device of ours and the Linux kernel at its other end, in a network namespace that vanishes with this process.

`open_wire` takes the first way that works: a TAP that the user names; else a network namespace of our own (root), or
one inside a user namespace (anybody), with a TAP, or with a veth pair and a packet socket where /dev/net/tun is not
to be had. An interface of the host's own namespace is only touched if it is named, exists, and is a TAP or TUN.
"""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from labstack.live import doctor, existing, netlink, tun
from labstack.live.device import Device
from labstack.live.namespace import Namespace, StepError

KERNEL = ("10.0.0.254/24", "fd00::254/64")
OURS = ("10.0.0.1/24", "fd00::1/64")
KERNEL_MAC = bytes.fromhex("0200000000fe")
OUR_MAC = bytes.fromhex("020000000001")
TXQUEUELEN = 10_000  # packets; must exceed window / MSS
KINDS = {"auto": ("tap", "veth"), "tap": ("tap", "veth"), "tun": ("tun",), "veth": ("veth",)}


class NoWireError(OSError):
    """No way to the kernel works here; str() is doctor's lines, with what would mend it."""

    def __str__(self) -> str:
        return str(self.strerror)


class Side(NamedTuple):
    """One end of the wire: interface name as the kernel calls it, hardware address, 'address/bits' of each family."""

    name: str
    mac: bytes
    addresses: tuple[str, ...]


class Plan(NamedTuple):
    """What the wire should be like. mtu: bytes; offload: virtio_net_hdr with checksums and segmentation left undone;
    gro: join what arrives together (live/gro.py)."""

    kernel: Sequence[str] = KERNEL
    ours: Sequence[str] = OURS
    mtu: int = 1500
    offload: bool = True
    gro: bool = True
    sysctls: Mapping[str, str] = {}
    mac: bytes = KERNEL_MAC  # the kernel's


class Wire:
    """device: ours; kernel, ours: the two sides; how: which way was taken, for people."""

    def __init__(self, device: Device, kernel: Side, ours: Side, how: str, space: Namespace | None) -> None:
        self.device = device
        self.kernel = kernel
        self.ours = ours
        self.how = how
        self.space = space

    def popen(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """Start a program on the kernel's side; options as for subprocess.Popen."""
        return self.space.popen(argv, **options) if self.space else subprocess.Popen(argv, **options)

    def exec(self, *argv: str, input: str | None = None, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
        """Run a program on the kernel's side to its end (timeout in seconds): returncode, stdout, stderr."""
        pipe = subprocess.PIPE
        with self.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException:
                process.kill()
                raise
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def close(self) -> None:
        """Give back the device; the namespace ends, and everything that runs in it."""
        self.device.close()
        if self.space:
            self.space.close()
            self.space = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_wire(kind: str = "auto", iface: str | None = None, plan: Plan | None = None) -> Wire:
    """A wire to the Linux kernel.

    kind:  'auto' or 'tap' (TAP, else veth), 'tun' (bare IP), 'veth' (packet socket)
    iface: a TAP or TUN of the host's own namespace to use instead; it must exist
    Raises NoWireError when none is to be had, ValueError for an unknown kind or an address that is none, StepError for
    a plan that the kernel refuses.
    """
    if kind not in KINDS:
        raise ValueError(f"wire kind {kind!r}: expected one of {', '.join(KINDS)}")
    plan = _checked(plan or Plan())
    if iface:
        return _owned(iface, plan)
    failed: list[doctor.Check] = []
    for user in (False, True):
        try:
            space = Namespace(user)
        except StepError as error:
            failed.append(doctor.namespace_check(user, error))
            continue
        for way in KINDS[kind]:
            try:
                device = _device(space, way, plan)
            except StepError as error:
                failed.append(doctor.device_check(way, error))
            else:
                return _furnished(space, way, user, plan, device)
        space.close()
        break
    raise NoWireError(errno.EOPNOTSUPP, doctor.render(failed))


def _checked(plan: Plan) -> Plan:
    """The plan, if its addresses are any; without IPv6 where the kernel has none. Raises ValueError."""
    for prefix in (*plan.kernel, *plan.ours):
        netlink.parse_prefix(prefix)
    if os.path.exists("/proc/sys/net/ipv6"):
        return plan
    return plan._replace(kernel=[p for p in plan.kernel if ":" not in p], ours=[p for p in plan.ours if ":" not in p])


def _device(space: Namespace, way: str, plan: Plan) -> Device:
    """A device in an empty namespace. Raises StepError."""
    if way == "veth":
        offload, fds = space.ask("veth", "host0", "lab0", plan.offload)
    else:
        offload, fds = space.ask("queue", "lab0", way == "tun", plan.offload)
    return Device(fds[0], "lab0", "ip" if way == "tun" else "ether", OUR_MAC, plan.mtu, offload)


def _furnished(space: Namespace, way: str, user: bool, plan: Plan, device: Device) -> Wire:
    """The wire, with both ends set up as planned. Raises StepError, and then nothing is left."""
    name = "host0" if way == "veth" else "lab0"
    how = ("user and " if user else "") + "network namespace, " + ("veth pair" if way == "veth" else way.upper())
    kernel, ours = Side(name, plan.mac, tuple(plan.kernel)), Side("lab0", OUR_MAC, tuple(plan.ours))
    wire = Wire(device, kernel, ours, how, space)
    try:
        if way == "veth":
            space.ask("shape", "lab0", OUR_MAC, plan.mtu, TXQUEUELEN)
        _configure(space, name, b"" if device.link == "ip" else plan.mac, plan)
    except StepError:
        wire.close()
        raise
    return wire


def _configure(space: Namespace, name: str, mac: bytes, plan: Plan) -> None:
    """Give the kernel's end its addresses, and a default route to each of ours."""
    if any(":" in prefix for prefix in plan.kernel):
        space.ask("sysctl", f"net.ipv6.conf.{name}.accept_dad", "0")
    for key, value in plan.sysctls.items():
        space.ask("sysctl", key, value)
    space.ask("shape", name, mac, plan.mtu, TXQUEUELEN)
    for prefix in plan.kernel:
        space.ask("address", name, prefix)
    space.ask("up", name, True)
    for prefix in plan.ours:
        address = prefix.partition("/")[0]
        space.ask("route", name, "::/0" if ":" in address else "0.0.0.0/0", address)


def _owned(name: str, plan: Plan) -> Wire:
    """A TAP or TUN that exists in this process's own namespace and that we may open; it is not configured by us."""
    try:
        link = existing.link(name)
        fd, offload = tun.open_queue(name, link == "ip", plan.offload)
    except OSError as error:
        raise NoWireError(error.errno, doctor.render([doctor.owned_check(name, error)])) from None
    device = Device(fd, name, link, OUR_MAC, existing.mtu(name), offload)
    kernel = Side(name, existing.mac(name), tuple(existing.addresses(name)))
    return Wire(device, kernel, Side(name, OUR_MAC, tuple(plan.ours)), f"{name}, which exists here", None)
