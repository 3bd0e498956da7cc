"""Kinds of garbage, and how it is seen that none of it was deleted."""

from __future__ import annotations

import ctypes
import errno
import os
import random
import resource
import shutil
import socket
import sqlite3
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import duckdb
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

RANDOM = random.Random(20261129).randbytes(4_096)
PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")
JSON = b'{"id": [1, {"of": "something else"}], "a": null}\n'
DIGITS = b"20260101T000000\n"  # what some other program notes
# Lengths of four gigabytes and more, where each format has its first.
HUGE = {
    ".zst": struct.pack("<II", 0x184D2A50, 0xFFFFFFF0) + RANDOM[:64],
    ".parquet": b"PAR1" + RANDOM[:64] + struct.pack("<I", 0x7FFFFFF0) + b"PAR1",
    ".arrows": struct.pack("<II", 0xFFFFFFFF, 0x7FFFFFF0) + RANDOM[:64],
    ".sqlite": b"SQLite format 3\x00" + b"\xff" * 84,
    ".onnx": b"\x3a\xff\xff\xff\xff\x7f" + RANDOM[:64],
    ".response": b'{"provenance": {}, "promised": 1' + b"0" * 4_000 + b"}\n",
}
DEEP = b"[" * 100_000
CAP_VERSION, CAP_OVERRIDE = 0x20080522, (1 << 1) | (1 << 2)  # DAC_OVERRIDE and DAC_READ_SEARCH
MEMORY_BYTES = 2**31
# More than any machine that this runs on has of memory; no block of a disk is taken.
SPARSE_BYTES = 2**40
BOMB_BYTES = 2**32
FOREIGN = pa.table({"customer": ["one", "two"], "amount": [1.5, None]})

Spoil = Callable[[Path, bytes], None]


@dataclass(frozen=True)
class Garbage:
    """One kind.

    Attributes:
        put: Makes it at a path that is free; it is given what a good file there holds.
        name: A name that it gets, for garbage that is odd by its name.
    """

    put: Spoil
    name: str = ""


def _content(content: bytes) -> Spoil:
    return lambda path, _: path.write_bytes(content) and None


def _folder(path: Path, _: bytes) -> None:
    path.mkdir()
    (path / "left here").write_bytes(RANDOM[:99])


def _unreadable(path: Path, _: bytes) -> None:
    path.write_bytes(RANDOM[:999])
    path.chmod(0)


def _link(target: str) -> Spoil:
    return lambda path, _: path.symlink_to(target)


def _outside(path: Path, _: bytes) -> None:
    path.symlink_to(outside(path))


def _hard_link(path: Path, _: bytes) -> None:
    path.hardlink_to(outside(path))


def _socket(path: Path, _: bytes) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as listening:  # an address has 107 bytes
            listening.bind(f"/proc/self/fd/{folder}/.s")
        path.with_name(".s").rename(path)
    finally:
        os.close(folder)


def _sparse(path: Path, good: bytes) -> None:
    path.write_bytes(good[:64])
    os.truncate(path, SPARSE_BYTES)


def _foreign(path: Path, good: bytes) -> None:
    """A whole file of the format that is there, from another program."""
    if good.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("create table customers (name text)")
    elif good.startswith(b"PAR1"):
        pq.write_table(FOREIGN, path)
    elif path.suffix == ".arrows":
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, FOREIGN.schema) as writer:
            writer.write_table(FOREIGN)
    elif path.suffix == ".onnx":
        path.write_bytes(_other_model())
    elif path.suffix == ".duckdb":
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table customers (name text)")
    elif path.suffix == ".zst":
        path.write_bytes(zstandard.compress(JSON))
    elif path.suffix == ".response":
        path.write_bytes(b'{"provenance": {"customer": "one"}, "promised": null}\n[]')
    else:
        path.write_bytes(JSON)


def _bomb(path: Path, good: bytes) -> None:
    """Few bytes that become four gigabytes, behind what a good file begins with."""
    if path.suffix == ".zst":
        path.write_bytes(_provenance(good) + _bomb_of_zeros())
    elif good.startswith(b"PAR1"):
        pq.write_table(_swollen(pq.read_schema(pa.BufferReader(good))), path, row_group_size=BOMB_BYTES)
    else:
        path.write_bytes(_bomb_of_zeros())


def _provenance(good: bytes) -> bytes:
    """The skippable frame in front of a response."""
    return good[: 8 + struct.unpack_from("<I", good, 4)[0]]


