"""The level of weights: those read back from the memories of a bitstream are the network's."""

from dataclasses import replace
from pathlib import Path

from ..boards import bitstream, flash_image, patch, readback
from ..built import Built
from ..compiler import exchange
from ..compiler.ir import Network
from ..compiler.pipeline import memory_path, stages
from ..console import Step
from ..hw import mvtu
from .level import LevelError
from .subject import Subject

__all__ = ["check"]


def check(subject: Subject, step: Step) -> str:
    """Compare every weight and threshold in memory."""
    built, path, family = subject.built, subject.bitstream, subject.family
    if built.design.patchable:
        return _check_patchable(built, path)
    parts = readback.read(
        design=built.design,
        verilog=built.top_verilog,
        netlist=built.netlist("placed.json.gz"),
        rams=family.layout(bitstream.unpack(path, family=family)).block_rams(),
        family=family,
        flash=path.read_bytes()[flash_image.OFFSET :],
    )
    for part in parts:
        if part.difference is not None:
            raise LevelError(f"{part.layer}, {readback.describe(part)}")
    bits, constant = (sum(getattr(part, name) for part in parts) for name in ("bits", "constant"))
    in_logic = [f"{part.layer}'s {part.what}" for part in parts if not part.bits]
    if constant:
        in_logic.insert(0, f"{constant:,} bits that are the same in every word")
    return f"all {bits - constant:,} bits in memories equal the model's" + (
        f"; in logic, which the netlists and the truth tables show: {', '.join(in_logic)}" if in_logic else ""
    )


def _check_patchable(built: Built, path: Path) -> str:
    """Compare every bit of every ROM of a patchable bitstream with the Verilog of the network."""
    # `sbgen patch` writes the network that it patched in next to the bitstream.
    network_file = path.with_suffix(".json")
    patched = network_file.is_file() and network_file.name != "network.json"
    network = exchange.load(network_file) if patched else built.network
    found, wanted = patch.read(built.folder, path), patch.wanted(built.folder, network)
    whose = f"those of {network.name}" + (f", which was patched in ({network_file.name})" if patched else "")
    wrong = [
        (name, n, *words)
        for name, memory in wanted.items()
        for n, words in enumerate(zip(memory.words, found[name].words, strict=True))
        if words[0] != words[1]
    ]
    if wrong:
        name, n, expected, word = wrong[0]
        bit = (expected ^ word).bit_length() - 1
        raise LevelError(
            f"{_meaning(built, network, name, n, bit)}{name}, word {n}, bit {bit}: expected"
            f" {expected >> bit & 1}, found {word >> bit & 1}; {len(wrong)} words are not {whose}"
        )
    return (
        f"all {sum(memory.width * len(memory.words) for memory in wanted.values()):,} bits of {len(wanted)}"
        f" ROMs equal {whose}; everything else in the bitstream has the digest of the build"
    )


def _meaning(built: Built, network: Network, memory: str, word: int, bit: int) -> str:
    """Which number of which layer a bit of a ROM belongs to, in words that end with a colon."""
    for n, stage in enumerate(stages(replace(built.design, network=network))):
        unit = stage.part(mvtu.Parameters)
        if unit is None:
            continue
        if memory == f"top.core.{memory_path(unit, 'preset_rom', n)}":
            output = word * unit.pe + bit // unit.total_width
            return f"{stage.layer.name}, the threshold or offset of output {output}: "
        if memory == f"top.core.{memory_path(unit, 'weight_rom', n)}":
            group, part = divmod(word, unit.halves * unit.slices)
            return (
                f"{stage.layer.name}, weights of output {group * unit.pe + bit // unit.simd}, input"
                f" {part % unit.slices * unit.simd + bit % unit.simd} in the order of the unit: "
            )
    return "the network's digest: " if "identity" in memory else ""
