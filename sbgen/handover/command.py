"""`sbgen build --core NAME`: from a trained network to a folder for somebody else's design. ::

model ─▶ network ─▶ design ─▶ core in its shell ─▶ files ─▶ their own bench ═ reference
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from .. import folding, tools, trial_images
from ..compiler import cycles, design_file, exchange, passes
from ..compiler.estimate import estimate
from ..compiler.frontends import model as model_file
from ..compiler.simulate import quickest, require
from ..compiler.weight_count import weights
from ..console import Console
from ..errors import FitError, ToolError
from ..output_folder import staged
from ..target import Target, requested
from . import check, folder
from .names import check_name

__all__ = ["run"]

_VECTORS = 10


def run(arguments: argparse.Namespace) -> None:
    """Write the folder as a whole, or raise and leave it as it was."""
    check_name(arguments.core)
    console = Console()
    target = _bare(requested(arguments))
    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        step.note(
            f"{model.network.name}: {len(model.network.layers)} layers, {sum(weights(model.network)):,}"
            " weights"
        )
    with console.step("read the images") as step:
        tried = trial_images.choose(
            network=model.network,
            trained_on=model.info,
            samples_file=arguments.samples,
            data=arguments.data,
            count=arguments.vectors or _VECTORS,
        ).first(arguments.vectors or _VECTORS)
        step.note(f"{len(tried.images):,} {tried}")
    with console.step("fold to the device") as step:
        network = passes.apply_passes(model.network, patchable=False)
        design = folding.fold(folding.Request.of(arguments), network, target).design
        if design.patchable:
            raise FitError("a core cannot be patchable: there is no bitstream to patch; use another --design")
        predicted = cycles.predict(design)
        size = estimate(design, target.device)
        step.note(
            f"{predicted.interval:,} cycles per image, about {size['lut']:,} LUT, {size['bram']} block RAM"
        )
    with console.step("write the core") as step:
        context = folder.prepare(
            design,
            tried.images,
            name=arguments.core,
            shell=arguments.shell or "stream",
            cycles=predicted,
            clock_mhz=target.clock_mhz,
            width=arguments.shell_width,
            packed=arguments.packed,
            roms=arguments.roms or "initial",
        )
        files = folder.files(context)
        step.note(f"{len(context.verilog.modules)} modules, {context.verilog.text.count(chr(10)):,} lines")
    _check(console, context, files)
    out_dir = arguments.out or Path("build") / arguments.core
    mark = f"{arguments.core}.json"
    names = [*sorted({*_earlier(out_dir / mark), *files, "network.json", "design.json"} - {mark}), mark]
    with staged(out_dir, names=names, force=arguments.force) as staging:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="ascii")
        exchange.save(design.network, staging / "network.json", recipe=model.info.get("recipe"))
        design_file.save(design, staging / "design.json")
    console.line(f"  {context.title}: {len(context.ports)} ports, {context.words} words per image")
    console.line(f"  see {out_dir / f'{arguments.core}.md'}")


def _bare(target: Target) -> Target:
    """Without what only boards of sbgen use: RAM that is loaded at start-up, and the host link."""
    return replace(target, device=replace(target.device, spram=0, host_link=False))


def _check(console: Console, context: folder.Context, files: dict[str, str]) -> None:
    """Run the folder's bench, and Verilator's linter; what is not installed is named."""
    with console.step("run its bench") as step, tools.temporary() as scratch:
        try:
            simulator = quickest(context.design.network, 2 * context.vectors.images)
        except ToolError as error:
            step.note(f"not run: {error}")
        else:
            checked = check.bench(context, files, scratch, simulator=simulator)
            step.note(
                f"{context.vectors.images} images, {len(context.vectors.expected):,} results equal,"
                f" {context.vectors.wrong} wrong lengths dropped ({checked.simulator})"
            )
    with console.step("lint it") as step, tools.temporary() as scratch:
        try:
            require("verilator")
        except ToolError as error:
            step.note(f"not run: {error}")
        else:
            said = check.lint(context, files, scratch)
            step.note(said.splitlines()[0] if said else "verilator -Wall has no warning that is not waived")


def _earlier(mark: Path) -> list[str]:
    """The files of an earlier build in the same folder."""
    try:
        found = json.loads(mark.read_text(encoding="ascii"))["files"]
        return [name for name in found if Path(name).name == name]
    except (OSError, ValueError, KeyError, TypeError):
        return []
