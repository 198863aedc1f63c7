"""Debian's Python servers, unchanged, on libcinch, with clients that are not ours."""

import re
import ssl
import sys
import textwrap
import urllib.request

import pytest

import programs

HTTP = programs.present("aiohttp", "tornado")
LARGE = bytes(range(256)) * 8192  # 2 MiB, in both directions


def curl(pki, port, *more, ca="root", host="localhost"):
    return programs.run("curl", "-sS", "--max-time", "60", "--resolve", f"{host}:{port}:127.0.0.1",
                        "--cacert", pki / f"{ca}.pem", *more, f"https://{host}:{port}/")


def check_with_others(pki, port, tmp_path, text):
    """curl, s_client and stock Python get TEXT; who trusts another authority, or wants another name, does
    not. A body that is larger than every buffer on the way comes back whole."""
    for version in "1.2", "1.3":
        done = curl(pki, port, f"--tlsv{version}", "--tls-max", version)
        assert done.returncode == 0 and text in done.stdout, done.stdout
    done = curl(pki, port, ca="other-root")
    assert done.returncode == 60, done.stdout
    assert curl(pki, port, host="elsewhere.test").returncode == 60
    done = programs.run("openssl", "s_client", "-connect", f"localhost:{port}", "-CAfile",
                        pki / "root.pem", "-verify_return_error", "-verify_hostname", "localhost")
    assert done.returncode == 0 and "Verification: OK" in done.stdout, done.stdout
    (tmp_path / "large").write_bytes(LARGE)
    done = curl(pki, port, "--data-binary", f"@{tmp_path}/large", "-o", tmp_path / "back")
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "back").read_bytes() == LARGE
    context = ssl.create_default_context(cafile=pki / "root.pem")
    with urllib.request.urlopen(f"https://localhost:{port}/", context=context) as answer:
        assert text in answer.read().decode()


def test_these_tests_have_python_as_it_is():
    assert "_cinch" not in sys.modules["_ssl"].__file__


@pytest.mark.parametrize("name", HTTP)
def test_a_server_over_http(name, pki, tmp_path):
    with programs.PythonServer(pki, name, ours=True) as server:
        check_with_others(pki, server.port, tmp_path, f"hello from {name}")


@pytest.mark.parametrize("name", programs.present("websockets"))
def test_a_server_of_websockets(name, pki):
    with programs.PythonServer(pki, name, ours=True) as server:
        root, other = pki / "root.pem", pki / "other-root.pem"
        answer = programs.client(name, server.port, root, ours=False)
        assert (answer.get("status"), answer.get("size")) == (200, 300000), answer
        answer = programs.client(name, server.port, other, ours=False)
        assert "ssl.SSLCertVerificationError" in answer["bases"], answer
        # It is still there.
        assert programs.client(name, server.port, root, ours=False).get("status") == 200


APPS = {
    "gunicorn": """
        import _ssl

        def application(environ, start):
            body = environ["wsgi.input"].read() if environ["REQUEST_METHOD"] == "POST" else b""
            start("200 OK", [("Content-Type", "application/octet-stream")])
            return [body or f"{environ['wsgi.url_scheme']} {_ssl.__file__}\\n".encode()]
    """,
    "django": """
        import _ssl
        import django
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path

        def view(request):
            scheme = "https" if request.is_secure() else "http"
            return HttpResponse(request.body or f"{scheme} {_ssl.__file__}\\n")

        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["localhost"], SECRET_KEY="of a test",
                           DATA_UPLOAD_MAX_MEMORY_SIZE=1 << 24)
        urlpatterns = [path("", view)]
        application = get_wsgi_application()
    """,
}


def gunicorn(pki, directory, app):
    (directory / "app.py").write_text(textwrap.dedent(app))
    environment = programs.environment(False, PYTHONPATH=programs.PACKAGE)
    return programs.Server(sys.executable, "-m", "cinch", "-m", "gunicorn", "--bind", "127.0.0.1:0",
                           "--certfile", pki / "good-chain.pem", "--keyfile", pki / "good.key",
                           "--graceful-timeout", "1", "app:application", env=environment, cwd=directory,
                           ready=r"Listening at: https://127\.0\.0\.1:(\d+) ")


@pytest.mark.parametrize("name", programs.present("gunicorn", "django") if
                         programs.present("gunicorn") else [])
def test_gunicorn(name, pki, tmp_path):
    """It forks the processes that serve, and each makes its context when a connection comes."""
    with gunicorn(pki, tmp_path, APPS[name]) as server:
        check_with_others(pki, server.port, tmp_path, f"https {programs.PACKAGE}/cinch/_cinch.")
    assert not re.search("Traceback|Segmentation", server.text), server.text
