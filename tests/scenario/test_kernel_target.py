# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel, the target around the calls: packets and their time, links, sysctls, counters, and its end."""

import errno
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from kernel_peer import (
    LOCAL,
    LOCAL6,
    PORT,
    REMOTE,
    REMOTE6,
    SECOND,
    THEIRS,
    Peer,
    accepted,
    done,
    later,
    letters,
    linux,
    listening,
)

from labstack.core.errors import StackError
from labstack.live.namespace import StepError
from labstack.scenario.kernel import available, nursery
from labstack.scenario.kernel.target import Kernel, trial
from labstack.scenario.kernel.worker import SECONDS, parsed
from labstack.scenario.target import Result, Ticket
from labstack.stack.syscall import info
from layers import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6

pytestmark = pytest.mark.live

ROOT = str(Path(__file__).resolve().parents[2])
MAC, THEIR_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
MS = 1_000_000


@pytest.fixture(params=["tun", "veth"])
def kernel(request: pytest.FixtureRequest) -> Iterator[Kernel]:
    """Bare IP, through a TUN and over a veth pair."""
    with linux(device=request.param) as it:
        yield it


def ping(data: bytes = b"labstack") -> bytes:
    return bytes(IP(src=REMOTE, dst=LOCAL) / ICMP(type=8, id=7, seq=1) / data)


# packets


def test_nothing_is_sent_unasked(kernel: Kernel) -> None:
    """RFC 4861 §6.3.7, 3810 §5.2, 4862 §5.4: no router solicitation, no report of groups, no duplicate detection."""
    assert kernel.wait(kernel.now + 300 * MS) is None
    assert kernel.packets() == []


def test_a_packet_goes_in_and_its_answer_comes_out_whole(kernel: Kernel) -> None:
    """RFC 792, 4443: bare IP both ways."""
    kernel.inject(ping())
    packet = kernel.wait(kernel.now + SECOND)
    assert packet is not None
    answer = IP(packet.data)
    assert (answer.src, answer.dst, answer[ICMP].type, len(packet.data)) == (LOCAL, REMOTE, 0, 36)
    kernel.inject(bytes(IPv6(src=REMOTE6, dst=LOCAL6) / ICMPv6EchoRequest(id=1, seq=1)))
    packet = kernel.wait(kernel.now + SECOND)
    assert packet is not None
    assert IPv6(packet.data).dst == REMOTE6


@pytest.mark.parametrize("device", ["tun", "veth"])
def test_the_network_is_there_from_the_first_moment(device: str) -> None:
    """A queue that the kernel has not attached yet would drop it: 20 new targets, each pinged at once."""
    for _ in range(20):
        with linux(device=device, sysctls={}) as kernel:
            kernel.inject(ping())
            assert kernel.wait(kernel.now + SECOND) is not None


def test_a_packet_has_the_time_at_which_it_left(kernel: Kernel) -> None:
    """However late it is looked at."""
    before = kernel.now
    kernel.inject(ping())
    after = kernel.now
    assert kernel.wait(after + 50 * MS, None) is not None
    kernel.inject(ping())
    end = kernel.now
    while kernel.now < end + 20 * MS:
        pass
    [packet] = kernel.packets()
    assert before < packet.at <= end


def test_a_packet_that_left_after_until_is_for_a_later_wait(kernel: Kernel) -> None:
    until = kernel.now
    kernel.inject(ping())
    assert kernel.wait(until) is None
    assert kernel.wait(until + SECOND) is not None


