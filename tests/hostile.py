"""Every reader of sbgen on hostile input, guided by coverage.

    python tests/hostile.py READER --seconds 3600
    python tests/hostile.py READER crash-...

A reader may return a result or raise a named error (`SbgenError`). Nothing else is allowed: no other
exception, no code run, nothing written, no connection, no memory beyond `MEGABYTES`, no more than `SECONDS`.
libFuzzer (through atheris, ``pip install atheris``) mutates valid files and stores those that reach new lines
of sbgen. Where a checksum would reject a mutation, the checksum is corrected. All seconds are processor time,
so that a busy machine neither shortens the search nor makes an input look slow. The last lines have the
number of inputs and what they covered. ``--corpus DIR`` stores inputs to continue from. A failing input is
written to ``crash-...`` in the current folder, which this script can read. `test_hostile.py` tries blind
mutations in the same way, without atheris.
"""

import argparse
import gc
import gzip
import io
import itertools
import json
import operator
import random
import resource
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np

from sbgen.errors import SbgenError

HERE = Path(__file__).parent

#: Memory of the whole process, torch and onnx included.
MEGABYTES = 2048

#: For one input, of the processor; libFuzzer's own clock, which ends what hangs, is that of the wall.
SECONDS = 25
_WALL_SECONDS = 20 * SECONDS

#: Audit events that reading has no reason for.
_FORBIDDEN = (
    "exec",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "shutil.",
    "socket.",
    "subprocess.",
    "ctypes.dlopen",
    "pty.spawn",
    "webbrowser.open",
)


#: In the order of Python's ``COMPARE_OP``.
_COMPARISONS = operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge


class Executed(Exception):
    """A reader did what only a program may do."""


class Slow(Exception):
    """A reader took longer than `SECONDS`."""


class Large(Exception):
    """A reader took more memory than `MEGABYTES`."""


class _Guard:
    """Refuses all but reading, while it is up."""

    up = False

    def __call__(self, event, arguments):
        if (
            self.up
            and event.startswith(_FORBIDDEN)
            or self.up
            and event == "open"
            and set(str(arguments[1])) & set("wax+")
        ):
            raise Executed(f"{event} {arguments!r:.200}")

    def __enter__(self):
        self.up = True

    def __exit__(self, *exception):
        self.up = False


GUARD = _Guard()
sys.addaudithook(GUARD)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One of sbgen's readers.

    Parameters
    ----------
    seeds : callable
        Gives a list of bytes, each sound input.
    read : callable
        Reads bytes; must raise nothing but `SbgenError`. It runs under the guard.
    prepare : callable, optional
        What is done to the bytes before, without the guard, such as writing them to a file.
    mutate : callable, optional
        Changes one thing in valid bytes, with a `random.Random`; without it one to eight bytes are changed.
    """

    seeds: object
    read: object
    prepare: object = staticmethod(lambda data: data)
    mutate: object = staticmethod(lambda data, rng: _bytes(data, rng))

    def warm(self):
        """Read what is sound, without the guard: what is imported late is imported now."""
        for seeds in self.seeds(), _foreign():
            for seed in seeds:
                with suppress(SbgenError):
                    self.read(self.prepare(seed))

    def __call__(self, data):
        """Read `data`; return whether it was accepted, raise what must not happen."""
        prepared, start = self.prepare(data), time.process_time()
        with GUARD:
            try:
                self.read(prepared)
                taken = True
            except SbgenError:
                taken = False
        if (seconds := time.process_time() - start) > SECONDS:
            raise Slow(f"{seconds:.0f} s for {len(data)} bytes")
        return taken


def _bytes(data, rng):
    """`data` with one to eight places set, dropped, doubled or cut off."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(data) + 1)
        count = rng.choice((1, 1, 1, 2, 4, 64))
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))])
            case 1:
                data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ 1 << rng.randrange(8)])
            case 2:
                del data[at : at + count]
            case 3:
                data[at:at] = data[at : at + count]
            case 4 if rng.randrange(8) == 0:
                del data[at:]
    return bytes(data)


#: What a JSON value is exchanged for.
_VALUES = (
    None,
    True,
    0,
    1,
    -1,
    2,
    255,
    1 << 31,
    -1 << 63,
    1 << 64,
    10**400,
    0.5,
    1e308,
    float("nan"),
    "",
    "a",
    "\0\u2028",
    "AAAA",
    [],
    [0],
    [[]],
    [1 << 40],
    [-1, 0],
    {},
    {"shape": [1 << 31, 1 << 31], "bits": ""},
    {"a": 1},
)


