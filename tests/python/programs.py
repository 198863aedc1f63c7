"""What the tests with programs from Debian share: those are run unchanged, by the system's Python, with
its ssl on libcinch or on what Python itself has."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).parent
PACKAGE = os.environ["CINCH_PYTHON_PACKAGE"]
MKPKI = os.environ["MKPKI"]
LIMIT = 120


def present(*names):
    """Those modules that this release of Debian has, and that are installed; the others get a line."""
    found = [name for name in names if importlib.util.find_spec(name) is not None]
    for name in names:
        if name not in found:
            print(f"left out, because it is not installed: {name}")
    return found


def environment(ours=True, **more):
    """Nothing of the caller's trust or proxies; with OURS ssl is on libcinch."""
    result = {name: value for name, value in os.environ.items()
              if not re.match(r"PYTHONPATH$|CINCH_PYTHON$|SSL_CERT_|PIP_|.*_proxy$|REQUESTS_|CURL_", name,
                              re.IGNORECASE)}
    # The sanitizer's runtime is for what loads the extension: curl stops in its first setlocale() with it.
    if not ours and "PYTHONPATH" not in more:
        result.pop("LD_PRELOAD", None)
    if ours:
        result["PYTHONPATH"] = f"{HERE / 'shadow'}:{PACKAGE}"
    result.update({name: str(value) for name, value in more.items()})
    return result


def run(*command, env=None, **more):
    return subprocess.run([str(word) for word in command], env=env or environment(False), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT, **more)


def is_ours(extension):
    return extension.startswith(f"{PACKAGE}/cinch/_cinch.")


def clients(names, port, ca, ours=True):
    """What client.py tells of one request with each of the libraries NAMES."""
    done = run(sys.executable, HERE / "client.py", ",".join(names), "localhost", port, ca,
               env=environment(ours))
    assert done.returncode == 0, done.stdout
    answers = json.loads(done.stdout.splitlines()[-1])
    assert is_ours(answers["extension"]) == ours, answers
    return answers


def client(name, port, ca, ours=True):
    return clients([name], port, ca, ours)[name]


class Server:
    """A server in the background that says its port in a line that matches READY. Use it with `with`."""

    def __init__(self, *command, ready, env=None, cwd=None):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=env or environment(False), cwd=cwd)
        self.text = ""
        self.port = None
        self.timer = threading.Timer(LIMIT, self.process.kill)
        self.timer.start()
        for line in self.process.stdout:
            self.text += line.decode(errors="replace")
            match = re.search(ready, self.text)
            if match:
                self.port = int(match.group(1))
                break
        if self.port is None:
            self.__exit__()
            raise AssertionError(self.text)
        # A full pipe would stop it.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.text += line.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.timer.cancel()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.wait()
        if self.port is not None:
            self.reader.join(LIMIT)
        self.process.stdin.close()
        self.process.stdout.close()


class OpensslServer(Server):
    """`openssl s_server -www` with a certificate of mkpki's."""

    def __init__(self, pki, name, *more):
        super().__init__("openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-naccept", "1000",
                         "-cert", pki / f"{name}.pem", "-key", pki / f"{name}.key",
                         "-cert_chain", pki / f"{name}-chain.pem", *more,
                         ready=r"ACCEPT [^\n]*:(\d+)\n")


class PythonServer(Server):
    """One of those that server.py has."""

    def __init__(self, pki, name, ours, certificate="good", directory=None):
        super().__init__(sys.executable, HERE / "server.py", name, pki / f"{certificate}-chain.pem",
                         pki / f"{certificate}.key", env=environment(ours), cwd=directory,
                         ready=r"port (\d+)\n")
        extension = re.search(r"extension (.*)\n", self.text).group(1)
        assert is_ours(extension) == ours, self.text
