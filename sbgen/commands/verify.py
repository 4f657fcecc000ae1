"""`sbgen verify`: a built design against its model, rung by rung, down to the bits of the bitstream.

::

    model ─▶ integer network ─▶ Amaranth ─▶ core.v ─▶ top.v ─▶ netlist ─▶ placed netlist ─▶ bitstream ─▶
    Verilog again
             reference ═══ scores of every class, every image ═══════════════════════╝           ╚═ weights
"""

import gzip
import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

from .. import __version__, evidence, tools
from ..arguments import add_images, at_least, images
from ..compiler import shipped
from ..console import Console
from ..errors import BoardError, ModelError, ToolError
from ..ledger import RungError, SkippedError, climb

__all__ = ["Built", "add_arguments", "run"]

#: Images that a rung takes at most, besides what the user asks for: the slow ones compute tens of cycles a
#: second.
_PINS_IMAGES = 5
_AMARANTH_CYCLES = 3000
_ICARUS_WEIGHTS = 4_000_000


def add_arguments(parser):
    """Add the options of `sbgen verify`."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="a folder of `sbgen build`")
    parser.add_argument(
        "--bitstream",
        type=Path,
        metavar="FILE",
        help=(
            "only check this bitstream: is it the one of DIR (or of the folder it is in), or patched from it,"
            " bit for bit"
        ),
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE",
        help="the model file that DIR was built from (found where it was)",
    )
    parser.add_argument(
        "--images",
        type=images,
        default=300,
        metavar="N",
        help=(
            "the first N of the samples or test set, or all (%(default)s); the slow rungs take the first few"
            " of them"
        ),
    )
    add_images(parser).add_argument(
        "--seed", type=at_least(0), metavar="N", help="random images of this seed instead of the test set"
    )


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build has left.

    Parameters
    ----------
    folder : Path
    report : dict
    board : BoardSpec
    design : Design
    """

    folder: Path
    report: dict
    board: object
    design: object

    @classmethod
    def load(cls, folder):
        """A folder of `sbgen build`; a `ModelError` when it is none."""
        from .. import boards
        from ..compiler import design_file, exchange

        try:
            report = json.loads((folder / "report.json").read_text(encoding="ascii"))
            board = boards.get(report["board"])
            report["files"].items()
        except OSError as error:
            raise ModelError(
                f"{folder} must be a folder of `sbgen build`, but its report.json cannot be read: "
                f"{error.strerror or error}"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{folder}: report.json must be that of a build, but it is damaged "
                f"({type(error).__name__}); build again"
            ) from error
        return cls(
            folder=folder,
            report=report,
            board=board,
            design=design_file.load(folder / "design.json", exchange.load(folder / "network.json")),
        )

    @property
    def network(self):
        return self.design.network

    @property
    def family(self):
        return self.board.family

    def core(self):
        """A core to look at or to simulate."""
        from ..compiler import lower

        return lower.lower(self.design)

    @cached_property
    def top(self):
        """The top level, as it was built."""
        from ..boards import harness
        from ..compiler import exchange

        return harness.Top(
            core=self.core(),
            board=self.board,
            clock_mhz=self.report["timing"]["clock_mhz"],
            digest=bytes.fromhex(exchange.digest(self.network)),
            patchable=self.design.patchable,
        )

    def verilog(self, name):
        """The text of ``core.v`` or ``top.v``."""
        try:
            return (self.folder / name).read_text(encoding="ascii")
        except OSError as error:
            raise SkippedError(f"{name} is not there") from error

    def netlist(self, name):
        """The netlist of that name, as `sbgen.boards.netlist.load` gives it."""
        from ..boards import netlist

        if self.design.patchable:
            raise SkippedError("the netlists of a patchable build hold noise in place of weights")
        if not (self.folder / name).exists():
            raise SkippedError(f"{name} is not there: built without a bitstream, or by an earlier sbgen")
        return netlist.load(self.folder / name)

    @property
    def flash(self):
        """What the board's flash holds behind the bitstream: the weights that are loaded at start-up; empty
        where there are none.
        """
        from ..boards import flash_image

        if not self.top.load_cycles:
            return b""
        bitstream = self.folder / "top.bin"
        # A build without a bitstream has them alone.
        return (
            bitstream.read_bytes()[flash_image.OFFSET :]
            if bitstream.exists()
            else (self.folder / "weights.bin").read_bytes()
        )

    @property
    def bitstream_name(self):
        return self.family.bitstream_file

    @property
    def bitstream(self):
        """The build's own bitstream."""
        if (self.folder / self.bitstream_name).exists():
            return self.folder / self.bitstream_name
        raise SkippedError("there is no bitstream: built with --no-bitstream")

    def digest(self, name):
        """SHA-256 of a file of the build, as the report has it; a `ModelError` when it has none."""
        digest = self.report["files"].get(name)
        if not isinstance(digest, str):
            raise ModelError(
                f"{self.folder}: report.json must have the SHA-256 of {name}, but it has none; build again"
            )
        return digest

    @cached_property
    def layout(self):
        """The layout that the build packed its bitstream from, as text."""
        from ..boards.flow import LAYOUT

        try:
            packed = (self.folder / LAYOUT).read_bytes()
        except OSError as error:
            raise SkippedError(
                f"{LAYOUT} is not there: built without a bitstream, or by an earlier sbgen"
            ) from error
        if hashlib.sha256(packed).hexdigest() != self.digest(LAYOUT):
            raise RungError(f"{LAYOUT} is not the one that was built")
        return gzip.decompress(packed).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Images:
    """Images and what the reference computes of them.

    Parameters
    ----------
    tried : TrialImages
        N images.
    scores : int64 array, shape (N, classes)
    accuracy : float or None
        Of the reference, 0 ... 1; None where no true classes are known.
    than_built : str
        How the images compare with those of the build, in words.
    """

    tried: object
    scores: object
    accuracy: float | None
    than_built: str

    @property
    def images(self):
        """uint8 array, shape (N, *image_shape)"""
        return self.tried.images

    def __str__(self):
        return f"{len(self.images):,} {self.tried}{self.than_built}" + (
            ""
            if self.accuracy is None
            else f"; the reference is right on {self.accuracy:.2%} of these {len(self.images):,}"
        )

    def about(self):
        """What the ledger says of the images."""
        return self.tried.about() | {"accuracy": self.accuracy}

    def first(self, count):
        return self.images[:count], self.scores[:count]


