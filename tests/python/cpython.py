"""cpython.py EXTENSION SUITE [OPTION]...

Runs one of CPython's own suites in a process whose `_ssl` is the file EXTENSION. With any
other `_ssl` it runs nothing: that would prove nothing. The options are those of
`python3 -m test`.
"""

import os
import runpy
import sys

import _ssl


def main():
    extension, *arguments = sys.argv[1:]
    found = getattr(_ssl, "__file__", "built in")
    if os.path.realpath(found) != os.path.realpath(extension):
        sys.exit(f"_ssl is {found} and not {extension}")
    # What lies beside this file is not for the suites.
    sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    sys.argv[1:] = arguments
    runpy.run_module("test", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