def _json(data, rng):
    """`data`, JSON, with one value exchanged, dropped, doubled or moved to another's place."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return _bytes(data, rng)
    places = []

    def walk(value):
        for key in (
            list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
        ):
            places.append((value, key))
            walk(value[key])

    walk(content)
    if not places:
        return _bytes(data, rng)
    for _ in range(rng.randint(1, 3)):
        (inside, key), (other, other_key) = rng.choice(places), rng.choice(places)
        try:
            match rng.randrange(6):
                case 0 if type(inside[key]) is int:
                    inside[key] += rng.choice((-1, 1, 255, 1 << 20))
                case 1:
                    del inside[key]
                case 2:
                    inside[key] = json.loads(json.dumps(other[other_key]))
                case 3 if isinstance(inside, list):
                    inside.insert(key, json.loads(json.dumps(inside[key])))
                case _:
                    inside[key] = rng.choice(_VALUES)
        except LookupError:
            pass  # an earlier change took that place away
    return json.dumps(content).encode()


def _foreign():
    """The first bytes of every kind of model file, which call for every reader of models."""
    return [b"PK\x03\x04", b"\x08", b"\x89HDF\r\n\x1a\n", b"{", b"?"]


@cache
def _folder():
    return Path(tempfile.mkdtemp(prefix="sbgen-hostile-"))


def _file(name):
    """A function that writes bytes to a file and returns its path."""

    def write(data):
        path = _folder() / name
        path.unlink(missing_ok=True)  # writing over a file makes ext4 wait for the disk
        path.write_bytes(data)
        return path

    return write


# ------------------------------------------------------------------------------------------------ models


def _no_process(path):
    raise SbgenError(f"{path}: HDF5 is read in a separate process, which the reader larq tests")


def _load_model(path):
    from sbgen.compiler.frontends import model
    from sbgen.compiler.frontends.larq import reader

    with mock.patch.object(reader, "read", _no_process):
        model.load(path)


def _digits():
    return (HERE.parent / "models/digits.pt").read_bytes()


@cache
def _members():
    with zipfile.ZipFile(io.BytesIO(_digits())) as file:
        return {name: file.read(name) for name in file.namelist()}


def _pickle():
    return next(content for name, content in _members().items() if name.endswith("data.pkl"))


def _archive(data):
    """A model file with `data` in the place of its pickle."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in _members().items():
            file.writestr(name, data if name.endswith("data.pkl") else content)
    return _file("net.pt")(archive.getvalue())


# ------------------------------------------------------------------------------------------------ exchange
# and design files


def _random_design(seed):
    from sbgen.compiler.random_network import random_design

    return random_design(seed, largest=6)


def _exchange_seeds():
    from sbgen.compiler import exchange

    return [exchange.dumps(_random_design(seed).network).encode() for seed in range(24)]


def _with_digest(data):
    """The text, with the digest that its network has."""
    from sbgen.compiler import exchange

    text = data.decode("utf-8", errors="replace")
    try:
        content = json.loads(text)
        content["sha256"] = exchange._digest(content["network"])
        return json.dumps(content)
    except (ValueError, TypeError, KeyError, RecursionError):
        return text


def _load_exchange(text):
    from sbgen.compiler import exchange

    exchange.loads(text)


def _design_seeds():
    from sbgen.compiler import design_file

    path = _folder() / "seed.json"
    design_file.save(_random_design(0), path)
    return [path.read_bytes()]


@cache
def _design_network():
    return _random_design(0).network


def _load_design(path):
    from sbgen.compiler import design_file

    design_file.load(path, _design_network())


# ------------------------------------------------------------------------------------------------ other
# tools' models


def _load_qonnx(data):
    from sbgen.compiler.frontends import qonnx

    qonnx.loads(data)


def _load_larq(path):
    from sbgen.compiler.frontends.larq import keras_file, reader

    # What the process of its own does; that it ends is seen to from outside.
    with mock.patch.object(reader, "read", keras_file.read_here):
        reader.load(path)


# ------------------------------------------------------------------------------------------------ data sets


def _idx_files(data):
    return _file("images")(data), _file("images.gz")(data), _file("again.gz")(gzip.compress(data, 1))


def _load_idx(paths):
    from sbgen.errors import DataError
    from sbgen.train import data as data_sets

    refusals = 0
    for path in paths:
        for shape in (None, None, None), (None,):
            try:
                data_sets.read_idx(path, shape=shape)
            except DataError as error:
                refusal, refusals = error, refusals + 1
    if refusals == 2 * len(paths):
        raise refusal


# ------------------------------------------------------------------------------------------------ samples