def test_the_epoch_is_what_the_clock_showed_at_time_0(kernel: Kernel) -> None:
    """socket(7), SO_TIMESTAMPNS: the time at which a datagram came, on the target's clock."""
    fd = done(kernel.socket(socket.AF_INET, socket.SOCK_DGRAM))
    done(kernel.bind(fd, (LOCAL, PORT)))
    done(kernel.setsockopt(fd, socket.SOL_SOCKET, 35, b"\1\0\0\0"))
    before = kernel.now
    kernel.inject(bytes(IP(src=REMOTE, dst=LOCAL) / UDP(sport=THEIRS, dport=PORT) / b"x"))
    after = kernel.now
    [(_, _, data)] = done(kernel.recvmsg(fd, [10])).control
    seconds, ns = (int.from_bytes(data[at : at + 8], "little") for at in (0, 8))
    assert before - MS < seconds * SECOND + ns - kernel.epoch < after + MS


def test_packets_are_real_not_super_segments(kernel: Kernel) -> None:
    """Without offload: 5000 bytes in one write are four segments with checksums."""
    fd, peer = accepted(kernel)
    assert done(kernel.write(fd, bytes(5000))) == 5000
    packets = [peer.take()[0] for _ in range(4)]
    assert [len(packet.data) for packet in packets] == [1500, 1500, 1500, 660]
    for packet in packets:
        segment = IP(packet.data)
        segment[TCP].chksum = None
        assert bytes(segment) == packet.data


@pytest.mark.parametrize("six", [False, True])
def test_a_segment_above_the_mtu_arrives_whole(kernel: Kernel, six: bool) -> None:
    """As what a card has glued together: scripts inject such."""
    fd = listening(kernel, socket.AF_INET6 if six else socket.AF_INET, LOCAL6 if six else LOCAL)
    peer = Peer(kernel, six)
    ticket = kernel.accept(fd)
    peer.handshake()
    later(kernel, ticket)
    peer.send("PA", bytes(range(250)) * 16)
    assert done(kernel.read(4, 10_000)) == bytes(range(250)) * 16
    assert letters(peer.take()[1]) == "A"


@pytest.mark.parametrize(
    "packet", [b"", b"x", bytes(19), b"\x45" + bytes(18), b"\x60" * 41, bytes(60_000), b"\xff" * 99]
)
def test_whatever_is_injected_nothing_is_raised(kernel: Kernel, packet: bytes) -> None:
    kernel.inject(packet)
    kernel.inject(ping())
    answer = kernel.wait(kernel.now + SECOND)
    assert answer is not None
    assert IP(answer.data)[ICMP].type == 0


def test_what_is_no_bytes_is_the_callers_mistake(kernel: Kernel) -> None:
    with pytest.raises(TypeError, match="expected bytes"):
        kernel.inject("text")  # type: ignore[arg-type]


def test_wait_returns_when_the_ticket_does(kernel: Kernel) -> None:
    fd = listening(kernel)
    ticket = kernel.accept(fd)
    assert isinstance(ticket, Ticket)
    peer = Peer(kernel)
    peer.send("S")
    peer.take()
    peer.send("A")
    until = kernel.now + 100 * SECOND
    assert kernel.wait(until, ticket) is None
    assert kernel.now < until
    assert kernel.finished(ticket) is not None


def test_a_lost_segment_is_retransmitted(kernel: Kernel) -> None:
    """RFC 6298 §5.4: after the retransmission timeout, and not before its least value (200 ms here)."""
    fd, peer = accepted(kernel)
    done(kernel.write(fd, b"lost"))
    first, _ = peer.take()
    again, _ = peer.take()
    assert again.data[20:] == first.data[20:]
    assert again.at - first.at >= 190 * MS
    assert kernel.counters()["TcpRetransSegs"] == 1


# links


def test_on_ethernet_the_host_asks_for_addresses_and_answers_for_its_own() -> None:
    """RFC 826."""
    with linux(link="ether") as kernel:
        kernel.inject(bytes(Ether(src=THEIR_MAC) / ARP(hwsrc=THEIR_MAC, psrc="192.168.0.9", pdst=LOCAL)))
        packet = kernel.wait(kernel.now + SECOND)
        assert packet is not None
        answer = Ether(packet.data)
        assert (answer.dst, answer[ARP].op, answer[ARP].hwsrc, answer[ARP].psrc) == (THEIR_MAC, 2, MAC, LOCAL)
        fd = done(kernel.socket(socket.AF_INET, socket.SOCK_DGRAM))
        done(kernel.sendto(fd, b"hello", 0, ("192.168.0.77", 9)))
        packet = kernel.wait(kernel.now + SECOND)
        assert packet is not None
        assert (Ether(packet.data)[ARP].op, Ether(packet.data)[ARP].pdst) == (1, "192.168.0.77")


