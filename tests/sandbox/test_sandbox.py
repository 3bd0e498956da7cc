"""A confined process can do what it is given to do, and nothing else; when it dies, it dies alone."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sandbox.confine import Protection, protection
from sandbox.errors import Died, Failed
from sandbox.limits import Limits
from sandbox.sandbox import Sandbox

MEGABYTE = 2**20
LIMITS = Limits(memory_bytes=200 * MEGABYTE, cpu_s=5, wall_s=10, output_bytes=MEGABYTE)


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    made = Sandbox(["tests.sandbox.calls"])
    yield made
    made.close()


def call(
    box: Sandbox, name: str, argument: bytes = b"", limits: Limits = LIMITS, files: tuple[int, ...] = ()
) -> bytes:
    return box.call(f"tests.sandbox.calls:{name}", argument, limits, files)


def test_bytes_go_in_and_come_out_also_large_ones(box: Sandbox) -> None:
    large = os.urandom(5 * MEGABYTE)
    assert call(box, "echo", large, replace(LIMITS, output_bytes=8 * MEGABYTE)) == large


def test_open_files_are_handed_on(box: Sandbox) -> None:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.write(b"from outside")
        source.seek(0)
        assert call(box, "fill", files=(source.fileno(), target.fileno())) == b"done"
        target.seek(0)
        assert target.read() == b"FROM OUTSIDE"


def test_it_reads_what_it_is_given_and_nothing_beside_it(box: Sandbox, tmp_path: Path) -> None:
    given, beside = tmp_path / "given", tmp_path / "beside"
    for file in (given, beside):
        file.write_text(file.name)
    limits = replace(LIMITS, readable=(given,))
    assert call(box, "read", str(given).encode(), limits) == b"given"
    for path in (beside, Path("/etc/passwd"), Path("/proc/self/environ"), tmp_path / "x" / ".." / "beside"):
        with pytest.raises(Failed) as failed:
            call(box, "read", str(path).encode(), limits)
        assert failed.value.kind in ("PermissionError", "FileNotFoundError")


@pytest.mark.parametrize("calls", ["calls", "first_landlock"])
def test_it_changes_nothing_in_any_way(box: Sandbox, tmp_path: Path, calls: str) -> None:
    file = tmp_path / "file"
    file.write_text("as it was")
    before = _times(file)
    limits = replace(LIMITS, readable=(tmp_path,))
    assert json.loads(box.call(f"tests.sandbox.{calls}:change", str(file).encode(), limits)) == []
    with pytest.raises(Failed):
        call(box, "write", str(file).encode(), limits)
    assert file.read_text() == "as it was"
    assert _times(file) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_what_it_may_write_to_is_one_place(box: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    limits = replace(LIMITS, writable=(tmp_path / "mine",))
    call(box, "write", str(tmp_path / "mine" / "file").encode(), limits)
    with pytest.raises(Failed):
        call(box, "write", str(tmp_path / "file").encode(), limits)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]


@pytest.mark.parametrize("calls", ["calls", "first_landlock", "no_landlock"])
def test_it_reaches_no_other_process(box: Sandbox, calls: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1]).encode()
        assert json.loads(box.call(f"tests.sandbox.{calls}:reach", port, LIMITS)) == []


def test_it_holds_up_nobody_who_opens_a_file_and_hears_and_tells_nothing(
    box: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "given").write_text("given")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "heard"))
        limits = replace(LIMITS, readable=(tmp_path / "given",))
        asked = json.dumps([str(tmp_path / name) for name in ("given", "", "heard")]).encode()
        assert json.loads(call(box, "disturb", asked, limits)) == []


def test_it_leaves_nothing_in_the_kernel(box: Sandbox) -> None:
    queue = f"/canopy-{os.getpid()}".encode()
    assert json.loads(call(box, "leave", queue)) == []
    assert ctypes.CDLL(None).mq_unlink(queue) == -1  # Landlock refuses to open it when it is made already


def test_with_a_port_it_reaches_that_port_alone(box: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (one, other)]
        limits = replace(LIMITS, ports=(ports[0],))
        assert json.loads(call(box, "connect", json.dumps(ports).encode(), limits)) == []


def test_with_a_port_and_without_landlock_it_reaches_others_by_tcp_alone(box: Sandbox) -> None:
    """What the doctor says of such a machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        limits = replace(LIMITS, ports=(1,))
        found = json.loads(box.call("tests.sandbox.no_landlock:reach", str(port).encode(), limits))
    assert found == ["tcp"]


def test_only_where_names_are_looked_up_it_has_udp_and_nothing_beside_it(box: Sandbox) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        port, limits = str(server.getsockname()[1]).encode(), replace(LIMITS, ports=(1,))
        with pytest.raises(Failed) as failed:
            box.call("tests.sandbox.calls:look_up", port, limits)
        assert failed.value.kind == "PermissionError"
        assert json.loads(call(box, "look_up", port, replace(limits, resolves_names=True))) == []
        assert server.recv(10) == b"name"


@pytest.mark.parametrize("calls", ["calls", "first_landlock", "no_landlock"])
def test_it_may_have_threads_and_end_itself(box: Sandbox, calls: str) -> None:
    assert box.call(f"tests.sandbox.{calls}:thread", b"", LIMITS) == b"True"
    with pytest.raises(Died) as died:
        box.call(f"tests.sandbox.{calls}:end_itself", b"", LIMITS)
    assert died.value.reason == "memory"  # as `abort` is taken for