def _sample_seeds():
    images, labels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4) * 10, np.array([1, 0])
    arrays, archive = io.BytesIO(), io.BytesIO()
    np.save(arrays, images)
    np.savez_compressed(archive, images=images, labels=labels)
    row = ",".join(map(str, range(12)))
    seeds = [
        arrays.getvalue(),
        archive.getvalue(),
        f"label,{row}\ncat,{row}\ndog,{row}\n".encode(),
        f"{row[::-1]},0\n".encode(),
    ]
    try:
        from PIL import Image
    except ImportError:
        return seeds
    for mode in "L", "P", "RGBA":
        picture = io.BytesIO()
        Image.fromarray(images[0]).convert(mode).save(picture, "PNG")
        seeds.append(picture.getvalue())
    return seeds


def _with_checksums(data):
    """A PNG with the checksum that each of its chunks has."""
    made, at = data[:8], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4])
        made += data[at : at + 8 + size] + struct.pack(">I", zlib.crc32(data[at + 4 : at + 8 + size]))
        at += 12 + size
    return made + data[at:]


def _sample_files(data):
    """The bytes as each kind of file that begins as they do, and an array as one of an archive as well."""
    if data[:4] == b"\x89PNG":
        folder = _folder() / "pictures" / "dog"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "a.png").unlink(missing_ok=True)
        (folder / "a.png").write_bytes(_with_checksums(data))
        return [folder.parent]
    paths = [_file("set.csv")(data)]
    if data[:4] == b"\x93NUM":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("images.npy", data)
            file.writestr("labels.npy", data)
        paths.append(_file("set.npz")(archive.getvalue()))
    return paths


def _load_samples(paths):
    from sbgen import samples

    refusals = 0
    for path in paths:
        for image_shape, classes in ((3, 4), ("cat", "dog")), ((2,), tuple("0123456789")):
            try:
                found = samples.read(path, image_shape=image_shape, classes=classes)
            except SbgenError as error:
                refusal, refusals = error, refusals + 1
            else:
                assert (
                    found.images.dtype == np.uint8
                    and found.images.shape[1:] == image_shape
                    and len(found.images)
                )
                assert (
                    found.labels is None
                    or len(found.labels) == len(found.images)
                    and set(found.labels.tolist()) <= set(range(len(classes)))
                )
    if refusals == 2 * len(paths):
        raise refusal


# ------------------------------------------------------------------------------------------------ the host
# link


class _Port:
    """A serial port on which a board sends fixed bytes, whatever the request."""

    baudrate = 1_000_000_000
    in_waiting = 1  # byte by byte, so that nothing is sent before a request

    def __init__(self, data):
        self._data = data

    def write(self, data):
        pass

    def read(self, count):
        got, self._data = self._data[:count], self._data[count:]
        return got

    def close(self):
        pass


@cache
def _answers(signs):
    """What a sound board says to `Link.classify` of one image: its identity, and a result; `signs` is whether
    those decide.
    """
    from sbgen.boards import frames, messages
    from sbgen.hw.protocol import CLASSIFY, IDENTIFY, RESPONSE

    identity = messages.Identity(
        lanes=4, outputs=3, pixels=16, digest=b"sbgensbg", signs=signs, top_k=int(not signs)
    )
    result = struct.pack("<3iB", -7, 0xDB, 5, 0b110 if signs else 1)
    return (
        frames.Frame(command=IDENTIFY | RESPONSE, sequence=1, payload=identity.encode()),
        frames.Frame(command=CLASSIFY | RESPONSE, sequence=2, payload=result),
    )


def _link_seeds():
    seeds = []
    for signs in False, True:
        identity, result = (frame.encode() for frame in _answers(signs))
        seeds += [identity + result, b"\x00" + 2 * identity + result[:-3] + result]
    return seeds


def _load_link(data):
    from sbgen.boards import frames, host, messages
    from sbgen.boards.messages import WANT_ALL

    # Everything has arrived. The clock goes on when it is read, so that a slow machine reads as much as a
    # fast one.
    clock = SimpleNamespace(monotonic=map((1e-5).__mul__, itertools.count()).__next__)
    with mock.patch.object(host, "_PATIENCE", 0.001), mock.patch.object(host, "time", clock):
        (result,) = host.Link(port=_Port(data), number=1).classify(np.zeros((1, 16), np.uint8))
    # Only a mutation that corrects a checksum, and so a valid frame, may have another result.
    forged = any(frame not in (*_answers(False), *_answers(True)) for frame in frames.Reader().feed(data))
    right = [
        messages.parse_results(answer, identity=messages.parse_identity(identity), want=WANT_ALL, images=1)
        for identity, answer in map(_answers, (False, True))
    ]
    assert forged or any(
        np.array_equal(result.scores, each.scores) and np.array_equal(result.labels, each.labels)
        for each in right
    ), result


