# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole stack opposite the Linux kernel: each way to it, both directions, both families, offload or not."""

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from labstack.core.config import Config
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import FAILED, Call, Rx
from labstack.live.host import LiveHost, up
from labstack.live.namespace import Namespace, StepError
from labstack.live.wire import NoWireError, Plan
from labstack.stack.stack import Stack
from layers import pcapng

pytestmark = pytest.mark.live

SIZE = 3_000_000
PATTERN = bytes(range(251)) * (SIZE // 251 + 1)
SENT = hashlib.sha256(PATTERN[:SIZE]).hexdigest()
ROOT = str(Path(__file__).resolve().parents[2])
WAIT = 20  # seconds, before a test gives up

# The kernel's side. `client` connects to us, `server` waits for us; both send SIZE bytes and read to the end of file.
PEER = """
import hashlib, socket, sys, threading
role, address, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
if role == "server":
    listener = socket.create_server((address, 7000), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    print("ready", flush=True)
    sock, _ = listener.accept()
else:
    sock = socket.create_connection((address, 7000), timeout=20)
def send():
    sock.sendall((bytes(range(251)) * (size // 251 + 1))[:size]); sock.shutdown(socket.SHUT_WR)
thread = threading.Thread(target=send); thread.start()
digest = hashlib.sha256()
while piece := sock.recv(1 << 20): digest.update(piece)
thread.join()
print(digest.hexdigest(), flush=True)
"""


@pytest.fixture(params=["tap", "tun", "veth"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[True, False], ids=["offload", "plain"])
def offload(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def start(kind: str = "auto", offload: bool = True, **options: Any) -> LiveHost:
    try:
        return up(kind, plan=Plan(offload=offload), seed=1, **options)
    except NoWireError as error:
        pytest.skip(str(error))


@pytest.fixture
def host(kind: str, offload: bool) -> Iterator[LiveHost]:
    with start(kind, offload) as it:
        yield it
        assert it.loop.count == {}, list(it.loop.quarantined)
        it.loop.ask(it.stack.check)  # in the loop: between two events
        assert it.loop.ask(unbalanced, it.stack.env.count) == []


class Stream:
    """Our application: sends SIZE bytes on a socket, reads to the end of file, says when both are done."""

    def __init__(self, host: LiveHost) -> None:
        self.host = host
        self.left = SIZE
        self.digest = hashlib.sha256()
        self.ended = self.shut = False
        self.done = Event()
        self.error: int | None = None

    def accept(self, listener: int, what: int) -> None:
        sock, _ = self.host.call("accept", listener)
        self.host.on(sock, self.go)
        self.go(sock, what)

    def go(self, sock: int, what: int) -> None:
        try:
            if what & FAILED:
                self.error = errno.ECONNRESET
            self.send(sock)
            self.read(sock)
        except StackError as error:
            self.error = error.errno
        if self.error or (self.ended and self.shut):
            self.done.set()

    def send(self, sock: int) -> None:
        while self.left:
            sent = now(self.host, "send", sock, memoryview(PATTERN)[SIZE - self.left : SIZE])
            if sent is None:
                return
            self.left -= sent
        if not self.shut:
            self.host.call("shutdown", sock)
            self.shut = True

    def read(self, sock: int) -> None:
        while not self.ended and (pieces := now(self.host, "take", sock)) is not None:
            self.ended = not pieces
            for piece in pieces:
                self.digest.update(piece)


def now(host: LiveHost, op: str, *args: Any) -> Any:
    """A call, or None where it would block."""
    try:
        return host.call(op, *args)
    except StackError as error:
        if error.errno not in (errno.EAGAIN, errno.ENOTCONN):
            raise
        return None


def peer(host: LiveHost, role: str, address: str) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", PEER, role, address, str(SIZE)]
    return host.wire.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: "subprocess.Popen[str]", stream: Stream) -> None:
    """Both sides have read what the other sent."""
    with process:
        assert stream.done.wait(WAIT)
        out, err = process.communicate(timeout=WAIT)
    assert (out.split()[-1:], err) == ([SENT], "")
    assert (stream.digest.hexdigest(), stream.error) == (SENT, None)


# --- every wire ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
def test_the_kernel_connects_and_both_send(host: LiveHost, address: str) -> None:
    """RFC 9293 §3.10: passive open, megabytes each way at once, both closes; equal by SHA-256."""
    stream = Stream(host)
    host.open(stream.accept, "listen", 7000)
    finish(peer(host, "client", address), stream)


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1"])
@pytest.mark.parametrize("records", [0, 10])
def test_what_arrives_together_is_joined_unless_somebody_looks(records: int, address: str) -> None:
    program = f"""
import socket
s = socket.create_connection(("{address}", 7000), timeout={WAIT})
s.sendall((bytes(range(251)) * ({SIZE} // 251 + 1))[:{SIZE}])
"""
    with start("tap", offload=False, records=records) as host:
        stream = Stream(host)
        stream.left, stream.shut = 0, True
        host.open(stream.accept, "listen", 7000)
        assert host.wire.exec(sys.executable, "-c", program).stderr == ""
        assert stream.done.wait(WAIT)
        assert (stream.digest.hexdigest(), stream.error) == (SENT, None)
        assert (host.loop.gro["segments"] > 0) == (not records)
        host.loop.ask(host.stack.check)


@pytest.mark.parametrize("address", ["10.0.0.254", "fd00::254"])
def test_we_connect_and_both_send(host: LiveHost, address: str) -> None:
    """RFC 9293 §3.10: active open, megabytes each way at once, both closes; equal by SHA-256."""
    stream = Stream(host)
    process = peer(host, "server", address)
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    host.open(stream.go, "connect", address, 7000)
    finish(process, stream)


@pytest.mark.parametrize(("family", "address"), [("AF_INET", "10.0.0.1"), ("AF_INET6", "fd00::1")])
def test_datagrams_of_every_size_come_back(host: LiveHost, family: str, address: str) -> None:
    """RFC 768, to the largest that one packet carries: what was sent is what comes back."""

    def echo(sock: int, what: int) -> None:
        while (got := now(host, "recvfrom", sock)) is not None:
            host.call("sendto", sock, got[0], *got[1])

    host.open(echo, "udp", 7001)
    program = f"""
import socket
s = socket.socket(socket.{family}, socket.SOCK_DGRAM); s.connect(("{address}", 7001)); s.settimeout({WAIT})
for size in (0, 1, 2, 511, 1000, 1452):
    data = bytes(range(256)) * 6; s.send(data[:size]); assert s.recv(2000) == data[:size], size
print("equal")
"""
    done = host.wire.exec(sys.executable, "-c", program)
    assert (done.stdout, done.stderr) == ("equal\n", "")


@pytest.mark.parametrize("address", ["10.0.0.254", "fd00::254"])
def test_the_kernel_answers_our_ping(host: LiveHost, address: str) -> None:
    """RFC 792, RFC 4443 §4.1."""
    answered = Event()
    sock = host.open(lambda sock, what: answered.set(), "ping", address, b"labstack")
    assert answered.wait(WAIT)
    data, (source, _) = host.call("recvfrom", sock)
    assert (data, source) == (b"labstack", address)


def test_a_closed_port_refuses_both_ways(host: LiveHost) -> None:
    """RFC 9293 §3.10.7.1: a reset for a SYN to nobody, and what we make of the kernel's."""
    done = host.wire.exec(sys.executable, "-c", "import socket; print(socket.socket().connect_ex(('10.0.0.1', 9)))")
    assert done.stdout == f"{errno.ECONNREFUSED}\n"
    failed = Event()
    sock = host.open(lambda sock, what: what & FAILED and failed.set(), "connect", "10.0.0.254", 9)
    assert failed.wait(WAIT)
    with pytest.raises(StackError) as caught:
        host.call("recv", sock)
    assert caught.value.errno == errno.ECONNREFUSED


# --- one wire --------------------------------------------------------------------------------------------------------


def test_a_live_stack_gives_no_two_runs_the_same_secrets() -> None:
    """Seeded from the operating system."""
    with start(start=False) as one:
        pass
    try:
        with up(start=False) as two, up(start=False) as three:
            assert two.stack.env.rng.seed != three.stack.env.rng.seed
            assert two.stack.env.rng.seed.bit_length() > 128
    finally:
        assert one.stack.env.rng.seed == 1


def test_an_idle_stack_does_not_turn() -> None:
    """Idle costs nothing: with a connection open and no traffic, the loop turns for the kernel's frames only."""
    with start() as host:
        stream = Stream(host)
        stream.left = 0
        host.open(stream.accept, "listen", 7000)
        with peer(host, "client", "10.0.0.1") as process:
            assert stream.done.wait(WAIT)
            process.communicate(timeout=WAIT)
        host.loop.stop()
        frames, turns = host.stack.env.count["LinkInFrames"], host.loop.turns
        due = host.stack.deadline()
        host.loop.run(seconds=0.3)
        arrived = host.stack.env.count["LinkInFrames"] - frames
        assert host.loop.turns - turns <= arrived + 2, due


def test_every_frame_is_captured_with_the_rule_behind_it(tmp_path: Path) -> None:
    """pcapng: direction, interface name, and a comment with rules and state changes."""
    path = tmp_path / "live.pcapng"
    with start(capture=path, records=500) as host:
        stream = Stream(host)
        stream.left = 1000
        host.open(stream.accept, "listen", 7000)
        process = peer(host, "client", "10.0.0.1")
        assert stream.done.wait(WAIT)
        process.communicate(timeout=WAIT)
        count = dict(host.stack.env.count)
        records = host.records
    packets = list(pcapng.read(path.read_bytes()))
    assert {p.interface for p in packets} == {"lab0"}
    assert {p.direction for p in packets} == {"in", "out"}
    assert sum(p.direction == "in" for p in packets) >= count["LinkInFrames"]
    assert any("tcp SYN_RECEIVED → ESTABLISHED" in p.comment for p in packets)
    assert any("RFC 9293 §3.10.7.2: a SYN for a listening port" in p.comment for p in packets)
    assert [r.n for r in records] == list(range(records[0].n, records[0].n + len(records)))
    assert any(isinstance(r.event, Rx) and r.sent for r in records)


def test_a_failing_handler_costs_one_frame_and_the_frame_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One containment boundary per event: counted, in the quarantine capture with its traceback, and life goes on."""
    path = tmp_path / "quarantine.pcapng"
    with start(quarantine=path) as host:
        handle, hurt = Stack.handle, [True]

        def fail_once(stack: Stack, event: Any, now: int) -> Any:
            if isinstance(event, Rx) and hurt and b"hurt me" in bytes(event.frame.head):
                hurt.clear()
                raise RuntimeError("injected")
            return handle(stack, event, now)

        monkeypatch.setattr(Stack, "handle", fail_once)
        program = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20);"
            "s.connect(('10.0.0.1', 7001)); s.send(b'hurt me'); s.send(b'go on'); print(s.recv(100).decode())"
        )
        host.open(lambda sock, what: echo_all(host, sock), "udp", 7001)
        assert host.wire.exec(sys.executable, "-c", program).stdout == "go on\n"
        assert host.drops == {"fault.rx": 1, "quarantined": 1}
    (kept,) = pcapng.read(path.read_bytes())
    assert kept.data.endswith(b"hurt me")
    assert "RuntimeError: injected" in kept.comment


def echo_all(host: LiveHost, sock: int) -> None:
    while (got := now(host, "recvfrom", sock)) is not None:
        host.call("sendto", sock, got[0], *got[1])


def test_two_frames_that_kill_a_well_known_stack() -> None:
    """RFC 9293 §3.2: a SYN with options 01 01 01 08; RFC 4861 §7.1.1: a Neighbour Solicitation with a trailing byte."""
    with start() as host:
        host.call("listen", 7000)
        syn = bytes.fromhex("1f401b5800000001000000006002ffff00000000") + b"\1\1\1\x08"
        solicitation = bytes.fromhex("87000000" + "00000000") + bytes.fromhex("fd00" + "00" * 13 + "01") + b"\0"
        program = """
import socket, sys
t = socket.socket(socket.AF_INET, socket.SOCK_RAW, 6); t.sendto(bytes.fromhex(sys.argv[1]), ("10.0.0.1", 0))
n = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58); n.setsockopt(41, socket.IPV6_UNICAST_HOPS, 255)
n.sendto(bytes.fromhex(sys.argv[2]), ("fd00::1", 0))
s = socket.socket(); s.settimeout(20); s.connect(("10.0.0.1", 7000)); print("alive")
"""
        done = host.wire.exec(sys.executable, "-c", program, syn.hex(), solicitation.hex())
        assert (done.stdout, done.stderr) == ("alive\n", "")
        assert host.drops == {}
        assert [name for name in host.stack.env.count if name.startswith("Contained")] == []


def test_a_vanished_interface_is_switched_off_and_calls_say_so() -> None:
    """TAP loss: the loop lives, the interface is down, a call fails with a network error instead of waiting."""
    with start() as host:
        assert host.wire.space
        host.wire.space.ask("delete", host.wire.kernel.name)
        host.loop.stop()
        host.loop.run(seconds=0.05)
        if host.dev in host.loop.devices:  # a packet socket says so only when it is used
            host.call("ping", "10.0.0.254")
            host.loop.run(seconds=0.05)
        assert host.dev not in host.loop.devices
        with pytest.raises(StackError) as caught:
            host.call("connect", "10.0.0.254", 80)
        assert caught.value.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def test_a_tracing_stack_keeps_short_frames_whole_and_long_ones_short() -> None:
    """128-byte snapshots: a ring of whole super-segments would hold the payload of everything that passed."""
    with start(records=2000, config=Config()) as host:
        stream = Stream(host)
        host.open(stream.accept, "listen", 7000)
        finish(peer(host, "client", "10.0.0.1"), stream)
        frames = [r.event.frame for r in host.records if isinstance(r.event, Rx)]
        frames += [sent.frame for r in host.records for sent in r.sent]
        assert max(map(len, frames)) <= 128
        assert any(isinstance(r.event, Call) and r.event.op == "take" for r in host.records)


# An ordinary user's whole session: a stack up without any privilege, pinged and connected to by the kernel.
SESSION = """
import sys
sys.path.insert(0, sys.argv[1])
from labstack.live.host import up
with up() as host:
    listener = host.call("listen", 7000)
    program = "import socket; s = socket.create_connection(('10.0.0.1', 7000), 20); print(s.getpeername()[0])"
    print(host.wire.how, "|", host.wire.exec(sys.executable, "-c", program).stdout.strip(), "|", host.drops)
"""


def test_an_ordinary_user_needs_no_privilege() -> None:
    """A user namespace of their own, with a TAP where /dev/net/tun is for everybody, else a veth pair."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become somebody else")
    drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-i"]
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([*drop, python, "-c", SESSION, ROOT], capture_output=True, text=True, timeout=60)
        if done.returncode not in (126, 127):
            break
    else:
        pytest.skip("no Python that somebody else may run")
    assert done.stderr == ""
    how, peer_name, drops = done.stdout.strip().split(" | ")
    assert how.startswith("user and network namespace")
    assert (peer_name, drops) == ("10.0.0.1", "{}")


