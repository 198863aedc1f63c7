"""The README alone is enough: its programs are compiled as it says, against what `make install`
installs, run as it says, and refuse what they should."""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

import programs

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
BUILD = pathlib.Path(os.environ["CINCH_BUILD"])
TEXT = (SOURCE / "README.md").read_text()
PROGRAMS = re.findall(r"^```c\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^```sh run\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
OUTPUT = re.search(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL).group(1)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What a distribution's package would hold."""
    root = tmp_path_factory.mktemp("root")
    meson = "/usr/bin/meson" if os.access("/usr/bin/meson", os.X_OK) else "meson"
    outcome = programs.run(meson, "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root,
                           limit=60)
    assert outcome.code == 0, outcome.text
    return root


@pytest.fixture(scope="module")
def env(installed, tmp_path_factory):
    """The environment of somebody who has it under /usr/local, or wherever the prefix is."""
    library = next(installed.rglob("libcinch.so"))
    command = next(installed.rglob("bin/cinch"))
    return {**os.environ,
            "HOME": str(tmp_path_factory.mktemp("home")),
            "PATH": f"{command.parent}:{os.environ['PATH']}",
            "PKG_CONFIG_PATH": str(library.parent / "pkgconfig"),
            "PKG_CONFIG_SYSROOT_DIR": str(installed),
            "LD_LIBRARY_PATH": str(library.parent)}


@pytest.fixture(scope="module")
def desk(env, tmp_path_factory):
    """A directory where somebody has followed the README up to the compiler."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "client.c").write_text(PROGRAMS[0])
    (desk / "server.c").write_text(PROGRAMS[1])
    shell(COMMANDS[0].replace("cc -o", "cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o"), desk, env)
    return desk


def shell(script, desk, env, check=True):
    outcome = subprocess.run(["/bin/sh", "-c", script], cwd=desk, env=env, capture_output=True,
                             stdin=subprocess.DEVNULL, timeout=60, check=False)
    if check:
        assert outcome.returncode == 0, (outcome.stdout + outcome.stderr).decode()
    return outcome


def with_port(text, port):
    return text.replace("8443", str(port))


class Server(programs.Running):
    """The README's server, with any identity, on a port that was just free."""

    def __init__(self, desk, env, identity):
        for attempt in range(5):
            self.port = programs.free_port()
            # The tests' own shell gives it its directory and environment.
            script = 'cd "$1" && exec env LD_LIBRARY_PATH="$2" ./server "$3" "$4"'
            super().__init__("/bin/sh", "-c", script, "sh", desk, env["LD_LIBRARY_PATH"], identity,
                             self.port)
            if self.listens():
                return
            self.__exit__()
        raise AssertionError(self.text)

    def listens(self):
        row = re.compile(rf":{self.port:04X} \w+:0000 0A ")
        while self.process.poll() is None:
            for table in ("/proc/net/tcp", "/proc/net/tcp6"):
                if os.path.exists(table) and row.search(pathlib.Path(table).read_text()):
                    return True
        return False


@pytest.fixture(scope="module")
def identities(desk, env):
    """A CA as the README makes one, and what it issues, good and bad."""
    shell("cinch ca init && cinch ca issue localhost", desk, env)
    shell("cinch ca issue --out renamed.pem renamed.test", desk, env)
    shell("cinch ca issue --days -1 --out expired.pem localhost", desk, env)
    shell("cinch ca init --dir other && cinch ca issue --dir other --out stranger.pem localhost",
          desk, env)
    return pathlib.Path(env["HOME"]) / ".local/share/cinch/cinch-ca.pem"


def client(desk, env, port, ca=None, host="localhost"):
    env = {**env, **({"SSL_CERT_FILE": str(ca)} if ca else {})}
    return shell(f"./client {host} {port}", desk, env, check=False)


def test_programs_are_short():
    assert len(PROGRAMS) == 2
    code = [[line for line in program.splitlines() if line.strip()] for program in PROGRAMS]
    assert len(code[0]) <= 20 and len(code[1]) <= 30


def test_commands_in_order(desk, env, tmp_path):
    """The blocks as they stand, but for the port, and with a wait for the server."""
    for name in ("client", "server"):
        shutil.copy(desk / name, tmp_path)
    port = programs.free_port()
    wait = f"until ./client localhost {port} >/dev/null 2>&1 || [ $? -ne 3 ]; do :; done\n"
    script = with_port(COMMANDS[1] + "status=$?\n", port).replace("export SSL", wait + "export SSL")
    script += with_port(COMMANDS[2], port) + "refused=$?\nkill $!\nexit $((status * 16 + refused))"
    outcome = shell(script, tmp_path, {**env, "HOME": str(tmp_path)}, check=False)
    text = outcome.stdout.decode()
    errors = outcome.stderr.decode()
    assert outcome.returncode == 6, text + errors
    assert "200 OK" in text and "hello\n" in text
    # Both programs write there; what the README shows is the client's. OpenSSL's words may change.
    assert with_port(OUTPUT.split("detail:")[0], port) in errors, errors


def test_client_and_server(desk, env, identities):
    with Server(desk, env, "localhost.pem") as server:
        outcome = client(desk, env, server.port, identities)
        assert outcome.returncode == 0, outcome.stderr
        assert outcome.stdout == b"HTTP/1.0 200 OK\r\n\r\nhello\n"
        curl = programs.run("curl", "-sS", "--cacert", identities,
                            f"https://localhost:{server.port}/")
        assert curl.out == b"hello\n", curl.text


@pytest.mark.parametrize("identity, code", [("renamed.pem", 6), ("expired.pem", 7),
                                            ("stranger.pem", 5)])
def test_client_refuses(desk, env, identities, identity, code):
    with Server(desk, env, identity) as server:
        outcome = client(desk, env, server.port, identities)
        assert outcome.returncode == code, outcome.stderr
        assert outcome.stdout == b""
        assert outcome.stderr.startswith(b"error: ")


def test_client_believes_the_system_alone(desk, env, identities):
    if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        pytest.skip("there are no ca-certificates")
    with Server(desk, env, "localhost.pem") as server:
        assert client(desk, env, server.port).returncode == 5


def test_client_tells_what_is_cut(desk, env, identities):
    with programs.Running(SOURCE / "docs" / "trouble.py", "0", "cut",
                          desk / "localhost.pem") as trouble:
        port = trouble.wait_for(r"^listening on .*:(\d+)$").group(1).decode()
        outcome = client(desk, env, port, identities)
    assert outcome.returncode == 10
    assert b"close_notify" in outcome.stderr


def test_client_of_cinch_serve(desk, env, identities, web):
    with programs.Serve("--identity", desk / "localhost.pem", web) as server:
        outcome = client(desk, env, server.port, identities)
        assert outcome.returncode == 0, outcome.stderr
        assert b"hello.txt" in outcome.stdout


def test_server_outlives_bad_clients(desk, env, identities):
    with Server(desk, env, "localhost.pem") as server:
        assert client(desk, env, server.port, desk / "other/cinch-ca.pem").returncode == 5
        plain = programs.run("curl", "-sS", f"http://localhost:{server.port}/")
        assert plain.code != 0
        assert client(desk, env, server.port, identities).returncode == 0
        # One that says nothing is let go after five seconds at most.
        with socket.create_connection(("localhost", server.port)):
            assert client(desk, env, server.port, identities).returncode == 0


def test_server_needs_its_identity(desk, env, identities):
    outcome = shell("./server nowhere.pem 0", desk, env, check=False)
    assert outcome.returncode == 2
    assert b"nowhere.pem" in outcome.stderr


def test_libcurl_with_pkg_config(desk, env, identities):
    """As README.md has it, with what is installed; libcinch brings no libcurl along."""
    if programs.run("pkg-config", "--exists", "libcurl").code != 0:
        pytest.skip("there is no libcurl4-openssl-dev")
    shutil.copy(SOURCE / "examples" / "curl_https.c", desk / "fetch.c")
    command = re.search(r"^cc (-o fetch .*)$", TEXT, re.MULTILINE).group(1)
    shell(f"cc -std=c11 -Wall -Wextra -Wpedantic -Werror {command}", desk, env)
    with Server(desk, env, "localhost.pem") as server:
        outcome = shell(f"./fetch https://localhost:{server.port}/ {identities}", desk, env)
        assert outcome.stdout == b"hello\n"
        assert shell(f"./fetch https://127.0.0.1:{server.port}/ {identities}", desk, env,
                     check=False).returncode == 6
    library = next(pathlib.Path(env["LD_LIBRARY_PATH"]).glob("libcinch.so"))
    assert "curl" not in programs.run("ldd", library).text


def test_man_pages_are_installed(installed):
    pages = {path.name for path in installed.rglob("man3/*.3")}
    text = (SOURCE / "src" / "libcinch.map").read_text()
    if not shutil.which("scdoc"):
        pytest.skip("there is no scdoc")
    assert {"libcinch.3", "cinch_error.3"} <= pages
    for name in re.findall(r"\b(cinch_\w+);", text):
        assert f"{name}.3" in pages
        page = next(installed.rglob(f"man3/{name}.3"))
        assert f"{name}\\fR()" in page.read_text() or f"\\fB{name}" in page.read_text(), name


def test_headers_and_causes_are_installed(installed):
    headers = {path.name for path in (SOURCE / "include" / "cinch").glob("*.h")}
    assert {path.name for path in installed.rglob("include/cinch/*.h")} == headers
    assert list(installed.rglob("doc/cinch/causes.md"))
