"""From the bytes of a file to bytes that a reader takes: unpacked, and UTF-8 where it is text."""

from __future__ import annotations

import codecs
import mmap
import zlib

from tabular.errors import TableUnreadable
from tabular.formats import GZIP, UTF8_MARK, UTF16_MARKS, UTF32_MARKS, format_of

BLOCK_BYTES = 4 * 2**20
# Of what is packed at once: what is left of a block is copied behind each member that ends in it.
PACKED_BYTES = 64 * 2**10
# bgzip has one for 64 KiB of text, so that 2 GiB have a third of these.
MOST_MEMBERS = 100_000
AS_UTF8 = "Save it as UTF-8."
LOOKED_AT = 512

Content = mmap.mmap | bytes | bytearray


def mapped(file: int) -> Content:
    """Returns the content of an open file, without a copy; of an empty one, nothing."""
    try:
        return mmap.mmap(file, 0, prot=mmap.PROT_READ)
    except ValueError:  # an empty file cannot be mapped
        return b""


def has_within(content: Content, mark: bytes) -> bool:
    """Returns whether two bytes are somewhere in a content; it takes a tenth of a second for a gigabyte."""
    blocks = (content[at : at + BLOCK_BYTES + 1] for at in range(0, len(content), BLOCK_BYTES))
    return any(mark[1] in block and mark in block for block in blocks)


def plain(content: Content, limit_bytes: int) -> Content:
    """Returns a content without compression, and as UTF-8 where it is UTF-16.

    Args:
        content: The whole file.
        limit_bytes: What it may come to.

    Raises: TableUnreadable, naming the compression or the encoding.
    """
    if content[: len(GZIP)] == GZIP:
        content = _unpacked(content, limit_bytes)
        if content[: len(GZIP)] == GZIP:
            raise TableUnreadable("it is gzip within gzip", "Unpack it once.")
    encoding = _encoding(bytes(content[:LOOKED_AT]))
    return _transcoded(content, encoding) if encoding else content


def kind_of_content(head: bytes) -> str | None:
    """Returns the format of a file by its first bytes; gzip and UTF-16 are looked through.

    Args:
        head: Its first bytes, some kilobytes; it may be cut anywhere.

    Returns: One of the content types in `tabular.formats`; None if it is empty or its gzip is damaged.
    Raises: TableUnreadable, naming what it is instead, such as a workbook.
    """
    if head.startswith(GZIP):
        try:
            head = _unpacker().decompress(head, BLOCK_BYTES)
        except zlib.error:
            return None
    encoding = _encoding(head[:LOOKED_AT])
    if encoding:
        head = head.decode(encoding, "ignore").encode("utf-8", "ignore")
    return format_of(head) if head.strip() else None


def _unpacked(content: Content, limit_bytes: int) -> bytearray:
    found, unpacker, members = bytearray(), _unpacker(), 1
    for start in range(0, len(content), PACKED_BYTES):
        waiting = content[start : start + PACKED_BYTES]
        while waiting:
            if unpacker.eof:  # gzip files may stand one behind the other, and tapes are filled up with zeros
                waiting = waiting.lstrip(b"\x00")
                if not waiting:
                    break
                unpacker, members = _unpacker(), members + 1
                _require_few(members)
            try:
                found += unpacker.decompress(waiting, BLOCK_BYTES)
            except zlib.error as error:
                raise TableUnreadable("its gzip is damaged", "Compress it anew.") from error
            if len(found) > limit_bytes:
                raise TableUnreadable(
                    f"unpacked it has over {limit_bytes} bytes", "Send fewer rows at a time."
                )
            waiting = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
    if not unpacker.eof:
        raise TableUnreadable("its gzip ends before it is whole", "Copy it anew, or compress it anew.")
    return found


def _require_few(members: int) -> None:
    """Raises TableUnreadable where a file has more members than a program makes: empty ones cost time and no
    byte of the limit."""
    if members > MOST_MEMBERS:
        raise TableUnreadable(f"its gzip has over {MOST_MEMBERS:,} parts", "Compress it anew, in one.")


def _unpacker() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


def _encoding(beginning: bytes) -> str | None:
    """Returns UTF-16, by its mark or by the zeros between ASCII; None for all else."""
    if beginning.startswith(UTF32_MARKS):
        raise TableUnreadable("its text is UTF-32", AS_UTF8)
    for mark, encoding in UTF16_MARKS.items():
        if beginning.startswith(mark):
            return encoding
    pairs = len(beginning) // 2
    high, low = beginning[0 : 2 * pairs : 2], beginning[1 : 2 * pairs : 2]
    if pairs > 1 and not any(low) and all(high):
        return "utf-16-le"
    if pairs > 1 and not any(high) and all(low):
        return "utf-16-be"
    return None


def _transcoded(content: Content, encoding: str) -> bytearray:
    found, decoder = bytearray(), codecs.getincrementaldecoder(encoding)()
    try:
        for start in range(0, len(content), BLOCK_BYTES):
            found += decoder.decode(content[start : start + BLOCK_BYTES]).encode()
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise TableUnreadable(f"its text is damaged UTF-16 ({str(error)[:100]})", AS_UTF8) from error
    return found.removeprefix(UTF8_MARK)


def not_utf8(content: Content) -> TableUnreadable | None:
    """Returns what to say of the first text that is no UTF-8, with its line; None where all of it is."""
    line, decoder = 1, codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(content), BLOCK_BYTES):
        block = content[start : start + BLOCK_BYTES]
        try:
            decoder.decode(block, final=start + BLOCK_BYTES >= len(content))
        except UnicodeDecodeError as error:
            held = error.object[: error.start]
            line += held.count(b"\n")
            byte = error.object[error.start]
            of_it = f"the byte 0x{byte:02x}, as Latin-1 or Windows-1252 has it"
            return TableUnreadable(f"line {line} of it has text that is not UTF-8 ({of_it})", AS_UTF8)
        line += block.count(b"\n")
    return None