def test_what_the_kernel_listens_to_is_not_seen() -> None:
    """RFC 3810 §6.1: a report of its groups."""
    with linux(link="ether") as kernel:
        assert kernel.wait(kernel.now + 2 * SECOND) is None


def test_the_mtu_and_addresses_are_as_asked() -> None:
    with linux(local=("10.1.2.3/8",), mtu=600) as kernel:
        fd = done(kernel.socket(socket.AF_INET, socket.SOCK_DGRAM))
        done(kernel.sendto(fd, bytes(1000), 0, (REMOTE, 9)))
        packets = [kernel.wait(kernel.now + SECOND) for _ in range(2)]
        assert [(len(it.data), IP(it.data).src) for it in packets if it] == [(596, "10.1.2.3"), (452, "10.1.2.3")]


@pytest.mark.parametrize(
    ("named", "match"),
    [
        ({"link": "wifi"}, "expected 'ip'"),
        ({"local": ("banana/8",)}, "expected an address"),
        ({"device": "tap"}, "expected one of"),
        ({"remote": ("nowhere",)}, "expected an address"),
        ({"sysctls": {"net.ipv4.tcp_congestion_control": "nonsense"}}, "tcp_congestion_control"),
        ({"sysctls": {"net.ipv4.tcp_rmem": "no numbers"}}, "tcp_rmem"),
    ],
)
def test_what_cannot_be_is_the_callers_mistake(named: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match), linux(**named):
        pass


def test_a_network_that_the_kernel_refuses_names_the_step() -> None:
    with pytest.raises(StepError) as caught, linux(local=("10.0.0.1/8", "10.0.0.1/8")):
        pass
    assert (caught.value.step, caught.value.errno) == ("address", errno.EEXIST)


def test_a_remote_address_has_a_route_that_can_be_changed() -> None:
    """ip-route(8): "change" is for a route that exists, and the MSS follows."""
    if not shutil.which("ip"):
        pytest.skip("no ip(8) here")
    with linux(remote=(REMOTE,)) as kernel:
        assert kernel.shell(f"ip route change {REMOTE} via 192.168.0.2 dev tun0 advmss 600") == (0, "")
        listening(kernel)
        peer = Peer(kernel)
        peer.send("S", options=[("MSS", 1460)])
        assert ("MSS", 600) in peer.take()[1].options


# sysctls and counters


def test_sysctls_are_read_and_set_for_this_target_alone(kernel: Kernel) -> None:
    own = Path("/proc/sys/net/ipv4/tcp_syn_retries").read_text()
    assert kernel.sysctl("net.ipv4.tcp_syn_retries", "3") == "3"
    assert kernel.sysctl("net.ipv4.tcp_syn_retries") == "3"
    assert Path("/proc/sys/net/ipv4/tcp_syn_retries").read_text() == own
    with linux() as other:
        assert other.sysctl("net.ipv4.tcp_syn_retries") == "6"


def test_a_new_target_has_linuxs_own_buffers_whatever_the_machine_has(kernel: Kernel) -> None:
    assert kernel.sysctl("net.ipv4.tcp_rmem") == "4096 131072 6291456"
    assert kernel.sysctl("net.ipv4.tcp_wmem", "4096 10000 20000") == "4096 10000 20000"


@pytest.mark.parametrize("name", ["net.ipv4.tcp_fack_of_yore", "net.ipv4.tcp_mem", "kernel.hostname", "net/../kernel"])
def test_a_sysctl_that_a_namespace_does_not_have_is_a_key_error(kernel: Kernel, name: str) -> None:
    with pytest.raises(KeyError, match="sysctl"):
        kernel.sysctl(name)