# A TAP or TUN that was made before, in the namespace that we are in, used by its name.
OWNED = """
import fcntl, sys
sys.path.insert(0, sys.argv[1])
from labstack.live import netlink, tun
from labstack.live.host import up
from labstack.live.wire import NoWireError, open_wire
fd, _ = tun.open_queue("lab7", sys.argv[2] == "tun")
fcntl.ioctl(fd, 0x400454CB, 1)  # TUNSETPERSIST
net = netlink.Netlink()
net.address("lab7", "10.0.0.254/24")
net.up("lab7")
try:
    open_wire(iface="lab7")
except NoWireError as error:
    print(str(error).splitlines()[0])
__import__("os").close(fd)
with up(iface="lab7") as host:
    host.call("listen", 7000)
    program = "import socket; s = socket.create_connection(('10.0.0.1', 7000), 20); print(s.getpeername()[0])"
    name = host.wire.exec(sys.executable, "-c", program).stdout.strip()
    print(host.wire.kernel.addresses, host.wire.device.link, name)
"""


@pytest.mark.parametrize(("what", "link"), [("tap", "ether"), ("tun", "ip")])
def test_an_interface_that_exists_is_used_by_its_name_and_not_configured(what: str, link: str) -> None:
    """tuntap.rst: a persistent TAP or TUN; while another program has it open, doctor says so."""
    try:
        space = Namespace(os.geteuid() != 0)
    except StepError as error:
        pytest.skip(str(error))
    argv = [sys.executable, "-c", OWNED, ROOT, what]
    with space.popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        out, err = process.communicate(timeout=WAIT)
    space.close()
    if "/dev/net/tun" in err:
        pytest.skip("no /dev/net/tun here")
    assert err == ""
    busy, works = out.splitlines()
    assert "EBUSY: another program has it open" in busy
    assert works == f"('10.0.0.254/24',) {link} 10.0.0.1"