@cache
def _bomb_of_zeros() -> bytes:
    compressor, zeros = zstandard.ZstdCompressor().compressobj(), bytes(2**24)
    pieces = [compressor.compress(zeros) for _ in range(BOMB_BYTES // len(zeros))]
    return b"".join((*pieces, compressor.flush()))


def _swollen(schema: pa.Schema) -> pa.Table:
    """Columns as they should be; each value of a string is one of a megabyte, written once."""
    count = BOMB_BYTES // 2**20
    numbers = pa.array([0] * count, pa.int32())
    return pa.table(
        {
            field.name: pa.DictionaryArray.from_arrays(numbers, pa.array(["x" * 2**20]))
            if pa.types.is_string(field.type)
            else pa.nulls(count, field.type)
            for field in schema
        }
    )


@cache
def _other_model() -> bytes:
    """A whole model that adds two numbers."""
    number = onnx.TensorProto.FLOAT
    values = [onnx.helper.make_tensor_value_info(name, number, [1]) for name in ("a", "b", "sum")]
    node = onnx.helper.make_node("Add", ["a", "b"], ["sum"])
    graph = onnx.helper.make_graph([node], "sum", values[:2], values[2:])
    opset = onnx.helper.make_opsetid("", 17)
    return onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


def _huge(path: Path, _: bytes) -> None:
    path.write_bytes(HUGE.get(path.suffix, DEEP))


KINDS = {
    "nothing": Garbage(_content(b"")),
    "random": Garbage(_content(RANDOM)),
    "zeros": Garbage(_content(b"\x00" * 4_096)),
    "cut": Garbage(lambda path, good: path.write_bytes(good[: len(good) // 2]) and None),
    "picture": Garbage(_content(PICTURE)),
    "other JSON": Garbage(_content(JSON)),
    "text": Garbage(_content(DIGITS)),
    "huge": Garbage(_huge),
    "folder": Garbage(_folder),
    "link to nowhere": Garbage(_link("nothing-is-here")),
    "link out": Garbage(_outside),
    "link to a device": Garbage(_link("/dev/zero")),
    "pipe": Garbage(lambda path, _: os.mkfifo(path)),
    "unreadable": Garbage(_unreadable),
    "socket": Garbage(_socket),
    "loop of links": Garbage(lambda path, _: path.symlink_to(path.name)),
    "hard link": Garbage(_hard_link),
    "sparse": Garbage(_sparse),
    "foreign": Garbage(_foreign),
    "bomb": Garbage(_bomb),
    "line end": Garbage(_content(RANDOM[:500]), "two\nlines"),
    "no UTF-8": Garbage(_content(RANDOM[:501]), "x\udcff\udcfe"),
    "escape": Garbage(_content(RANDOM[:502]), "\x1b[2Jx"),
    "long": Garbage(_content(RANDOM[:503]), "x" * 200),
}


def outside(path: Path) -> Path:
    """A file of somebody else's, out of every home."""
    home = next(one for one in path.parents if one.name == "home")
    file = home.with_name("outside.txt")
    file.write_bytes(b"precious\n")
    return file


def put(kind: str, path: Path, good: bytes) -> Path:
    """Puts garbage in the place of what is there. Returns: where it is."""
    garbage = KINDS[kind]
    if garbage.name:
        path = path.with_name(garbage.name + path.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    garbage.put(path, good)
    return path


def census(folder: Path) -> Counter[str]:
    """What there is of files by their bytes, of links by where they lead, of pipes."""
    found: Counter[str] = Counter()
    for place, folders, files in os.walk(folder):
        for path in (Path(place, name) for name in (*folders, *files)):
            if path.is_symlink():
                found[f"link {path.readlink()}"] += 1
            elif path.is_fifo() or path.is_socket():
                found["pipe or socket"] += 1
            elif path.is_file():
                found[digest(path)] += 1
    return found


def digest(path: Path) -> str:
    """What tells a file's bytes from others; of one that is sparse, its size."""
    size = path.stat().st_size
    return f"{size} bytes" if size >= SPARSE_BYTES else sha256(path.read_bytes()).hexdigest()


def traces(path: Path) -> Counter[str]:
    """What `census` counts of one thing."""
    if path.is_dir() and not path.is_symlink():
        return census(path)
    if path.is_symlink():
        return Counter({f"link {path.readlink()}": 1})
    return Counter({"pipe or socket" if path.is_fifo() or path.is_socket() else digest(path): 1})


@contextmanager
def no_hang(folder: Path) -> Iterator[None]:
    """Fails what waits for a pipe, and what reads a device without end.

    Somebody comes to the other end of a pipe that is waited for: a library that opens it again when a signal
    comes in between could not be woken otherwise. Memory is bounded meanwhile.
    """
    limits = resource.getrlimit(resource.RLIMIT_AS)
    has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + MEMORY_BYTES, limits[1]))
    done, waited = threading.Event(), []

    def watch() -> None:
        while not done.wait(1.0):
            waited.extend(path for path in _pipes(folder) if _is_waited_for(path))

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert not waited, f"something waited for the pipe {waited[0]}"


def _pipes(folder: Path) -> list[Path]:
    found = (Path(place, name) for place, _, files in os.walk(folder) for name in files)
    # A lock is opened at both ends, which waits for nobody, and may be let go of between two looks.
    return [path for path in found if path.is_fifo() and path.suffix != ".lock"]


def _is_waited_for(pipe: Path) -> bool:
    """Whether somebody waits at one end of a pipe; then they wait no longer. Who holds both ends does not."""
    try:
        has_reader = _is_opened(pipe, os.O_WRONLY)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:  # moved just now
        return False
    try:
        time.sleep(0.05)
        return (os.read(reader, 1) == b"") == has_reader
    except BlockingIOError:  # there is a writer, who is not the reader too
        return not has_reader
    finally:
        os.close(reader)


def _is_opened(pipe: Path, flags: int) -> bool:
    try:
        os.close(os.open(pipe, flags | os.O_NONBLOCK))
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    return True


@contextmanager
def as_anybody() -> Iterator[None]:
    """Takes from this thread, and from those that it starts, what root reads against a file's rights."""
    if os.geteuid():
        yield
        return
    header, data = (ctypes.c_uint32 * 2)(CAP_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    before = data[0]
    data[0] = before & ~CAP_OVERRIDE
    assert libc.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] = before
        assert libc.capset(header, data) == 0