#: Every reader of what comes from outside.
READERS = {
    "pt": Reader(seeds=lambda: [_digits()], prepare=_file("net.pt"), read=_load_model),
    "pickle": Reader(seeds=lambda: [_pickle()], prepare=_archive, read=_load_model),
    "exchange": Reader(seeds=_exchange_seeds, prepare=_with_digest, read=_load_exchange, mutate=_json),
    "design": Reader(seeds=_design_seeds, prepare=_file("design.json"), read=_load_design, mutate=_json),
    "qonnx": Reader(
        seeds=lambda: [
            path.read_bytes()
            for path in sorted((HERE / "qonnx").glob("*.onnx"))
            if path.stat().st_size < 100_000
        ],
        read=_load_qonnx,
    ),
    "larq": Reader(
        seeds=lambda: [path.read_bytes() for path in sorted((HERE / "larq").glob("*.h5"))],
        prepare=_file("net.h5"),
        read=_load_larq,
    ),
    "idx": Reader(
        seeds=lambda: [
            struct.pack(">4I", 0x803, 2, 3, 4) + bytes(range(24)),
            struct.pack(">2I", 0x801, 3) + bytes(3),
        ],
        prepare=_idx_files,
        read=_load_idx,
    ),
    "samples": Reader(seeds=_sample_seeds, prepare=_sample_files, read=_load_samples),
    "link": Reader(seeds=_link_seeds, read=_load_link),
}


def _compared(trace):
    """atheris's tracing of a comparison, but where arrays are compared: it keeps every result for ever
    (3.0.0), and they are large.
    """

    def compared(left, right, operation, *rest):
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return _COMPARISONS[operation](left, right)
        return trace(left, right, operation, *rest)

    return compared


def _fuzz(atheris, reader, name, *, seconds, seed, corpus):
    """Let libFuzzer mutate for so many seconds of the processor; it ends the process."""

    def mutate(data, max_size, seed):
        # libFuzzer's own mutations find new tokens, the reader's keep the form.
        rng = random.Random(seed)
        return atheris.Mutate(data, max_size) if rng.randrange(2) else reader.mutate(data, rng)[:max_size]

    taken = tried = 0
    stop = _folder() / "stop"
    start = time.process_time()

    def test(data):
        nonlocal taken, tried
        if not tried:
            atheris._trace_cmp = _compared(atheris._trace_cmp)  # the one that fuzzing has put there
        taken += reader(data)
        tried += 1
        # libFuzzer's own limit names whatever input it meets when it looks, once a second.
        if (peak := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10) > MEGABYTES:
            raise Large(f"{peak} MiB for {len(data)} bytes")
        gc.collect()  # the arrays of a graph that was refused are garbage, and not the next input's
        spent = time.process_time() - start
        if spent >= seconds and not stop.exists():
            stop.write_text("libFuzzer ends when this is not empty")
            print(
                f"{name}: {tried:,} inputs, {taken:,} of them taken, in {spent:,.0f} s of the processor",
                flush=True,
            )

    corpus.mkdir(parents=True, exist_ok=True)
    for n, sound in enumerate(reader.seeds()):
        (corpus / f"seed-{n}").write_bytes(sound)
    gc.freeze()
    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-stop_file={stop}",
            f"-seed={seed}",
            "-rss_limit_mb=0",
            f"-timeout={_WALL_SECONDS}",
            "-print_final_stats=1",
            f"-max_len={4 * max(map(len, reader.seeds()))}",
        ],
        test,
        custom_mutator=mutate,
    )
    atheris.Fuzz()


def main():
    """Fuzz one reader for a time, or let it read the files named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("files", nargs="*", type=Path, help="read these instead of fuzzing")
    parser.add_argument("--seconds", type=int, default=600, help="of the processor (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--corpus", type=Path, metavar="DIR", help="folder for inputs that reach something new"
    )
    arguments = parser.parse_args()
    reader = READERS[arguments.reader]
    try:
        import atheris
    except ImportError:
        atheris = None
    with atheris.instrument_imports(include=["sbgen"]) if atheris else nullcontext():
        reader.warm()
    for path in arguments.files:
        print(f"{path}: {'taken' if reader(path.read_bytes()) else 'refused'}")
    if arguments.files:
        return
    if atheris is None:
        sys.exit("fuzzing needs atheris, which is not installed; try: pip install atheris")
    _fuzz(
        atheris,
        reader,
        arguments.reader,
        seconds=arguments.seconds,
        seed=arguments.seed,
        corpus=arguments.corpus or _folder() / "corpus",
    )


if __name__ == "__main__":
    main()