def test_a_sysctl_that_can_only_be_written_is_what_was_written(kernel: Kernel) -> None:
    assert kernel.sysctl("net.ipv4.route.flush", "1") == "1"


def test_a_value_that_cannot_be_is_a_value_error(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="tcp_reordering = x"):
        kernel.sysctl("net.ipv4.tcp_reordering", "x")


@pytest.mark.parametrize("name", ["reno", "cubic", "bbr"])
def test_any_congestion_control_can_be_the_default_of_new_sockets(kernel: Kernel, name: str) -> None:
    """Also one that the machine does not let namespaces have: tcp_allowed_congestion_control."""
    if name not in kernel.sysctl("net.ipv4.tcp_available_congestion_control").split():
        pytest.skip(f"this kernel has no {name}")
    assert kernel.sysctl("net.ipv4.tcp_congestion_control", name) == name
    fd, _ = accepted(kernel)
    for each in (3, fd):
        value = done(kernel.getsockopt(each, socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))
        assert value.rstrip(b"\0") == name.encode()


def test_info_has_the_figures_of_a_connection(kernel: Kernel) -> None:
    """tcp(7), TCP_INFO; inet_diag.h; sock_diag.h."""
    kernel.sysctl("net.ipv4.tcp_congestion_control", "reno")
    fd, _ = accepted(kernel)
    done(kernel.write(fd, bytes(3000)))
    found = kernel.info(fd)
    expected = {"state": 1, "snd_mss": 1460, "snd_cwnd": 10, "unacked": 3, "ca_state": 0, "bytes_sent": 3000}
    expected |= {"snd_ssthresh": 0x7FFFFFFF, "pmtu": 1500, "advmss": 1460, "reordering": 3, "snd_wnd": 65535}
    assert {name: found[name] for name in expected} == expected
    assert found["SK_MEMINFO_RCVBUF"] == 131072
    assert kernel.info(listening_again(kernel))["state"] == 10


def listening_again(kernel: Kernel) -> int:
    fd: int = done(kernel.socket(socket.AF_INET, socket.SOCK_STREAM))
    done(kernel.listen(fd, 1))
    return fd


def test_info_of_bbr_has_its_own_figures(kernel: Kernel) -> None:
    if "bbr" not in kernel.sysctl("net.ipv4.tcp_available_congestion_control").split():
        pytest.skip("this kernel has no bbr")
    kernel.sysctl("net.ipv4.tcp_congestion_control", "bbr")
    fd, _ = accepted(kernel)
    assert {name for name in kernel.info(fd) if name.startswith("bbr")} == {name for name, _ in info.CC_INFO["bbr"]}


def test_info_of_what_is_no_tcp_socket(kernel: Kernel) -> None:
    fd = done(kernel.socket(socket.AF_INET, socket.SOCK_DGRAM))
    assert set(kernel.info(fd)) == {name for name, _ in info.MEMINFO}
    with pytest.raises(StackError) as caught:
        kernel.info(99)
    assert caught.value.errno == errno.EBADF
    with pytest.raises(StackError) as caught:
        kernel.info(done(kernel.epoll_create1()))
    assert caught.value.errno == errno.ENOTSOCK


def test_it_is_known_how_long_we_were_held_up(kernel: Kernel) -> None:
    """Not while it was waited, but while nobody did anything."""
    kernel.wait(kernel.now + 30 * MS)
    before = kernel.held_up
    end = kernel.now + 50 * MS
    while kernel.now < end:
        pass
    kernel.wait(kernel.now)
    assert before < 50 * MS <= kernel.held_up


def test_the_tick_is_that_of_the_kernels_timers(kernel: Kernel) -> None:
    """CONFIG_HZ: 100 to 1000 a second."""
    assert 1_000_000 <= kernel.tick <= 10_000_000


