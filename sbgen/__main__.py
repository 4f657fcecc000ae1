"""``sbgen`` and ``python -m sbgen``.

This module imports very little, so that Ctrl-C also ends in one line while the rest is imported.
"""

import sys

__all__ = ["main"]


def main() -> int:
    """Run `sbgen.cli.main` and return its exit code."""
    import _signal as signal  # the C part of `signal`, whose import cannot be interrupted
    import os

    begun = interrupted = False

    def begin() -> None:
        nonlocal begun
        begun = True

    def interrupt(number: int, frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        if not begun:
            # An exception may be lost while modules are imported, and there is nothing to clean up yet.
            os.write(2, b"interrupted\n")
            os._exit(130)
        raise KeyboardInterrupt

    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's background does not
    if listens:
        signal.signal(signal.SIGINT, interrupt)
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:
            # The caller closed it. In this order each gets its own number back, which no other file may have.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    try:
        from .cli import main as run

        return run(begin=begin)
    except BaseException:
        # Some modules turn an interrupt during their import into another error.
        if not interrupted:
            raise
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if listens:
            # Ctrl-C must not cause a trace while Python exits.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        if interrupted:
            # If a KeyboardInterrupt passed through an `exec` of text, as dataclasses use it, ``python -m``
            # ends by the signal and not with our exit code, though it was caught. Another `exec` forgets it.
            exec("")  # noqa: S102


if __name__ == "__main__":
    sys.exit(main())
