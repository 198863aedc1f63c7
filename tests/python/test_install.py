"""install(), status(), `python3 -m cinch`, each in a process of its own."""

import os
import pathlib
import re
import subprocess
import sys
import textwrap
import tomllib

import pytest

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
PACKAGE = os.environ["CINCH_PYTHON_PACKAGE"]
SHADOW = pathlib.Path(__file__).parent / "shadow"


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


def python(*arguments, directory=None, path=PACKAGE):
    environment = dict(os.environ, PYTHONPATH=str(path))
    return Outcome(subprocess.run([sys.executable, *map(str, arguments)], env=environment,
                                  cwd=directory, text=True, capture_output=True))


def code(text, **more):
    return python("-c", textwrap.dedent(text), **more)


def test_ssl_gets_the_extension():
    done = code("""
        import cinch
        cinch.install()
        cinch.install()
        import ssl, _ssl
        cinch.install()
        print(_ssl.__file__, ssl.MemoryBIO.__module__, cinch.status().installed)
    """)
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(rf"{re.escape(PACKAGE)}/cinch/_cinch\.\S*so _ssl True\n", done.out)


@pytest.mark.parametrize("module", ["ssl", "_ssl"])
def test_too_late_is_an_error_that_says_so(module):
    done = code(f"""
        import {module}, cinch
        try:
            cinch.install()
        except RuntimeError as error:
            print(error)
        print(cinch.status())
    """)
    assert (done.code, done.err) == (0, "")
    assert f"too late: {module} is imported already" in done.out
    assert "python3 -m cinch" in done.out and "CINCH_PYTHON=1" in done.out
    assert "ssl is not on libcinch, but on " in done.out


def test_status_says_what_there_is():
    done = code("""
        import cinch
        print(cinch.status())
        cinch.install()
        print(cinch.status())
        print(repr(cinch.status()))
    """)
    lines = done.out.splitlines()
    assert lines[0] == "ssl is not on libcinch: nothing has called cinch.install()"
    assert lines[4] == "ssl is on libcinch"
    assert lines[5].startswith("libcinch:  ") and lines[6].startswith("OpenSSL:   OpenSSL 3.")
    assert lines[7].startswith(f"extension: {PACKAGE}/cinch/_cinch.")
    assert lines[8].startswith("<cinch.Status installed=True libcinch='")


def test_the_versions_agree():
    project = tomllib.loads((SOURCE / "python" / "pyproject.toml").read_text())["project"]
    done = code("import cinch; print(cinch.__version__, cinch.status().libcinch)")
    assert done.out.split() == [project["version"]] * 2


def test_a_directory_on_the_path_does_it_as_well():
    done = code("import ssl, _ssl; print(_ssl.__file__)", path=f"{SHADOW}:{PACKAGE}")
    assert "/cinch/_cinch." in done.out, done.err


@pytest.fixture
def program(tmp_path):
    (tmp_path / "neighbour.py").write_text("NAME = 'neighbour'\n")
    path = tmp_path / "program.py"
    path.write_text(textwrap.dedent("""
        import sys, _ssl, neighbour
        if __name__ == "__main__":
            print(sys.argv, sys.path[0], "_cinch" in _ssl.__file__, __file__)
            print(sys.modules["__main__"].neighbour.NAME)
            sys.exit(7)
    """))
    return path


def test_runs_a_program(program, tmp_path):
    done = python("-m", "cinch", program, "-m", "two words")
    assert (done.code, done.err) == (7, "")
    assert done.out == (f"['{program}', '-m', 'two words'] {tmp_path} True {program}\n"
                        "neighbour\n")


def test_runs_a_program_by_its_relative_name(program, tmp_path):
    done = python("-m", "cinch", "program.py", directory=tmp_path)
    assert done.out.startswith(f"['program.py'] {tmp_path} True "), done.err


def test_runs_a_module(program, tmp_path):
    done = python("-m", "cinch", "-m", "program", "--status", directory=tmp_path)
    assert (done.code, done.err) == (7, "")
    assert done.out.startswith(f"['{program}', '--status'] {tmp_path} True ")


def test_runs_a_directory(program, tmp_path):
    (tmp_path / "app").mkdir()
    program.rename(tmp_path / "app" / "__main__.py")
    (tmp_path / "neighbour.py").rename(tmp_path / "app" / "neighbour.py")
    done = python("-m", "cinch", tmp_path / "app", "x")
    assert (done.code, done.err) == (7, "")
    assert done.out.startswith(f"['{tmp_path}/app', 'x'] {tmp_path}/app True ")


def test_runs_a_line_of_code():
    done = python("-m", "cinch", "-c",
                  "import sys, _ssl; print(sys.argv, __name__, '_cinch' in _ssl.__file__)", "-x")
    assert (done.code, done.out, done.err) == (0, "['-c', '-x'] __main__ True\n", "")


def test_tells_the_status():
    done = python("-m", "cinch", "--status")
    assert (done.code, done.err) == (0, "") and done.out.startswith("ssl is on libcinch\n")


@pytest.mark.parametrize("arguments, words", [
    ([], "nothing to run"),
    (["--"], "nothing to run"),
    (["-m"], "-m needs one more argument"),
    (["-c"], "-c needs one more argument"),
    (["--stats"], "unknown option --stats"),
    (["/nonexistent/x.py"], 'cannot run "/nonexistent/x.py": there is no such file'),
    (["-m", "no_such_module"], 'no module named "no_such_module"'),
    (["-m", "no_such.module"], 'no module named "no_such.module"'),
])
def test_a_mistake_is_told_in_one_line(arguments, words):
    done = python("-m", "cinch", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"python3 -m cinch: {words}") and done.err.count("\n") == 1


def test_help():
    done = python("-m", "cinch", "--help")
    assert done.code == 0 and "--status" in done.out
