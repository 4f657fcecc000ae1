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


#: Commands before and after the frames, as gowin_pack writes them.
_GOWIN_HEADER = (
    "ff" * 20,
    "ffff",
    "a5c3",
    None,
    "1000000000ae0000",
    "5100ffffffffffff",
    "0b000000",
    "d200ffff00000000",
)
GOWIN_END = "ff" * 18 + "3473", "0a00000000001234", "ff" * 8, "08000000", "ff" * 8, "ffff"


def gowin_text(chip, rng, *, ram=True):
    """A bitstream of one of Gowin's chips."""
    grid, rows = chip.grid, 256 * len(chip.rows) if ram else 0
    size = -(-chip.width // 8)
    header = [chip.identity.hex() if line is None else line for line in _GOWIN_HEADER]
    header += ["12000000", f"3b80{grid + rows:04x}"]
    lines = [".header", *header, ".grid", *(rng.randbytes(size).hex() for _ in range(grid)), ".ram"]
    lines += [*(rng.randbytes(size).hex() for _ in range(rows)), ".end", *GOWIN_END]
    return "\n".join(lines) + "\n"