def run(arguments):
    """Climb the rungs; the exit code is 1 when one has failed."""
    from amaranth.hdl import UnusedElaboratable

    # Components are also made to be asked for their widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    if arguments.folder is None and arguments.bitstream is None:
        raise ModelError(
            "a folder of `sbgen build`, or --bitstream FILE, must be given; try: sbgen verify"
            " build/digits-icebreaker"
        )
    built = Built.load(arguments.folder or arguments.bitstream.absolute().parent)
    console = Console()
    read_back = (
        "weights in the bitstream",
        lambda step: _read_back(built, arguments.bitstream or built.bitstream),
    )
    configured = (
        "configuration in the bitstream",
        lambda step: _configuration(built, arguments.bitstream or built.bitstream),
    )
    if arguments.bitstream is not None:
        rungs = [
            ("bitstream of the build", lambda step: _origin(built, arguments.bitstream)),
            read_back,
            configured,
        ]
        if built.family.truth_tables and not built.design.patchable:
            rungs.append(
                ("truth tables in the bitstream", lambda step: _truth_tables(built, arguments.bitstream))
            )
    else:
        model = _model(arguments, built)
        tests = _tests(arguments, built)
        console.line(f"  {tests}")
        pins = partial(_pins, built, tests)
        rungs = [
            ("files of the build", lambda step: _files(built)),
            ("model, hardened", lambda step: _hardened(model, tests)),
            ("Amaranth simulator", partial(_amaranth, built, tests)),
            ("Verilog in Icarus", partial(_core, built, tests, "icarus")),
            ("Verilog in Verilator", partial(_core, built, tests, "verilator")),
            ("board's Verilog", partial(pins, lambda: _emitted(built))),
            ("netlist, synthesised", partial(pins, lambda: _netlist(built, "netlist.json.gz"))),
            ("netlist, placed and routed", partial(pins, lambda: _netlist(built, "placed.json.gz"))),
            read_back,
            configured,
            ("truth tables in the bitstream", lambda step: _truth_tables(built, built.bitstream)),
            ("bitstream as Verilog", partial(pins, lambda: _unpacked(built))),
        ]
    entries = climb(rungs, console=console)
    console.line()
    for entry in entries:
        console.line(
            f"  {entry.status:8} {entry.rung}", style={"PASS": "green", "FAIL": "bold red"}.get(entry.status)
        )
        console.line(f"           {entry.note}")
    if arguments.bitstream is None:
        evidence.keep(
            built.folder,
            "ledger",
            {
                "sbgen": __version__,
                "images": str(tests),
                "tried": tests.about(),
                "rungs": [asdict(entry) | {"seconds": round(entry.seconds, 1)} for entry in entries],
            },
        )
        console.line()
        console.line(f"  see {built.folder / 'report.html'}")
    # A bitstream that was named must have been read.
    return int(
        any(entry.status == "FAIL" or arguments.bitstream and entry.status != "PASS" for entry in entries)
    )


