# SPDX-License-Identifier: GPL-2.0-or-later
"""Wires to the real kernel: every way answers ping, and nothing is left behind, however the process ends."""

import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from live_toy import Toy

from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.live import doctor, holder
from labstack.live.loop import Loop
from labstack.live.namespace import Namespace, StepError
from labstack.live.wire import NoWireError, Plan, Wire, open_wire

pytestmark = pytest.mark.live

ROOT = str(Path(__file__).resolve().parents[2])


@pytest.fixture(params=["tap", "tun", "veth"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["offload", "plain"])
def wire(kind: str, request: pytest.FixtureRequest) -> Iterator[Wire]:
    try:
        it = open_wire(kind, plan=Plan(offload=request.param))
    except NoWireError as error:
        pytest.skip(str(error))
    if kind == "tap" and "TAP" not in it.how:
        it.close()
        pytest.skip("no /dev/net/tun here")
    with it:
        yield it


@pytest.fixture
def space() -> Iterator[Namespace]:
    try:
        it = Namespace(os.geteuid() != 0)
    except StepError as error:
        pytest.skip(str(error))
    yield it
    it.close()


def python(wire: Wire, program: str, *args: str) -> str:
    """Run a Python program on the kernel's side: its output."""
    done = wire.exec(sys.executable, "-c", program, *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


# The kernel sends one echo request from a raw socket and prints what comes back.
PING = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP); s.settimeout(10)
body = struct.pack("!BBHHH", 8, 0, 0, 7, 1) + b"labstack" * 20
total = sum(struct.unpack("!%dH" % (len(body) // 2), body)); total = (total >> 16) + (total & 0xffff)
s.sendto(body[:2] + struct.pack("!H", 0xffff ^ (total + (total >> 16)) & 0xffff) + body[4:], ("10.0.0.1", 0))
print(s.recv(2000)[28:36].decode())
"""


@pytest.mark.skipif(which("nsenter") is None, reason="no nsenter here")
@pytest.mark.parametrize("user", [False, True])
def test_another_shell_enters_with_the_words_that_are_said(user: bool) -> None:
    try:
        space = Namespace(user)
    except StepError as error:
        pytest.skip(str(error))
    done = subprocess.run([*space.entrance.split(), "readlink", "/proc/self/ns/net"], capture_output=True, text=True)
    assert done.stdout.strip() == os.readlink(f"/proc/{space.pid}/ns/net"), done.stderr
    space.close()


def test_the_kernels_ping_is_answered_on_every_wire(wire: Wire) -> None:
    """RFC 792: through a TAP, a TUN and a packet socket, with and without offload."""
    loop = Loop(Toy())
    loop.attach(1, wire.device)
    loop.start()
    assert python(wire, PING) == "labstack\n"
    assert (loop.count, wire.device.count) == ({}, {})
    loop.close()


def test_both_sides_are_as_the_plan_says(wire: Wire) -> None:
    """The kernel's end has its IPv4 and IPv6 address, MTU, and a default route to ours."""
    program = "for name in ('route', 'if_inet6', 'fib_trie'): print(open('/proc/net/' + name).read())"
    text = python(wire, program)
    assert f"{wire.kernel.name}\t00000000\t0100000A" in text
    assert "fd000000000000000000000000000254" in text
    assert "10.0.0.254" in text


def test_what_the_kernel_segments_arrives_as_one_frame_where_we_offload(wire: Wire) -> None:
    """virtio 1.2 §5.1.6: UDP_SEGMENT is a super-frame on a wire with offload, and real frames, checksummed, without."""
    toy = Toy()
    loop = Loop(toy)
    loop.attach(1, wire.device)
    loop.start()
    python(
        wire,
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(17, 103, 1000);"
        "s.sendto(b'x' * 3000, ('10.0.0.1', 9))",
    )
    python(wire, PING)  # answered in order, so the datagram has been read by now
    loop.close()
    frames = [event.frame for event in toy.seen if isinstance(event, Rx)]
    udp = [f for f in frames if f.head[f.start + f.net] == 0x45 and f.head[f.start + f.net + 9] == 17]
    if wire.device.offload:
        assert [(f.gso, f.sure) for f in udp] == [(1000, True)]
    else:
        assert [(f.gso, f.csum) for f in udp] == [(None, None)] * 3
    whole = [raw for f in udp for raw in f.cuts()]
    assert [len(raw) for raw in whole] == [1028 + wire.device.net] * 3


def test_any_frame_the_kernel_writes_arrives_and_harms_nothing(wire: Wire) -> None:
    """Runts, and ethertypes of nobody, from a packet socket on the kernel's side."""
    if wire.device.link == "ip":
        pytest.skip("a TUN carries IP packets only")
    toy = Toy()
    loop = Loop(toy)
    loop.attach(1, wire.device)
    loop.start()
    program = (
        "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind((sys.argv[1], 0));"
        "[s.send(bytes(6) + bytes([2]) * 6 + bytes(n)) for n in range(2, 60)]"
    )
    python(wire, program, wire.kernel.name)
    assert python(wire, PING) == "labstack\n"
    loop.close()
    assert sum(isinstance(event, Rx) for event in toy.seen) >= 58
    assert loop.count == {}


def test_the_loop_survives_its_device(wire: Wire) -> None:
    """ENETDOWN: the interface is deleted under us; calls go on, frames for it are counted."""
    assert wire.space
    loop = Loop(Toy())
    loop.attach(1, wire.device)
    loop.start()
    wire.space.ask("delete", wire.kernel.name)
    loop.call("x")
    loop.ask(lambda: None)
    loop.call("send", 1, Frame(bytes(12) + b"\x08\0" + b"\x45" + bytes(60), net=wire.device.net))
    assert loop.call("alive", 1) == (1,)
    loop.close()
    assert any("device" in name for name in loop.count), loop.count


def test_an_interface_of_the_host_is_only_used_if_it_is_a_tap() -> None:
    """Never the host's own: `lo` exists, and is refused with the line that makes a TAP."""
    with pytest.raises(NoWireError, match="ip tuntap add") as caught:
        open_wire(iface="lo")
    assert caught.value.errno == errno.ENOENT


def test_an_unknown_kind_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="expected one of auto, tap, tun, veth"):
        open_wire("wifi")


@pytest.mark.parametrize("address", ["banana", "10.0.0.1", "10.0.0.1/33", "fd00::1/x"])
def test_an_address_that_is_none_is_the_callers_mistake(address: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        open_wire(plan=Plan(kernel=(address,)))


def test_a_plan_that_the_kernel_refuses_names_the_step_and_leaves_nothing(space: Namespace) -> None:
    """The same address twice: EEXIST, and not another try with another device."""
    with pytest.raises(StepError) as caught:
        open_wire(plan=Plan(kernel=("10.0.0.254/24", "10.0.0.254/24")))
    assert (caught.value.step, caught.value.errno) == ("address", errno.EEXIST)


def test_nonsense_does_not_end_the_holder(space: Namespace) -> None:
    for request in (("address", "lo", "banana"), ("address",), ("shape", "lo", b"", -1, 0)):
        with pytest.raises(StepError) as caught:
            space.ask(*request)
        assert caught.value.errno == errno.EINVAL
    space.ask("address", "lo", "10.9.9.9/32")


def test_the_holder_does_nothing_before_it_has_left_the_hosts_namespace(
    monkeypatch: pytest.MonkeyPatch, space: Namespace
) -> None:
    """A holder that has not entered refuses every other operation."""
    fresh = holder.Holder()
    for operation in holder.OPERATIONS - {"enter"}:
        answer, fds = holder._answer(fresh, operation, ())
        assert (answer[:3], fds) == (("error", operation, errno.EPERM), [])


def test_a_failed_step_is_named(space: Namespace) -> None:
    with pytest.raises(StepError) as caught:
        space.ask("address", "nowhere", "10.0.0.254/24")
    assert (caught.value.step, caught.value.errno) == ("address", errno.ENODEV)


def test_programs_inside_end_with_the_namespace(space: Namespace) -> None:
    program = space.popen(["sleep", "1000"], stdout=subprocess.DEVNULL)
    while os.path.basename(os.readlink(f"/proc/{program.pid}/exe")) == os.path.basename(os.readlink("/proc/self/exe")):
        pass
    space.close()
    assert program.wait() == -signal.SIGKILL


def test_a_program_that_is_not_there_is_said_to_be_missing(space: Namespace) -> None:
    with space.popen(["/no/such/program"], stderr=subprocess.PIPE, text=True) as program:
        _, err = program.communicate()
    assert (program.returncode, err) == (127, "/no/such/program: No such file or directory\n")


def gone(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


VICTIM = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
sys.path.insert(0, sys.argv[1])
from labstack.live.wire import open_wire
wire = open_wire(sys.argv[2])
program = wire.popen(["sleep", "1000"])
print(wire.space.pid, program.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_behind_however_the_process_ends(kind: str, how: int, space: Namespace) -> None:
    """kill -9: the holder reads end of file, ends what runs inside, and the kernel removes the rest."""
    argv = [sys.executable, "-c", VICTIM, ROOT, kind]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as victim:
        assert victim.stdout
        line = victim.stdout.readline()
        if not line:
            pytest.skip("no such wire here")
        holder, program = map(int, line.split())
        watch = [os.pidfd_open(pid) for pid in (holder, program)]
        before = os.stat(f"/proc/{holder}/ns/net").st_ino
        victim.send_signal(how)
    poller = select.poll()
    for fd in watch:
        poller.register(fd, 1)
        assert poller.poll(10_000)
        poller.unregister(fd)
        os.close(fd)
    assert gone(holder)
    assert gone(program)
    left = [path for path in Path("/proc").glob("[0-9]*/ns/net") if readable(path) == before]
    assert left == []


def readable(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def test_doctor_and_open_wire_agree() -> None:
    found = doctor.checks()
    assert doctor.status(found) == 0
    named = {check.name: check.ok for check in found}
    assert set(named) == {
        "memory wire",
        "tap, owned",
        "net namespace",
        "user namespace",
        "/dev/net/tun",
        "veth and packet",
        "capture tools",
    }
    possible = (named["net namespace"] or named["user namespace"]) and (
        named["/dev/net/tun"] or named["veth and packet"]
    )
    try:
        open_wire().close()
    except NoWireError:
        assert not possible
    else:
        assert possible
