"""Builds the extension against an installed libcinch: pip install --no-build-isolation ./python"""

import glob
import os
import shlex
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARIES = ["libcinch", "libssl", "libcrypto"]


def pkg_config(*arguments):
    command = [os.environ.get("PKG_CONFIG", "pkg-config"), *arguments]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"cinch: {error}\nInstall libcinch first (`make install`); where it is in a directory "
                 f"of its own, PKG_CONFIG_PATH has to lead to its libcinch.pc.")
    return shlex.split(done.stdout)


def run_paths():
    """Where the loader does not look by itself."""
    directories = [word[2:] for word in pkg_config("--libs-only-L", "libcinch")]
    return [path for path in directories if not path.startswith(("/usr/lib", "/lib"))]


class Build(build_ext):
    def build_extension(self, extension):
        os.makedirs(self.build_temp, exist_ok=True)
        include = pkg_config("--variable=includedir", "libcrypto") + ["/usr/include"]
        subprocess.run([sys.executable, os.path.join(HERE, "tools", "reasons"),
                        os.path.join(self.build_temp, "reason_names.h"), *include], check=True)
        extension.include_dirs.append(self.build_temp)
        extension.extra_compile_args += ["-std=c11", *pkg_config("--cflags", *LIBRARIES)]
        extension.extra_link_args += pkg_config("--libs", *LIBRARIES)
        extension.runtime_library_dirs += run_paths()
        super().build_extension(extension)


class BuildFiles(build_py):
    """cinch.pth is beside the package, where Python looks when it starts."""

    def run(self):
        super().run()
        self.copy_file(os.path.join(HERE, "cinch.pth"), os.path.join(self.build_lib, "cinch.pth"))

    def get_outputs(self, *arguments, **keywords):
        outputs = super().get_outputs(*arguments, **keywords)
        return outputs + [os.path.join(self.build_lib, "cinch.pth")]


os.chdir(HERE)
setup(
    ext_modules=[Extension("cinch._cinch", sorted(glob.glob("src/*.c")),
                           depends=glob.glob("src/*.h"))],
    cmdclass={"build_ext": Build, "build_py": BuildFiles},
)