def _model(arguments, built):
    """Path of the model file, or why there is none."""
    told = built.report["model"]
    candidates = [Path(told["file"]), Path("models", told["file"]), shipped.path_of(Path(told["file"]).stem)]
    for path in [shipped.path_of(arguments.model)] if arguments.model else candidates:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == told["sha256"]:
            return path
    if arguments.model:
        raise ModelError(
            f"--model must be the file that {built.folder} was built from, with the SHA-256"
            f" {told['sha256'][:16]}..., but {arguments.model} is another, or not there"
        )
    return None


def _tests(arguments, built):
    """The images that the rungs take."""
    from .. import trial_images
    from ..compiler import reference

    network, report = built.network, built.report
    whole = trial_images.choose(
        network=network,
        samples_file=arguments.samples,
        dataset=report["model"].get("dataset", report["accuracy"]["dataset"]),
        data=arguments.data,
        count=arguments.images,
        pixel_range=report["model"].get("pixel_range", trial_images.PIXELS),
        seed=arguments.seed,
    )
    chosen = whole.first(arguments.images)
    scores, classes = reference.evaluate(network, chosen.images)
    return Images(
        tried=chosen,
        scores=scores,
        accuracy=chosen.accuracy(classes),
        than_built=_than_built(report.get("images"), whole),
    )


def _than_built(told, whole):
    """How images compare with those of the build, `told` by its report."""
    from .. import trial_images

    if not told or not told["sha256"]:
        return ""
    if told["sha256"] == whole.sha256:
        return ", those of the build"
    return f"; the build had {told['count']:,} others, {trial_images.words(told)}" + (
        " (give them with --samples)" if told["source"] == trial_images.SAMPLES else ""
    )


def _compare(found, expected):
    """A `_Wrong` at the first score that differs."""
    import numpy as np

    wrong = np.argwhere(found != expected)
    if len(wrong):
        image, index = map(int, wrong[0])
        raise _Wrong(
            image=image,
            index=index,
            expected=int(expected[image, index]),
            found=int(found[image, index]),
            count=len(wrong),
            of=expected.size,
        )


class _Wrong(Exception):
    """A score that differs, before it is known in which layer it went wrong."""

    def __init__(self, *, image, index, expected, found, count, of):
        super().__init__(
            f"scores, image {image}, output {index}: expected {expected}, found {found} ({count:,} of {of:,}"
            " scores differ)"
        )
        self.image = image


