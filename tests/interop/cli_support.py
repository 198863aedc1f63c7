"""What the tests of the command share. They find it in $CINCH, mkpki in $MKPKI."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading

CINCH = os.environ["CINCH"]
MKPKI = os.environ["MKPKI"]
TIMEOUT = 60


def environment(home=None, **more):
    """A known one: nothing of the caller's locale, colours or trust."""
    result = {name: value for name, value in os.environ.items()
              if not name.startswith(("LC_", "SSL_CERT", "XDG_")) and name not in
              ("LANG", "NO_COLOR", "TERM", "CURL_CA_BUNDLE")}
    result["LC_ALL"] = "C.UTF-8"
    if home:
        result["XDG_DATA_HOME"] = str(home)
    result.update({name: str(value) for name, value in more.items()})
    return result


def cinch(*arguments, data=b"", home=None, cwd=None, **more):
    """Runs the command to its end."""
    return subprocess.run([CINCH, *map(str, arguments)], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=environment(home, **more), cwd=cwd,
                          timeout=TIMEOUT, check=False)


def connect_json(*arguments, code, home=None, **more):
    """cinch connect --json, which must end with CODE; what it printed."""
    done = cinch("connect", "--json", *arguments, home=home, **more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 1
    answer = json.loads(lines[0])
    assert answer["exit_code"] == code
    assert answer["ok"] is (code == 0)
    if code != 0:
        assert answer["error"]["what"]
        assert answer["error"]["remedy"]
        assert answer["error"]["exit_code"] == code
    return answer


class Serve:
    """cinch serve, on a port of the system's choice."""

    def __init__(self, *arguments, home=None, cwd=None, listen="localhost:0"):
        self.process = subprocess.Popen(
            [CINCH, "serve", "--listen", listen, *map(str, arguments)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=environment(home), cwd=cwd)
        self.first = self.line()
        if "--json" in arguments:
            self.port = json.loads(self.first)["port"]
        else:
            self.port = int(re.search(r":(\d+)/?$", self.first).group(1))
        self.place = f"localhost:{self.port}"

    def line(self):
        line = self.process.stdout.readline().decode().rstrip("\n")
        if not line:
            self.process.wait(TIMEOUT)
            raise AssertionError("cinch serve ended: " + self.process.stderr.read().decode())
        return line

    def connection_line(self):
        """The next line about a connection."""
        while True:
            line = self.line()
            if line.startswith("{") or re.match(r"(\d|\[).*  ", line):
                return line

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, which it does with 0."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=TIMEOUT)
        assert self.process.returncode == 0, (self.process.returncode, errors)
        assert b"Sanitizer" not in errors, errors.decode()
        return errors.decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.process.kill()
            self.process.communicate()
        else:
            self.stop()


class Peer:
    """A server of one connection in a thread: HANDLER gets the socket. Errors reach the test."""

    def __init__(self, handler, context=None):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(TIMEOUT)
        self.place = f"localhost:{self.listener.getsockname()[1]}"
        self.error = None
        self.handler = handler
        self.context = context
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        try:
            raw, _ = self.listener.accept()
            with raw:
                raw.settimeout(TIMEOUT)
                if self.context is None:
                    self.handler(raw)
                    return
                with self.context.wrap_socket(raw, server_side=True) as tls:
                    self.handler(tls)
        except Exception as error:  # told by the test, in __exit__
            self.error = error

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.thread.join(TIMEOUT)
        self.listener.close()
        if kind is None and self.error is not None:
            raise self.error


def quiet_for(tls, seconds):
    """True if the other side sends nothing, and does not end, for so long."""
    before = tls.gettimeout()
    tls.settimeout(seconds)
    try:
        tls.recv(1)
        return False
    except TimeoutError:
        return True
    finally:
        tls.settimeout(before)


def server_context(pem):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def client_context(ca):
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["http/1.1"])
    return context
