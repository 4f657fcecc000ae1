"""``sbgen`` and ``python -m sbgen``: little enough that Ctrl-C in the first moment, while the rest is read, ends in one line as later."""

import signal
import sys

__all__ = ["main"]


def main():
    """Run `sbgen.cli.main`; returns its exit code."""
    try:
        from .cli import main as run

        return run()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        # What Python still does before it ends must not turn Ctrl-C into a trace.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    sys.exit(main())
