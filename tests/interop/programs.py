"""Starting programs, ours and others', and waiting for what they say. Nothing here sleeps: a
server is ready when it has printed its line, or when it accepts a connection."""

import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

CINCH = os.environ["CINCH"]
MKPKI = os.environ["MKPKI"]

# For one step of a test. Generous, because the machine may be busy; a test that is right never
# waits for it.
LIMIT = 30


class Outcome:
    """What a program that has ended left behind."""

    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    @property
    def text(self):
        """Standard output and error together, as text."""
        return (self.out + self.err).decode(errors="replace")

    @property
    def json(self):
        return json.loads(self.out)


def run(*args, stdin=b"", limit=LIMIT, env=None):
    """Runs a program to its end."""
    return Outcome(subprocess.run([str(arg) for arg in args], input=stdin, capture_output=True,
                                  timeout=limit, check=False, env=env))


class Running:
    """A program in the background, with its lines as they come. Use it with `with`."""

    def __init__(self, *args, env=None):
        self.args = [str(arg) for arg in args]
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, bufsize=0, env=env)
        self.output = b""
        self.taken = 0
        self.ended = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.output += data
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def wait_for(self, pattern, limit=LIMIT):
        """Waits for a match in the output behind the last one, and returns it."""
        regex = re.compile(pattern.encode(), re.MULTILINE)
        deadline = time.monotonic() + limit
        with self.changed:
            while True:
                match = regex.search(self.output, self.taken)
                if match:
                    self.taken = match.end()
                    return match
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    raise AssertionError(f"{' '.join(self.args)}: no {pattern!r} in what it said:\n"
                                         + self.output.decode(errors="replace"))
                self.changed.wait(left)

    def send(self, data):
        self.process.stdin.write(data)

    def end_input(self):
        self.process.stdin.close()

    def wait(self, limit=LIMIT):
        """Waits for the program's own end, and returns its exit status."""
        code = self.process.wait(limit)
        self.reader.join(limit)
        return code

    @property
    def text(self):
        with self.changed:
            return self.output.decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.reader.join(LIMIT)
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


class Serve(Running):
    """`cinch serve` on a free port of localhost, unless --listen comes again."""

    def __init__(self, *args, env=None):
        super().__init__(CINCH, "serve", "--json", "--listen", "localhost:0", *args, env=env)
        try:
            self.port = self.event()["port"]
        except BaseException:
            super().__exit__()
            raise

    def __exit__(self, kind=None, *_):
        """Asks it to end, which it does with 0; a sanitizer then tells of leaks."""
        if kind is None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.wait() == 0, self.text
        super().__exit__()

    def event(self):
        """The next line, as an object: what was agreed with a client, or what failed."""
        return json.loads(self.wait_for(r"^\{.*\}\n").group())

    def agreed(self):
        event = self.event()
        assert event["event"] == "connection", event
        return event["peer"]

    def failed(self):
        event = self.event()
        assert event["event"] == "failed", event
        return event["error"]


class OpensslServer(Running):
    """`openssl s_server`, which says which port it was given."""

    def __init__(self, *args):
        super().__init__("openssl", "s_server", "-accept", "127.0.0.1:0", *args)
        try:
            self.port = int(self.wait_for(r"^ACCEPT .*:(\d+)$").group(1))
        except BaseException:
            self.__exit__()
            raise


class GnutlsServer(Running):
    """`gnutls-serv`, which cannot be given port 0: one that was just free, and again if another
    program was faster."""

    def __init__(self, *args):
        for attempt in range(5):
            self.port = free_port()
            super().__init__("gnutls-serv", "--port", self.port, *args)
            try:
                self.wait_for(r"listening on IPv4 .*done")
                return
            except AssertionError:
                self.__exit__()
                if attempt == 4:
                    raise


def at_terminal(command, question, answer, env=None):
    """Runs a program at a terminal of its own, and types ANSWER when it asks QUESTION. Its exit status
    and what was to be seen."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(command[0], [str(word) for word in command], os.environ if env is None else env)
    seen = b""
    typed = False
    while True:
        assert select.select([terminal], [], [], LIMIT)[0], seen
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break  # the terminal's way to say that nobody is there any more
        if not data:
            break
        seen += data
        if not typed and question in seen:
            os.write(terminal, answer)
            typed = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port, *args, host="localhost", stdin=None, **options):
    """`cinch connect`; without standard input only the JSON report is wanted."""
    first = [CINCH, "connect"] + (["--json"] if stdin is None else [])
    return run(*first, *args, f"{host}:{port}", stdin=stdin or b"", **options)


def agreed(port, *args, **options):
    """What `cinch connect` agreed with a server."""
    outcome = connect(port, *args, **options)
    assert outcome.code == 0, outcome.text
    report = outcome.json
    assert report["ok"] and report["exit_code"] == 0 and "error" not in report
    assert report["peer"]["verified"]
    return report["peer"]


def refused(port, *args, **options):
    """Its exit code and cause, where it must not connect."""
    outcome = connect(port, *args, **options)
    assert outcome.code != 0, outcome.text
    report = outcome.json
    assert not report["ok"] and report["exit_code"] == outcome.code
    assert report["error"]["what"] and report["error"]["remedy"]
    return outcome.code, report["error"]["cause"]
