"""``sbgen`` and ``python -m sbgen``: little enough that Ctrl-C in the first moment, while the rest is read,
ends in one line as later.
"""

import sys

__all__ = ["main"]


def main():
    """Run `sbgen.cli.main`; returns its exit code."""
    import _signal as signal  # the part of `signal` that is in C: there is nothing in it to interrupt
    import os

    begun = interrupted = False

    def begin():
        nonlocal begun
        begun = True

    def interrupt(number, frame):
        nonlocal interrupted
        interrupted = True
        if not begun:
            # An exception may be lost where modules are imported, and there is nothing yet to clean up.
            os.write(2, b"interrupted\n")
            os._exit(130)
        raise KeyboardInterrupt

    listens = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's background does not
    if listens:
        signal.signal(signal.SIGINT, interrupt)
    for name, mode in ("stdin", "r"), ("stdout", "w"), ("stderr", "w"):
        if getattr(sys, name) is None:
            # Closed by the caller. In this order each gets its own number back, which no file may have.
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    try:
        from .cli import main as run

        return run(begin=begin)
    except BaseException:
        # Of an interrupt while they are imported, some modules make an error of their own.
        if not interrupted:
            raise
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        if listens:
            # What Python still does before it ends must not turn Ctrl-C into a trace.
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
