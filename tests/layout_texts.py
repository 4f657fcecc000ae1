"""Layouts of random bits, as the tools of each family write them."""


def ice40_text(rng, rams=((6, 3), (19, 5)), tiles=((1, 1), (2, 7))):
    """Block RAMs and logic tiles of random bits."""
    lines = [".comment from a test", ".device 5k"]
    for x, y in tiles:
        lines += (
            [f".logic_tile {x} {y}"]
            + ["".join(rng.choice("01") for _ in range(54)) for _ in range(16)]
            + [""]
        )
    for x, y in rams:
        lines += [f".ram_data {x} {y}"] + [f"{rng.getrandbits(256):064x}" for _ in range(16)] + [""]
    return "\n".join(lines) + "\n"


def ecp5_text(rng, rams=(0, 3)):
    text = ".device LFE5U-85F\n\n"
    for n in rams:
        words = [f"{rng.getrandbits(9):03x}" for _ in range(2048)]
        text += (
            f".bram_init {n}\n"
            + "".join(" ".join(words[at : at + 8]) + "\n" for at in range(0, 2048, 8))
            + "\n"
        )
    return text + ".tile R1C1:PLC2\nword: SLICEA.K0.INIT 0000000011111111\n"
