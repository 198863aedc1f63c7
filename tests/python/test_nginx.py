"""nginx, as Debian has it, for Python's clients on libcinch: what they get, who they are, and that they
come back with the session that it gave them."""

import os
import shutil
import socket
import subprocess
import sys
import textwrap

import pytest

import programs

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
CLIENTS = programs.present("urllib", "http", "requests", "urllib3", "aiohttp", "httpx", "tornado")
LARGE = bytes(range(256)) * 8192

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx")

CONFIGURATION = """
daemon off;
user root;
pid {directory}/pid;
error_log stderr notice;
events {{
}}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  ssl_certificate {pki}/good-chain.pem;
  ssl_certificate_key {pki}/good.key;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:tests:1m;
  ssl_client_certificate {pki}/root.pem;
  ssl_verify_depth 3;
  ssl_verify_client optional;
  server {{
    listen 127.0.0.1:{port} ssl;
    root {directory}/files;
    location = / {{
      return 200 "$ssl_protocol $ssl_session_reused $ssl_client_verify $ssl_client_s_dn\\n";
    }}
  }}
}}
"""


@pytest.fixture(scope="module")
def nginx(pki, tmp_path_factory):
    """The port. It is the system's choice: nginx takes the socket over, as from the nginx before it."""
    directory = tmp_path_factory.mktemp("nginx")
    (directory / "files").mkdir()
    (directory / "files" / "large").write_bytes(LARGE)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        configuration = directory / "nginx.conf"
        configuration.write_text(CONFIGURATION.format(directory=directory, pki=pki, port=port))
        process = subprocess.Popen([NGINX, "-p", directory, "-e", "stderr", "-c", configuration],
                                   env=programs.environment(False, NGINX=f"{listener.fileno()};"),
                                   pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        try:
            yield port
        finally:
            process.terminate()
            text = process.communicate()[1]
    assert process.returncode == 0, text


def on_cinch(text, pki, port):
    """What TEXT prints; it begins with a context that trusts the test's authority."""
    done = programs.run(sys.executable, "-c", textwrap.dedent("""
        import http.client, socket, ssl, sys
        pki, port = sys.argv[1], int(sys.argv[2])
        context = ssl.create_default_context(cafile=f"{pki}/root.pem")
        def get(path="/"):
            connection = http.client.HTTPSConnection("localhost", port, context=context)
            connection.request("GET", path)
            return connection.getresponse().read()
    """) + textwrap.dedent(text), pki, port, env=programs.environment())
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def answers(nginx, pki):
    return programs.clients(CLIENTS, nginx, pki / "root.pem")


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_is_served(name, answers):
    assert answers[name].get("status") == 200, answers[name]
    assert answers[name]["body"] == "TLSv1.3 . NONE \n"


def test_another_authority_is_not_trusted(nginx, pki):
    for name, answer in programs.clients(CLIENTS, nginx, pki / "other-root.pem").items():
        assert name == "extension" or "ssl.SSLCertVerificationError" in answer["error"], answer


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_client_shows_who_it_is(version, nginx, pki):
    told = on_cinch(f"""
        context.maximum_version = ssl.TLSVersion.{version}
        print(get().decode(), end="")
        context.load_cert_chain(pki + "/client-chain.pem", pki + "/client.key")
        print(get().decode(), end="")
    """, pki, nginx).splitlines()
    version = version.replace("_", ".")
    assert told[0] == f"{version} . NONE "
    assert told[1].startswith(f"{version} . SUCCESS CN="), told


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_session_is_taken_up_again(version, nginx, pki):
    told = on_cinch(f"""
        context.maximum_version = ssl.TLSVersion.{version}
        session = None
        for _ in range(2):
            with socket.create_connection(("localhost", port)) as plain:
                with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
                    sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                    text = b""
                    while piece := sock.recv(4096):
                        text += piece
                    print(sock.session_reused, text.decode().splitlines()[-1])
                    session = sock.session
    """, pki, nginx)
    version = version.replace("_", ".")
    assert told == f"False {version} . NONE \nTrue {version} r NONE \n"


def test_a_large_file_arrives_whole(nginx, pki):
    on_cinch("""
        assert get("/large") == bytes(range(256)) * 8192
    """, pki, nginx)
