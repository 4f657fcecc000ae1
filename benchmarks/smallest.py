"""The smallest design for a rate: its logic cells, and those of its core without the host link.

Writes ``results/smallest.json``. Both are counted after packing, the core's with its ports as pins::

    python benchmarks/smallest.py --model tfc-mnist --board icebreaker --fps 10000 --clock 48
"""

import argparse

from estimate_designs import MODELS, measure
from record import write

from sbgen import boards, network_cache
from sbgen.boards.harness import clock_and_pll
from sbgen.compiler.cycles import predict
from sbgen.compiler.fold import fold


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tfc-mnist", help="name without .pt")
    parser.add_argument("--board", default="icebreaker")
    parser.add_argument("--fps", type=float, default=10_000)
    parser.add_argument("--clock", type=float, help="MHz (the board's default)")
    options = parser.parse_args()

    board = boards.get(options.board)
    clock_mhz, _ = clock_and_pll(board, options.clock)
    design = fold(
        network_cache.load(MODELS / f"{options.model}.pt"),
        board.device,
        cycles=int(clock_mhz * 1e6 / options.fps),
    )
    lut, bram = measure(board, design, clock_mhz=clock_mhz)
    core, _ = measure(board, design, alone=True)
    interval = predict(design).interval
    result = {
        "model": options.model,
        "board": options.board,
        "fps": options.fps,
        "clock_mhz": clock_mhz,
        "cycles_per_image": interval,
        "images_per_second": clock_mhz * 1e6 / interval,
        "lut": lut,
        "core_lut": core,
        "bram": bram,
    }
    print(result)
    write("smallest", result)


if __name__ == "__main__":
    main()
