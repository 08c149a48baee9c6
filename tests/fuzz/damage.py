"""Ways to damage a file, or to put something else in its place. Each says what it did."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np

Damage = Callable[[Path, Sequence[Path], Random], str]
"""(file, files of the same kind that are of something else, chance) -> what was done."""

NOBODY = 65534
DEEP = b"[" * 10**6
LEAVES = ("null", '"x"', "[]", "{}", "NaN", "1e400", "9" * 5000, "[" * 900 + "]" * 900)
"""JSON values that a number, a text or a flag is replaced by."""


def with_digest(path: Path, content: bytes) -> None:
    """Write a file and, where it has one, the digest beside it anew."""
    path.write_bytes(content)
    digest = path.with_name(f"{path.name}.sha256")
    if os.path.lexists(digest) and digest != path:
        digest.write_text(f"{hashlib.sha256(content).hexdigest()}  {path.name}\n")


# of every file


def cut(path: Path, others: Sequence[Path], chance: Random) -> str:
    size = chance.randrange(path.stat().st_size) if path.stat().st_size else 0
    os.truncate(path, size)
    return f"cut to {size} bytes"


def flip(path: Path, others: Sequence[Path], chance: Random) -> str:
    content = bytearray(path.read_bytes())
    bit = chance.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    return f"bit {bit} flipped"


def zeros(path: Path, others: Sequence[Path], chance: Random) -> str:
    content = bytearray(path.read_bytes())
    first = chance.randrange(len(content))
    last = min(len(content), first + chance.choice((1, 16, 4096)))
    content[first:last] = bytes(last - first)
    path.write_bytes(content)
    return f"bytes {first} to {last} are zeros"


def append(path: Path, others: Sequence[Path], chance: Random) -> str:
    tail = chance.choice((b"\0", b"\n", b"x" * 100, path.read_bytes()))
    path.write_bytes(path.read_bytes() + tail)
    return f"{len(tail)} bytes appended"


def empty(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.write_bytes(b"")
    return "emptied"


def remove(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.unlink()
    return "removed"


def folder(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.unlink()
    path.mkdir()
    return "a folder"


def link(path: Path, others: Sequence[Path], chance: Random) -> str:
    target = chance.choice((str(path), "nowhere", "/dev/zero", "/dev/null", "/proc/self/mem", ".."))
    path.unlink()
    path.symlink_to(target)
    return f"a link to {'itself' if target == str(path) else target}"


def pipe(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.unlink()
    os.mkfifo(path)
    return "a pipe"


def exchange(path: Path, others: Sequence[Path], chance: Random) -> str:
    """Another file's content, which nobody told the digest."""
    other = chance.choice([file for file in others if file.suffix == path.suffix] or [path])
    path.write_bytes(other.read_bytes())
    return f"exchanged for {other.name} of another"


def exchange_with_digest(path: Path, others: Sequence[Path], chance: Random) -> str:
    other = chance.choice([file for file in others if file.suffix == path.suffix] or [path])
    with_digest(path, other.read_bytes())
    return f"exchanged for {other.name} of another, with a right digest"


def link_to_another(path: Path, others: Sequence[Path], chance: Random) -> str:
    other = chance.choice([file for file in others if file.suffix == path.suffix] or [path])
    if other == path:
        return "left alone"
    path.unlink()
    path.symlink_to(other)
    return f"a link to {other.name} of another"