def test_its_environment_holds_nothing_of_ours(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "secret")
    fresh = Sandbox(["tests.sandbox.calls"])
    try:
        with pytest.raises(Failed):  # /proc is not given: its own files cannot be listed
            call(fresh, "environment")
        limits = replace(LIMITS, readable=(Path("/proc"),))
        names, folder, _ = json.loads(call(fresh, "environment", limits=limits))
    finally:
        fresh.close()
    assert folder == "/"
    assert set(names) <= {"PATH", "LANG", "LC_ALL", "TZ", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "LC_CTYPE"}


@pytest.mark.parametrize(
    ("name", "argument", "reason"),
    [
        ("grow", b"%d" % (400 * MEGABYTE), "memory"),
        ("overflow", b"", "signal 11"),
        ("loop", b"", "time"),
        ("sleep", b"", "time"),
        ("deaf", b"", "time"),
        ("lie", b"", "it said more than it may"),
    ],
)
def test_whatever_ends_it_ends_it_alone(box: Sandbox, name: str, argument: bytes, reason: str) -> None:
    began = time.monotonic()
    with pytest.raises(Died) as died:
        call(box, name, argument, replace(LIMITS, cpu_s=1, wall_s=1.5))
    assert died.value.reason == reason
    assert time.monotonic() - began < 30
    assert call(box, "echo", b"next") == b"next"


def test_memory_counts_from_what_the_warm_process_has(box: Sandbox) -> None:
    assert call(box, "grow", b"%d" % (150 * MEGABYTE)) == b"%d" % (150 * MEGABYTE)


def test_what_the_function_raises_is_told(box: Sandbox) -> None:
    with pytest.raises(Failed) as failed:
        call(box, "fail")
    assert (failed.value.kind, failed.value.message) == ("ValueError", "what was read is wrong")


def test_a_result_is_no_longer_than_it_may_be(box: Sandbox) -> None:
    with pytest.raises(Failed) as failed:
        call(box, "large", b"%d" % (2 * MEGABYTE))
    assert failed.value.kind == "OutputTooLarge"


def test_a_warm_process_that_died_is_started_again(box: Sandbox) -> None:
    call(box, "echo")
    process = box._process
    assert process is not None
    process.kill()
    process.wait()
    assert call(box, "echo", b"again") == b"again"


def test_many_threads_call_side_by_side(box: Sandbox) -> None:
    sent = [b"%d" % number for number in range(20)]
    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(lambda argument: call(box, "echo", argument), sent)) == sent


@pytest.mark.long
def test_nothing_is_left_after_it_is_closed() -> None:
    made = Sandbox(["tests.sandbox.calls"])
    made.start()
    thread = threading.Thread(target=_dies, args=(made,))
    thread.start()
    processes = _with_a_child(psutil.Process(made._process.pid if made._process else 0))
    made.close()
    thread.join()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_nothing_is_left_when_whoever_started_it_is_killed() -> None:
    code = (
        "from sandbox.sandbox import Sandbox; from tests.sandbox.test_sandbox import LIMITS;"
        "Sandbox(['tests.sandbox.calls']).call('tests.sandbox.calls:sleep', b'', LIMITS)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as starting:
        try:
            deadline = time.monotonic() + 60
            while not (warm := psutil.Process(starting.pid).children()):
                assert time.monotonic() < deadline
                time.sleep(0.05)
            processes = _with_a_child(warm[0])
        finally:
            starting.kill()
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_this_machine_says_what_holds() -> None:
    held = protection()
    assert held.cannot_write
    assert held.has_no_network
    assert "no network" in held.text()


@pytest.mark.parametrize(
    ("held", "asked", "said", "unsaid"),
    [
        (Protection(7, True), {}, "can write nowhere", "Questions run"),
        (Protection(1, True), {}, "can write nowhere", "cut files short"),
        (Protection(2, False), {}, "can cut files short", "nowhere"),
        (Protection(3, False), {}, "can write nowhere", "no network"),
        (Protection(0, True), {}, "only rules keep them from files", "nowhere"),
        (Protection(7, True), {"has_ports": True}, "on any host by TCP alone", "UDP"),
        (Protection(3, True), {"has_ports": True}, "any port on any host", "the ports of store"),
        (Protection(7, True), {"has_ports": True, "resolves_names": True}, "any host by UDP", "TCP alone"),
        (Protection(7, False), {"has_ports": True}, "anything else by UDP", "TCP alone"),
        (Protection(3, False), {"has_ports": True}, "nothing but rules", "TCP alone"),
    ],
)
def test_each_machine_says_what_holds_there(
    held: Protection, asked: dict[str, bool], said: str, unsaid: str
) -> None:
    assert said in held.text(**asked)
    assert unsaid not in held.text(**asked)


def _times(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mode, found.st_mtime_ns, found.st_ctime_ns


def _dies(box: Sandbox) -> None:
    with pytest.raises(Died):
        call(box, "sleep")


def _with_a_child(warm: psutil.Process) -> list[psutil.Process]:
    """A warm process and the child of a call under way."""
    deadline = time.monotonic() + 60
    while not (children := warm.children()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [warm, *children]