def test_counters_count_from_the_targets_beginning(kernel: Kernel) -> None:
    """RFC 4022: what happened, by nstat's names, and nothing else."""
    assert {name for name in kernel.counters() if name.startswith("Tcp")} == set()
    fd, peer = accepted(kernel)
    peer.send("R")
    counted = {name: n for name, n in kernel.counters().items() if name.startswith("Tcp")}
    assert counted == {"TcpPassiveOpens": 1, "TcpInSegs": 3, "TcpOutSegs": 1, "TcpEstabResets": 1} | {
        name: n for name, n in counted.items() if name.startswith("TcpExt")
    }
    assert kernel.read(fd, 1) == Result(-1, errno.ECONNRESET)


def test_tables_are_read_as_nstat_reads_them() -> None:
    """/proc/net/netstat has pairs of lines, /proc/net/snmp6 one a counter."""
    text = "TcpExt: A B\nTcpExt: 1 -2\nIpExt: C\nIpExt: 3\n"
    assert parsed([text, "Ip6InReceives   \t7\n"]) == {
        "TcpExtA": 1, "TcpExtB": -2, "IpExtC": 3, "Ip6InReceives": 7,
    }  # fmt: skip


def test_shell_text_runs_inside(kernel: Kernel, tmp_path: Path) -> None:
    status, printed = kernel.shell("cat /proc/net/dev; pwd; exit 3", str(tmp_path), {"PATH": os.environ["PATH"]})
    assert status == 3
    assert "tun0" in printed
    assert str(tmp_path) in printed


# the end


def test_after_the_end_there_is_nothing(kernel: Kernel) -> None:
    def again() -> None:
        kernel.finished(Ticket(1))

    kernel.end()
    kernel.end()
    for use in (
        lambda: kernel.socket(2, 1),
        lambda: kernel.inject(b""),
        lambda: kernel.wait(0),
        kernel.counters,
        again,
    ):
        with pytest.raises(ValueError, match="is gone"):
            use()


def ended(*watch: int) -> None:
    """The processes end, soon."""
    for fd in watch:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        assert poller.poll(10_000)
        os.close(fd)


