"""More servers that are not ours and begin in the clear: PostgreSQL, MariaDB, OpenLDAP and Prosody, as
services.py has the others."""

import atexit
import glob
import os
import pathlib
import shutil
import signal

import pytest

from programs import run
from services import Folder, Service, program

POSTGRES_CONF = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
ssl = {ssl}
ssl_cert_file = '{folder}/server.crt'
ssl_key_file = '{folder}/server.key'
fsync = off
"""


class Postgres(Service):
    """`tls` lets everybody in, under TLS or not. With tls=False it has no TLS."""

    NAMES = ("tls",)
    READY = r"ready to accept connections"
    made = None

    def home(self):
        places = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not places:
            pytest.skip("no PostgreSQL here")
        return pathlib.Path(places[-1])

    def as_user(self, *command):
        return [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]

    def cluster(self):
        """What initdb makes, which takes longer than everything else; each server has a copy."""
        if Postgres.made is None:
            home = self.home()
            folder = Folder()
            atexit.register(folder.remove)
            data = folder.make("data", "postgres", 0o700)
            outcome = run(*self.as_user(home / "initdb", "-D", data, "--no-sync", "--auth=trust",
                                        "--no-locale", "-E", "UTF8"), env={"PATH": os.environ["PATH"]})
            assert outcome.code == 0, outcome.text
            Postgres.made = data
        return Postgres.made

    def configure(self):
        data = self.folder.path / "data"
        assert run("cp", "-a", self.cluster(), data).code == 0
        for source, name in ((self.chain, "server.crt"), (self.key, "server.key")):
            path = self.folder.path / name
            shutil.copyfile(source, path)
            path.chmod(0o600)
            shutil.chown(path, "postgres", "postgres")
        with open(data / "postgresql.conf", "a", encoding="ascii") as conf:
            conf.write(POSTGRES_CONF.format(port=self.ports["tls"], folder=self.folder.path,
                                            ssl="on" if self.options.get("tls", True) else "off"))

    def stop(self):
        # Killed, it would leave shared memory behind.
        if self.running is not None and self.running.process.poll() is None:
            self.running.process.send_signal(signal.SIGINT)
            self.running.wait()
        super().stop()

    def command(self):
        return self.as_user(self.home() / "postgres", "-D", self.folder.path / "data")


class Mariadb(Service):
    """`tls` lets everybody in. With tls=False it has no TLS."""

    NAMES = ("tls",)
    READY = r"ready for connections"

    def configure(self):
        program("mariadbd")
        self.folder.make("data")

    def command(self):
        tls = [f"--ssl-cert={self.chain}", f"--ssl-key={self.key}"]
        if not self.options.get("tls", True):
            tls = ["--skip-ssl"]
        return [program("mariadbd"), "--no-defaults", "--user=root", "--skip-grant-tables",
                "--skip-networking=0", "--bind-address=127.0.0.1", f"--port={self.ports['tls']}",
                f"--datadir={self.folder.path}/data", f"--socket={self.folder.path}/socket",
                f"--pid-file={self.folder.path}/pid", "--innodb=OFF",
                "--default-storage-engine=MyISAM", *tls]


SLAPD_CONF = """
pidfile {folder}/pid
database config
"""
SLAPD_TLS = """
TLSCertificateFile {chain}
TLSCertificateKeyFile {key}
"""


class Slapd(Service):
    """LDAP with nothing in it. With tls=False it has no TLS."""

    NAMES = ("ldap",)
    READY = r"slapd starting"

    def configure(self):
        program("slapd")
        text = (SLAPD_TLS if self.options.get("tls", True) else "") + SLAPD_CONF
        self.folder.write("slapd.conf", text.format(folder=self.folder.path, chain=self.chain,
                                                    key=self.key))

    def command(self):
        return [program("slapd"), "-f", self.folder.path / "slapd.conf", "-h",
                f"ldap://127.0.0.1:{self.ports['ldap']}", "-d", "256"]


PROSODY = """
run_as_root = true
daemonize = false
pidfile = "{folder}/pid"
data_path = "{folder}/data"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {ports[xmpp]} }}
s2s_ports = {{ {ports[xmpp_server]} }}
c2s_direct_tls_ports = {{ }}
s2s_direct_tls_ports = {{ }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ {tls} "saslauth", "dialback" }}
c2s_require_encryption = {required}
s2s_require_encryption = {required}
authentication = "internal_hashed"
log = {{ {{ levels = {{ min = "info" }}, to = "console" }} }}
VirtualHost "localhost"
ssl = {{ certificate = "{chain}", key = "{key}" }}
"""


class Prosody(Service):
    """XMPP for the domain localhost, to clients (`xmpp`) and servers (`xmpp_server`)."""

    NAMES = ("xmpp", "xmpp_server")
    READY = r"Activated service 's2s' on [^\n]*"

    def configure(self):
        program("prosody")
        with_tls = self.options.get("tls", True)
        self.folder.make("data")
        self.folder.write("prosody.cfg.lua", PROSODY.format(
            folder=self.folder.path, ports=self.ports, chain=self.chain, key=self.key,
            tls='"tls",' if with_tls else "", required="true" if with_tls else "false"))

    def command(self):
        return [program("prosody"), "--config", self.folder.path / "prosody.cfg.lua", "-F"]
