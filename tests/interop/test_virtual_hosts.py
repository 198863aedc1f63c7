"""examples/virtual_hosts.c, and who gets where with clients that are not ours."""

import os
import pathlib
import socket
import ssl

import pytest

import programs

PROGRAM = pathlib.Path(os.environ["CINCH_BUILD"]) / "examples" / "example-virtual_hosts"


class Server(programs.Running):
    """The example, which prints where it listens."""

    def __init__(self, *args):
        super().__init__(PROGRAM, *args)
        try:
            self.port = int(self.wait_for(r"^listening on .*:(\d+)$").group(1))
        except BaseException:
            self.__exit__()
            raise


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """What the server and its clients show."""
    folder = tmp_path_factory.mktemp("ca")
    assert programs.run(programs.CINCH, "ca", "init", "--dir", folder / "ca").code == 0
    for name, args in {"public": ("www.test",), "members": ("members.test",),
                       "alice": ("--client", "alice@example.test")}.items():
        outcome = programs.run(programs.CINCH, "ca", "issue", "--dir", folder / "ca", "--out",
                               folder / f"{name}.pem", *args)
        assert outcome.code == 0, outcome.text
    (folder / "ca.pem").symlink_to(folder / "ca" / "cinch-ca.pem")
    return folder


@pytest.fixture(scope="module")
def server(ca):
    with Server(ca / "public.pem", ca / "members.pem", ca / "ca.pem", "0") as running:
        yield running


def context(ca, identity=None):
    """A client's context of Python."""
    made = ssl.create_default_context(cafile=ca / "ca.pem")
    if identity is not None:
        made.load_cert_chain(ca / f"{identity}.pem")
    return made


def ask(made, server, name, session=None):
    """The server's answer to a client of Python, and the session that it gave."""
    with socket.create_connection(("localhost", server.port), timeout=20) as raw:
        with made.wrap_socket(raw, server_hostname=name, session=session) as wrapped:
            answer = b""
            while not answer.endswith(b"\n"):
                got = wrapped.recv(1000)
                if not got:
                    break
                answer += got
            return answer.decode(), wrapped.session


def test_each_host_has_its_rules(ca, server):
    assert ask(context(ca), server, "www.test")[0] == "www.test welcomes a guest\n"
    answer = ask(context(ca, "alice"), server, "members.test")[0]
    assert answer.startswith("members.test welcomes ") and "guest" not in answer


def test_members_show_a_certificate(ca, server):
    with pytest.raises(ssl.SSLError):
        ask(context(ca), server, "members.test")


def test_a_session_of_the_first_does_not_open_the_second(ca, server):
    made = context(ca)
    session = ask(made, server, "www.test")[1]
    assert ask(made, server, "www.test", session)[0] == "www.test welcomes a guest back\n"
    session = ask(made, server, "www.test")[1]
    with pytest.raises(ssl.SSLError):
        ask(made, server, "members.test", session)


def test_unknown_names_and_old_clients_are_refused(ca, server):
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized name"):
        ask(context(ca), server, "nobody.test")
    old = context(ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="(?i)access denied"):
        ask(old, server, "www.test")
    server.wait_for(r'a client for "www.test" looks like t12')