def test_a_shell_is_waited_for_as_long_as_the_worker_lets_it_go_on(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that took ten seconds, of the twenty that it may, cost the whole target."""
    waited, poll = [], Connection.poll
    monkeypatch.setattr(Connection, "poll", lambda pipe, seconds: waited.append(seconds) or poll(pipe, seconds))
    assert kernel.shell("true") == (0, "")
    assert min(waited) > SECONDS


def test_the_worker_and_what_a_shell_left_running_end_with_the_target(kernel: Kernel) -> None:
    fd = listening(kernel)
    kernel.accept(fd)
    _, printed = kernel.shell("sleep 1000 > /dev/null 2>&1 & echo $!")
    watch = [os.pidfd_open(pid) for pid in (kernel._worker.pid, int(printed))]
    kernel.end()
    ended(*watch)


def test_a_worker_that_is_gone_is_said_to_be(kernel: Kernel) -> None:
    """Killed from outside: each use raises, and nothing hangs."""
    fd = listening(kernel)
    ticket = kernel.accept(fd)
    assert isinstance(ticket, Ticket)
    watch = os.pidfd_open(kernel._worker.pid)
    os.kill(kernel._worker.pid, signal.SIGKILL)
    ended(watch)
    uses = (lambda: kernel.wait(kernel.now + SECOND), lambda: kernel.socket(2, 1), lambda: kernel.finished(ticket))
    for use in (*uses, kernel.counters):
        with pytest.raises(StackError, match="has ended"):
            use()
    assert "has ended" in kernel.fault
    kernel.end()
    kernel._fault = ""


def test_why_there_can_be_no_target_here_is_said_with_what_would_mend_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither as root nor in a user namespace: doctor's lines, as for a wire."""

    def refuse(user: bool) -> None:
        raise StepError("unshare", errno.ENOSPC if user else errno.EPERM, "")

    monkeypatch.setattr(nursery, "_nurseries", {})
    monkeypatch.setattr(nursery, "Namespace", refuse)
    assert "sysctl user.max_user_namespaces=9999" in trial()


def test_elsewhere_than_on_linux_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert available.__wrapped__() == "the kernel target is Linux, and this is darwin"


def test_a_fork_has_a_nursery_of_its_own() -> None:
    """What the parent has is not the child's to end."""
    with linux() as kernel:
        pid = os.fork()
        if not pid:
            with Kernel() as other:
                ours = nursery.nursery().nurse.pid
                os._exit(0 if other.socket(2, 1).result == 3 and ours != kernel_nurse(kernel) else 1)
        assert os.waitpid(pid, 0)[1] == 0
        assert done(kernel.socket(2, 1)) == 3


def kernel_nurse(kernel: Kernel) -> int:
    """The parent of a target's worker."""
    return int(Path(f"/proc/{kernel._worker.pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_thread_is_scheduled_as_before_when_the_last_target_is_gone() -> None:
    before = os.sched_getscheduler(0)
    with linux(), linux() as second:
        done(second.socket(2, 1))
    assert os.sched_getscheduler(0) == before


# A whole session, as a program: by anybody, and to be killed.
SESSION = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored
sys.path.insert(0, sys.argv[1])
from labstack.scenario.kernel import nursery
from labstack.scenario.kernel.target import Kernel, trial
from layers import IP, TCP
kernel = Kernel(device=sys.argv[2])
fd = kernel.socket(2, 1).result
kernel.bind(fd, ("192.168.0.1", 80))
kernel.listen(fd, 1)
ticket = kernel.accept(fd)
ip = IP(src="192.0.2.1", dst="192.168.0.1")
kernel.inject(bytes(ip / TCP(sport=9, dport=80, flags="S")))
packet = IP(kernel.wait(kernel.now + 10**10).data)
kernel.inject(bytes(ip / TCP(sport=9, dport=80, flags="A", seq=1, ack=packet.seq + 1)))
while kernel.finished(ticket) is None:
    pass
how = nursery.nursery()
print(kernel.finished(ticket)[1], "|", how.how, "|", how.space.pid, how.nurse.pid, kernel._worker.pid, flush=True)
if sys.argv[3:]:
    time.sleep(60)
"""


def test_an_ordinary_user_needs_no_privilege() -> None:
    """A user namespace of their own: a TUN where /dev/net/tun is for everybody, else a veth pair."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become somebody else")
    drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "env", "-i"]
    for python in (sys.executable, "/usr/bin/python3"):
        run = subprocess.run([*drop, python, "-c", SESSION, ROOT, "auto"], capture_output=True, text=True, timeout=60)
        if run.returncode not in (126, 127):
            break
    else:
        pytest.skip("no Python that somebody else may run")
    assert run.stderr == ""
    accepted, how, _ = run.stdout.strip().split(" | ")
    assert how == "user and network namespace"
    assert accepted == "Result(result=4, errno=0, data=('192.0.2.1', 9))"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("device", ["tun", "veth"])
def test_nothing_is_left_behind_however_the_process_ends(device: str, how: int) -> None:
    """kill -9: holder, nurse and worker are gone, and with them the namespaces."""
    with linux(device=device):  # or a skip
        pass
    argv = [sys.executable, "-c", SESSION, ROOT, device, "stay"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as victim:
        assert victim.stdout
        pids = [int(pid) for pid in victim.stdout.readline().rpartition("|")[2].split()]
        assert len(pids) == 3
        spaces = {os.stat(f"/proc/{pid}/ns/net").st_ino for pid in pids}
        watch = [os.pidfd_open(pid) for pid in pids]
        victim.send_signal(how)
    ended(*watch)
    assert spaces & {inode(path) for path in Path("/proc").glob("[0-9]*/ns/net")} == set()


def inode(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return 0