def _files(built):
    """Every file is the one that the build wrote."""
    from .build import OUTPUTS

    told = built.report["files"]
    written = [name for name in OUTPUTS if (built.folder / name).exists() and not name.startswith("report.")]
    for name in dict.fromkeys((*told, *written)):
        digest = built.digest(name)
        try:
            found = hashlib.sha256((built.folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise RungError(f"{name} is not there any more") from error
        if found != digest:
            raise RungError(
                f"{name} is not the one that was built: expected SHA-256 {digest[:16]}..., found"
                f" {found[:16]}..."
            )
    return f"{len(told)} files have the SHA-256 of the report"


def _hardened(path, tests):
    """The trained network, hardened, in PyTorch against the integer network."""
    if path is None:
        raise SkippedError("the model file is not at hand; give --model FILE")
    if path.suffix != ".pt":
        raise SkippedError(f"{path.name} is not a net.pt: its network is the integer one from the start")
    try:
        import torch
    except ImportError as error:
        raise SkippedError("needs torch; try: pip install 'sbgen[train]'") from error
    from ..train import checkpoint

    kept = checkpoint.load(path, force=True)
    with torch.no_grad():
        found = torch.cat(
            [
                kept.model(torch.from_numpy(tests.images[at : at + 500].copy()))
                for at in range(0, len(tests.images), 500)
            ]
        ).numpy()
    if kept.hardening is None:
        raise SkippedError("the model was never hardened: its scores are not integers")
    try:
        _compare(found, tests.scores)
    except _Wrong as wrong:
        raise RungError(str(wrong)) from None
    told = kept.accuracy.get("test", {})
    float_ = (
        f"; float {told['float']:.2%}, hardened {told['hardened']:.2%} of the test set"
        if {"float", "hardened"} <= set(told)
        else ""
    )
    return (
        f"all {tests.scores.size:,} scores of {len(tests.images):,} images equal the integer"
        f" network's{float_}"
    )


def _amaranth(built, tests, step):
    """The components, in Amaranth's own simulator."""
    from ..compiler import amaranth_simulator, cycles

    if built.design.patchable and built.board.device.fabric.patchable_store == "lut":
        raise SkippedError("patchable ROMs in LUTs are cells that it does not know")
    count = max(1, min(len(tests.images), _AMARANTH_CYCLES // cycles.predict(built.design).interval))
    images, scores = tests.first(count)
    return _run_core(
        built,
        tests,
        images,
        scores,
        lambda core, images, folder: amaranth_simulator.simulate(
            core, built.network, images, waves=folder and folder / "waves.vcd"
        ),
        step,
    )


def _core(built, tests, simulator, step):
    """The emitted Verilog of the core."""
    from ..compiler import simulate

    text = built.verilog("core.v")
    count = len(tests.images)
    if simulator == "icarus":
        count = max(1, min(count, _ICARUS_WEIGHTS // simulate.work(built.network)))
    images, scores = tests.first(count)

    def compute(core, images, folder):
        with tools.temporary() as temporary:
            made = simulate.Simulator(
                text,
                built.network,
                lanes=core.lanes,
                top_k=core.top,
                ram_contents=core.image,
                simulator=simulator,
                folder=folder or temporary,
                waves=folder is not None,
            )
            return made.run(images, progress=step.progress)

    return _run_core(built, tests, images, scores, compute, step)


def _run_core(built, tests, images, scores, compute, step):
    """Images through a core; at a difference once more with a waveform, to find the layer."""
    from ..compiler import waveform

    simulation = compute(built.core(), images, None)
    try:
        _compare(simulation.scores, scores)
    except _Wrong as wrong:
        core = built.core()
        first = max(0, wrong.image - 1)  # what went before may be why
        folder = _kept(built, step)
        compute(core, images[first : wrong.image + 1], folder)
        fault = waveform.first_fault(
            folder / "waves.vcd", core, built.network, images[first : wrong.image + 1]
        )
        found = (
            str(wrong)
            if fault is None
            else (
                f"{fault.layer}, image {first + fault.image}, index {fault.index}: expected {fault.expected},"
                f" found {'x' if fault.found is None else fault.found}; behind it {wrong}"
            )
        )
        raise RungError(f"{found}; waveform: {folder / 'waves.vcd'}") from None
    return (
        f"all {scores.size:,} scores of {len(images):,} images equal the reference ({simulation.simulator})"
    )


def _kept(built, step):
    """A folder for what a failure leaves to look at."""
    folder = built.folder / "verify" / "".join(c if c.isalnum() else "-" for c in step.title.lower())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _pins(built, tests, text, step):
    """A top level through the pins of its serial line."""
    from ..boards import pins
    from ..compiler import exchange, reference

    images, scores = tests.first(_PINS_IMAGES)
    verilog = text()
    digest = bytes.fromhex(exchange.digest(built.network))[:8]

    def ask(images, folder=None):
        with tools.temporary() as temporary:
            made = pins.Pins(
                verilog,
                built.network,
                simulator=_simulator(),
                divisor=built.top.divisor,
                reset_cycles=built.top.reset_cycles + built.top.load_cycles + 100,
                flash=built.flash,
                folder=folder or temporary,
                waves=folder is not None,
            )
            return made.ask(images, progress=step.progress)

    answers = ask(images)
    if answers.identity.digest != digest:
        raise RungError(
            f"the board tells another network: expected {digest.hex()}, found {answers.identity.digest.hex()}"
        )
    try:
        _compare(answers.scores, scores)
    except _Wrong as wrong:
        folder = _kept(built, step)
        ask(images[max(0, wrong.image - 1) : wrong.image + 1], folder)
        raise RungError(f"{wrong}; waveform: {folder / 'waves.vcd'}") from None
    wanted = reference.decide(built.network, scores)
    wrong = [n for n, label in enumerate(answers.labels) if (label != wanted[n]).any()]
    if wrong:
        what = "bits" if built.network.multi_label else "class"
        raise RungError(
            f"{what}, image {wrong[0]}: expected {wanted[wrong[0]]}, found {answers.labels[wrong[0]]}"
        )
    return (
        f"identified, and all {scores.size:,} scores of {len(images)} images, byte by byte through rx and tx,"
        f" equal the reference ({answers.simulator})"
    )


def _simulator():
    """The simulator for many cells: Verilator where it is there."""
    try:
        tools.find("verilator")
    except ToolError:
        tools.find("iverilog")
        return "icarus"
    return "verilator"


def _emitted(built):
    return built.verilog("top.v") + built.family.cells.plls.read_text(encoding="ascii")


def _netlist(built, name):
    from ..boards import netlist_verilog

    try:
        return netlist_verilog.verilog(built.netlist(name), family=built.family)
    except netlist_verilog.UnknownCellError as error:
        raise SkippedError(str(error)) from error


def _unpacked(built):
    """The bitstream, turned back into Verilog by a tool of its family."""
    from ..boards import bitstream

    if built.family.to_verilog is None:
        raise SkippedError(f"no open tool turns a bitstream of {built.family} back into Verilog")
    if built.top.load_cycles:
        raise SkippedError(
            "the tool for this leaves SPRAM out, in which this design has weights; the netlists and the truth"
            " tables show the rest"
        )
    return built.family.to_verilog(bitstream.unpack(built.bitstream, family=built.family), built.board)


def _read_back_patchable(built, path):
    """Every bit of every ROM, read back out of a patchable bitstream, is that of the network's Verilog."""
    from ..boards import patch
    from ..compiler import exchange

    # `sbgen patch` leaves the network that it has put in beside the bitstream.
    beside = path.with_suffix(".json")
    patched = beside.is_file() and beside.name != "network.json"
    network = exchange.load(beside) if patched else built.network
    read, wanted = patch.read(built.folder, path), patch.wanted(built.folder, network)
    of = f"those of {network.name}" + (f", which was patched in ({beside.name})" if patched else "")
    wrong = [
        (name, n, *pair)
        for name, memory in wanted.items()
        for n, pair in enumerate(zip(memory.words, read[name].words, strict=True))
        if pair[0] != pair[1]
    ]
    if wrong:
        name, n, expected, found = wrong[0]
        bit = (expected ^ found).bit_length() - 1
        place = _place(built, network, name, n, bit)
        raise RungError(
            f"{place}{name}, word {n}, bit {bit}: expected {expected >> bit & 1}, found {found >> bit & 1};"
            f" {len(wrong)} words are not {of}"
        )
    return (
        f"all {sum(memory.width * len(memory.words) for memory in wanted.values()):,} bits of {len(wanted)}"
        f" ROMs equal {of}; everything else in the bitstream has the digest of the build"
    )


def _place(built, network, name, word, bit):
    """Which numbers of which layer a bit of a ROM belongs to, in words that end with a colon."""
    import re
    from dataclasses import replace

    from ..compiler.stage import stages

    found = re.match(r"top\.core\.mvtu_(\d+)\.(weight|preset)_rom", name)
    if not found:
        return "the network's digest: " if "identity" in name else ""
    stage = stages(replace(built.design, network=network))[int(found[1])]
    unit = stage.unit
    if found[2] == "preset":
        return (
            f"{stage.layer.name}, the threshold or offset of output"
            f" {word * unit.pe + bit // unit.total_width}: "
        )
    group, part = divmod(word, unit.halves * unit.slices)
    return (
        f"{stage.layer.name}, weights of output {group * unit.pe + bit // unit.simd}, input"
        f" {part % unit.slices * unit.simd + bit % unit.simd} in the order of the unit: "
    )


def _origin(built, path):
    """A bitstream is the build's own file, or one that `sbgen patch` could have written from it."""
    from ..boards import bitstream, patch

    packed, expected = bitstream.read(path), built.digest(built.bitstream_name)
    found = hashlib.sha256(packed).hexdigest()
    if found == expected:
        return f"it has the SHA-256 of {built.bitstream_name} in the report"
    another = f"{path.name} is not this build's: expected SHA-256 {expected[:16]}..., found {found[:16]}..."
    if not built.design.patchable:
        raise RungError(another)
    try:
        patch.read(built.folder, path)
    except BoardError as error:
        raise RungError(f"{another}; nor is it patched from it: {error}") from None
    # What the unpacker does not show is in the bytes.
    if bitstream.pack(bitstream.unpack(path, family=built.family), family=built.family) != packed:
        raise RungError(
            f"{another}; nor is it patched from it: its header, comment or end is not what the packer writes"
        )
    return "patched: only ROM contents differ from the build's own file"


def _configuration(built, path):
    """Every bit of the bitstream that the unpacker shows is that of the placed layout, apart from patchable
    ROMs.
    """
    from .. import tools
    from ..boards import bitstream, configuration, flash_image, patch

    family, expected = built.family, built.layout
    packed = bitstream.pack(expected, family=family)
    if not family.unpacked_alike:
        with tools.temporary() as folder:
            (folder / "packed").write_bytes(packed)
            expected = bitstream.unpack(folder / "packed", family=family)
    texts = [expected, bitstream.unpack(path, family=family)]
    if built.design.patchable:
        texts = [patch.blank(built.folder, text) for text in texts]
    differences, count = configuration.compare(*texts, family=family)
    if differences:
        raise RungError(configuration.summary(differences))
    note = f"all {count:,} {family.compared} equal the placed layout" + (
        ", apart from the contents of its ROMs" if built.design.patchable else ""
    )
    found = bitstream.read(path)
    unseen = "header, comment, checksum and padding"
    if built.flash:
        packed = packed.ljust(flash_image.OFFSET, b"\xff")
        found = found[: flash_image.OFFSET]
        unseen += "; the weights for SPRAM after it are compared with the model's"
    if built.design.patchable:
        return f"{note}; not compared here: {unseen}"
    if found == packed:
        return f"{note}; packed again, it is the file byte for byte"
    return f"{note}; not compared: {unseen}, which another version of the packer writes otherwise"


def _truth_tables(built, path):
    """Every look-up table of the placed netlist, and so all numbers that became logic, is in the bitstream."""
    from ..boards import bitstream

    if built.family.truth_tables is None:
        raise SkippedError(f"the truth tables of {built.family} are not read here")
    differences, count = built.family.truth_tables(
        bitstream.unpack(path, family=built.family), built.netlist("placed.json.gz")
    )
    if differences:
        first = differences[0]
        raise RungError(
            f"{first.cell} at {first.where}: expected {first.expected:#06x}, found {first.found:#06x}, which"
            f" is that in no order of its inputs; {len(differences)} of {count:,} differ"
        )
    return f"all {count:,} equal those of the placed netlist, up to the order of inputs that routing chose"


def _read_back(built, path):
    """Every weight and threshold in block RAM, read back out of a bitstream, is the network's."""
    from ..boards import bitstream, flash_image, readback

    if built.design.patchable:
        return _read_back_patchable(built, path)
    parts = readback.read(
        design=built.design,
        verilog=built.verilog("top.v"),
        netlist=built.netlist("placed.json.gz"),
        rams=built.family.layout(bitstream.unpack(path, family=built.family)).block_rams(),
        family=built.family,
        flash=path.read_bytes()[flash_image.OFFSET :],
    )
    for part in parts:
        if part.difference is not None:
            raise RungError(f"{part.layer}, {readback.tell(part)}")
    bits, constant = (sum(getattr(part, name) for part in parts) for name in ("bits", "constant"))
    note = f"all {bits - constant:,} bits in memories equal the model's"
    logic = [f"{part.layer}'s {part.what}" for part in parts if not part.bits]
    if constant:
        logic.insert(0, f"{constant:,} bits that are the same in every word")
    return note + (
        f"; in logic, which the netlists and the truth tables show: {', '.join(logic)}" if logic else ""
    )