def unreadable(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.chmod(0)
    return "not readable"


def read_only_folder(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.parent.chmod(0o555)
    return "in a folder that is read-only"


def closed_folder(path: Path, others: Sequence[Path], chance: Random) -> str:
    path.parent.chmod(0)
    return "in a folder without access"


GENERIC: tuple[Damage, ...] = (
    *(cut, cut, flip, flip, flip, flip, zeros, append, empty, remove, folder, link, link, pipe),
    *(exchange, exchange_with_digest, exchange_with_digest, link_to_another),
)
OF_OTHERS: tuple[Damage, ...] = (exchange_with_digest, link_to_another)
OF_OWNERS: tuple[Damage, ...] = (unreadable, read_only_folder, closed_folder)
"""Seen by an ordinary user alone."""


# of kinds of files; digests are right


def hostile_json(path: Path, others: Sequence[Path], chance: Random) -> str:
    """A value of another type somewhere, or something else as a whole."""
    text = path.read_bytes().decode()
    whole = [DEEP, b'{"a":' * 10**5, b"9" * 5000, b"null", b"[]", b"{}", b'"x"', b"\xff\xfe", b" "]
    if chance.random() < 0.4:
        content = chance.choice(whole)
        with_digest(path, content)
        return f"{content[:12]!r}, with a right digest"
    # what a cell found is its study's own: whoever makes a digest anew may put any number there
    end = text.index('"result"') if '"result"' in text else len(text)
    places = list(re.finditer(r'(?<=: )(-?\d[\d.e+-]*|"[^"]*"|true|false)', text[:end]))
    place = chance.choice(places)
    leaf = chance.choice([leaf for leaf in LEAVES if leaf[0] != place.group()[0]])
    with_digest(path, (text[: place.start()] + leaf + text[place.end() :]).encode())
    return f"{text[max(place.start() - 20, 0) : place.end()]!r} is {leaf[:12]}, with a right digest"


def hostile_lines(path: Path, others: Sequence[Path], chance: Random) -> str:
    """JSON lines: one that is something else, twice, missing, or out of order."""
    lines = path.read_bytes().splitlines(keepends=True)
    number = chance.randrange(len(lines))
    values = [b"[]", b"{}", DEEP, b"9" * 5000, b"", b'{"step": "x"}', b'{"step": null}']
    values += [b'{"step": 1e400}', b'{"step": NaN, "kind": "epoch"}', lines[number] * 2]
    new = chance.choice(values) + b"\n"
    lines[number] = new
    path.write_bytes(b"".join(lines))
    return f"line {number + 1} is {new[:40]!r}"


def hostile_toml(path: Path, others: Sequence[Path], chance: Random) -> str:
    """Another value for a key, or something that no key may be."""
    text = path.read_text()
    if chance.random() < 0.25:
        tail = chance.choice(
            (
                "x = " + "[" * 10**5,
                "x = " + "9" * 5000,
                "[train]\n",
                "y = 1\n",
                "\x00",
                "x = {",
                "'''",
            )
        )
        path.write_text(text + tail)
        return f"{tail[:20]!r} appended"
    places = list(re.finditer(r"(?<= = )\S.*", text))
    place = chance.choice(places)
    value = chance.choice(
        [
            *("0", "1", "-1", "2", "1e400", "nan", '"x"', "[]", "{}", "true", "9" * 5000, "1e9"),
            *("[1e9]", "1000000000", "[1000000000]", '"imag"', '"tanh"', '"/dev/zero"'),
            '"' + "x" * 5000 + '"',
        ]
    )
    path.write_text(text[: place.start()] + value + text[place.end() :])
    line = text[text.rindex("\n", 0, place.start()) + 1 : place.end()] if "\n" in text else text
    return f"{line!r} is {value[:20]}"


def hostile_tensors(path: Path, others: Sequence[Path], chance: Random) -> str:
    """A safetensors file whose header lies."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
    about = json.loads(header["__metadata__"]["holonet"])
    name = chance.choice([key for key in header if key != "__metadata__"])
    kind = chance.randrange(13)
    if kind < 2:
        size = chance.choice((0, 2**63, 2**40, length + 1, length - 1))
        with_digest(path, size.to_bytes(8, "little") + content[8:])
        return f"a header of {size} bytes, with a right digest"
    if kind == 2:
        header[name]["shape"] = chance.choice(([2**62], [-1], [], [2**31, 2**31], ["x"], None))
    elif kind == 3:
        header[name]["dtype"] = chance.choice(("X", "F8_E4M3", "I64", None, 3))
    elif kind == 4:
        header[name]["data_offsets"] = chance.choice(([0, 2**62], [5, 1], [-1, 4], [], None))
    elif kind == 5:
        del header["__metadata__"]
    elif kind == 6:
        header["__metadata__"]["holonet"] = chance.choice(
            (DEEP.decode()[:10000], "3", "", "{}", "[")
        )
    elif kind == 7:
        about["complex"] = chance.choice((["x"], None, 3, [name], [[name]], {}))
    elif kind == 8:
        about["state"] = chance.choice((None, [], 3, "x", {}, {"step": "x"}, {"step": -1}))
    elif kind == 9:
        body = np.full(len(body) // 4, np.nan, np.float32).tobytes()[: len(body)].ljust(len(body))
    elif kind == 10:
        del header[name]
    elif kind == 11:
        header["other"] = header[name]
    else:
        state = about["state"]
        keys = list(state) if isinstance(state, dict) else []
        if keys:
            state[chance.choice(keys)] = chance.choice((None, "x", [], {}, -1, 10**18))
    if kind in (7, 8, 12):
        header["__metadata__"]["holonet"] = json.dumps(about)
    text = json.dumps(header).encode()
    with_digest(path, len(text).to_bytes(8, "little") + text + body)
    return f"hostile header {kind}, with a right digest"


def _npy(header: str, body: bytes = b"") -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def _bomb(first: bytes, mebibytes: int) -> bytes:
    """A deflate stream of these bytes and then so many MiB of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + zeros * mebibytes + packer.flush()


def _zip_bomb(name: str, first: bytes, mebibytes: int) -> bytes:
    """A zip file with one member that is a bomb; its checksum is wrong, as nobody gets there."""
    packed, size = _bomb(first, mebibytes), len(first) + (mebibytes << 20)
    fields = struct.pack("<HHHHHLLLHH", 20, 0, 8, 0, 33, 0, len(packed), size, len(name), 0)
    local = b"PK\x03\x04" + fields + name.encode()
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + bytes(14) + name.encode()
    end = struct.pack("<HHHHLLH", 0, 0, 1, 1, len(central), len(local) + len(packed), 0)
    return local + packed + central + b"PK\x05\x06" + end


def hostile_arrays(path: Path, others: Sequence[Path], chance: Random) -> str:
    """An .npz file with an array that lies, a bomb, or an object."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    name = chance.choice(list(arrays))
    bad: dict[str, bytes] = {}
    kind = chance.randrange(12)
    if kind == 0:
        shape = chance.choice(("(1099511627776, 3)", "(2147483648,)", "(-1,)", "(4294967296,)"))
        bad[f"{name}.npy"] = _npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")
    elif kind == 1:
        bad[f"{name}.npy"] = _npy(
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", b"cos\n"
        )
    elif kind == 2:
        bad[f"{name}.npy"] = _npy(chance.choice(("[" * 100, "{", "9" * 110, "()", "{'descr': 3}")))
    elif kind == 3:
        head = _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3221225472,), }")
        with_digest(path, _zip_bomb(f"{name}.npy", head, 3072))
        return f"a bomb instead of {name}, with a right digest"
    elif kind == 4:
        arrays[name] = np.array(chance.choice(([], [[[1.0]]], 3.0, ["x"], [True], [1j], [np.nan])))
    elif kind == 5:
        del arrays[name]
    elif kind == 6:
        arrays["other"] = arrays[name]
    elif kind == 7:
        labels = [key for key in arrays if key.startswith("y")]
        arrays[labels[0]] = arrays[labels[0]].astype(np.int64)
        arrays[labels[0]].flat[0] = chance.choice((10**9, -1, 2**62))
    elif kind == 8:
        arrays[name] = arrays[name][:1] if arrays[name].ndim else arrays[name]
    elif kind == 9 and "header" in arrays:
        arrays["header"] = np.array(
            chance.choice(("[" * 10000, "{}", "3", "null", '{"identity": 1}'))
        )
    elif kind == 10:
        bad["../../evil\udcff.npy".encode("utf-8", "surrogateescape").decode("latin1")] = b"x"
    else:
        bad[f"{name}.npy"] = b""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for key, array in arrays.items():
            if f"{key}.npy" not in bad:
                buffer = io.BytesIO()
                np.save(buffer, array, allow_pickle=True)
                archive.writestr(f"{key}.npy", buffer.getvalue())
        for key, text in bad.items():
            archive.writestr(key, text)
    with_digest(path, content.getvalue())
    return f"hostile arrays {kind} ({name}), with a right digest"


def hostile_zip(path: Path, others: Sequence[Path], chance: Random) -> str:
    """One field of a zip's central directory: method, flags, sizes."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    offset, size = chance.choice(((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (42, 4)))
    value = chance.choice((1, 8, 9, 12, 14, 99, 2 ** (8 * size) - 1))
    content[entry + offset : entry + offset + size] = value.to_bytes(size, "little")
    with_digest(path, bytes(content))
    return f"byte {offset} of a zip entry is {value}, with a right digest"


def hostile_idx(path: Path, others: Sequence[Path], chance: Random) -> str:
    """An IDX file whose header lies, or a bomb."""
    packed = path.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    axes = content[3]
    kind = chance.randrange(6)
    if kind == 0:
        content = content[:3] + bytes([chance.choice((0, 1, 2, 4, 255))]) + content[4:]
    elif kind == 1:
        content = content[:2] + bytes([chance.choice((0, 9, 13, 14, 255))]) + content[3:]
    elif kind == 2:
        size = chance.choice((0, 1, 2**31, 2**32 - 1))
        place = 4 + 4 * chance.randrange(axes)
        content = content[:place] + struct.pack(">I", size) + content[place + 4 :]
    elif kind == 3:
        content = content[:4] + struct.pack(">I", 2**31) * axes + content[4 + 4 * axes :]
    elif kind == 4 and packed:
        path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + _bomb(content, 3072) + bytes(8))
        return "a bomb"
    elif kind == 4:
        content += bytes(100)
    else:
        content = content[: 4 + 4 * axes]
    path.write_bytes(gzip.compress(content, 1) if packed else content)
    return f"hostile header {kind}"


def hostile_csv(path: Path, others: Sequence[Path], chance: Random) -> str:
    """A table with a number or a line that is something else."""
    lines = path.read_text().splitlines(keepends=True)
    number = chance.randrange(len(lines))
    if "," in lines[number] and number == len(lines) - 1:
        cells = lines[number].split(",")
        cells[chance.randrange(-9, -3)] = chance.choice(("x", "", '"'))
        lines[number] = ",".join(cells)
    else:
        lines[number] = chance.choice(("x" * 200000 + "\n", "\0\n"))
    with_digest(path, "".join(lines).encode())
    return f"line {number + 1} is {lines[number][:60]!r}, with a right digest"


def restore_access(root: Path) -> None:
    """So that it can be removed."""
    root.chmod(0o755)  # what is closed cannot be walked: each folder is opened before that
    for parent, names, _ in os.walk(root):
        for name in names:
            with contextlib.suppress(OSError):
                if not (Path(parent) / name).is_symlink():
                    (Path(parent) / name).chmod(0o755)
