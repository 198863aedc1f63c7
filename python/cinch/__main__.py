"""python3 -m cinch PROGRAM [ARGUMENT...]
python3 -m cinch -m MODULE [ARGUMENT...]
python3 -m cinch -c CODE [ARGUMENT...]
python3 -m cinch --status

Runs a program, a module or a line of code whose ssl is on libcinch, as Python itself would run it.
"""

import importlib.util
import os
import runpy
import sys
import types

import cinch


def fail(text):
    sys.stderr.write(f"python3 -m cinch: {text}\n")
    sys.exit(2)


def run_program(path):
    if not os.path.exists(path):
        fail(f'cannot run "{path}": there is no such file')
    # A directory or an archive puts itself there, and everything else finds its neighbours.
    if not sys.flags.safe_path:
        if os.path.isdir(path) or path.endswith((".zip", ".pyz")):
            del sys.path[0]
        else:
            sys.path[0] = os.path.dirname(os.path.realpath(path))
    runpy.run_path(path, run_name="__main__")


def run_module(name):
    try:
        found = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        fail(f'no module named "{name}"')
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def run_code(code):
    if not sys.flags.safe_path:
        sys.path[0] = ""
    main = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    exec(compile(code, "<string>", "exec"), main.__dict__)


def main():
    arguments = sys.argv[1:]
    first = arguments[0] if arguments else None
    if first in ("-h", "--help"):
        print(__doc__, end="")
        return
    if first == "--status":
        cinch.install()
        print(cinch.status())
        return
    if first is None:
        fail("nothing to run; --help tells how")
    if first in ("-m", "-c"):
        if len(arguments) < 2:
            fail(f"{first} needs one more argument")
        cinch.install()
        sys.argv = [first, *arguments[2:]]
        run_module(arguments[1]) if first == "-m" else run_code(arguments[1])
        return
    if first == "--":
        arguments = arguments[1:]
    elif first.startswith("-"):
        fail(f"unknown option {first}; --help tells which there are")
    if not arguments:
        fail("nothing to run; --help tells how")
    cinch.install()
    sys.argv = arguments
    run_program(arguments[0])


if __name__ == "__main__":
    main()
