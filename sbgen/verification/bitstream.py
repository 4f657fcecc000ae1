"""The levels of the bitstream itself: its origin, its configuration bits, its truth tables."""

import hashlib

from .. import tools
from ..boards import bitstream, flash_image, patch
from ..boards import configuration as configuration_bits
from ..console import Step
from ..errors import BoardError
from .level import LevelError, SkippedError
from .subject import Subject

__all__ = ["configuration", "has_truth_tables", "origin", "truth_tables"]


def origin(subject: Subject, step: Step) -> str:
    """Check that the bitstream is the build's own file, or one that `sbgen patch` could write from it."""
    built, path, family = subject.built, subject.bitstream, subject.family
    name = family.bitstream_file
    packed, expected = bitstream.read(path), built.digest(name)
    found = hashlib.sha256(packed).hexdigest()
    if found == expected:
        return f"it has the SHA-256 of {name} in the report"
    another = f"{path.name} is not this build's: expected SHA-256 {expected[:16]}..., found {found[:16]}..."
    if not built.design.patchable:
        raise LevelError(another)
    try:
        patch.read(built.folder, path)
    except BoardError as error:
        raise LevelError(f"{another}; nor is it patched from it: {error}") from None
    # The unpacker does not show every byte.
    if bitstream.pack(bitstream.unpack(path, family=family), family=family) != packed:
        raise LevelError(
            f"{another}; nor is it patched from it: its header, comment or end is not what the packer writes"
        )
    return "patched: only ROM contents differ from the build's own file"


def configuration(subject: Subject, step: Step) -> str:
    """Compare every bit that the unpacker shows with the placed layout, except patchable ROMs."""
    built, path, family = subject.built, subject.bitstream, subject.family
    expected = built.layout
    packed = bitstream.pack(expected, family=family)
    if not family.unpacked_alike:
        with tools.temporary() as folder:
            (folder / "packed").write_bytes(packed)
            expected = bitstream.unpack(folder / "packed", family=family)
    texts = [expected, bitstream.unpack(path, family=family)]
    if built.design.patchable:
        texts = [patch.blank(built.folder, text) for text in texts]
    differences, count = configuration_bits.compare(*texts, family=family)
    if differences:
        raise LevelError(configuration_bits.summary(differences))
    note = f"all {count:,} {family.compared} equal {family.compared_with}" + (
        ", apart from the contents of its ROMs" if built.design.patchable else ""
    )
    found = bitstream.read(path)
    unseen = "header, comment, checksum and padding"
    if built.spram_weights:
        packed = packed.ljust(flash_image.OFFSET, b"\xff")
        found = found[: flash_image.OFFSET]
        unseen += "; the weights for SPRAM after it are compared with the model's"
    if built.design.patchable:
        return f"{note}; not compared here: {unseen}"
    if found == packed:
        return f"{note}; packed again, it is the file byte for byte"
    return f"{note}; not compared: {unseen}, which another version of the packer writes differently"


def has_truth_tables(subject: Subject) -> bool:
    """Whether `truth_tables` can compare them."""
    return subject.family.truth_tables is not None and not subject.built.design.patchable


def truth_tables(subject: Subject, step: Step) -> str:
    """Compare every look-up table of the bitstream, and so every number that became logic, with the placed
    netlist.
    """
    compare = subject.family.truth_tables
    if compare is None:
        raise SkippedError(f"the truth tables of {subject.family} are not read here")
    differences, count = compare(
        bitstream.unpack(subject.bitstream, family=subject.family), subject.built.netlist("placed.json.gz")
    )
    if differences:
        first = differences[0]
        raise LevelError(
            f"{first.cell} at {first.where}: expected {first.expected:#06x}, found {first.found:#06x}, which"
            f" is that in no order of its inputs; {len(differences)} of {count:,} differ"
        )
    return f"all {count:,} equal those of the placed netlist, up to the order of inputs that routing chose"
