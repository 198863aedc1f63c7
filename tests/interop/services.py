"""Mail, file and web servers that are not ours, as Debian has them: Postfix, Dovecot, vsftpd and nginx.

Each has a configuration of its own in a folder of its own and ports of its own, on loopback only, and is
gone at the end of `with`, and also when the test dies. What the system has of them, configured, running or
not, plays no part. They want root, as their processes are those of users that the packages made.
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from programs import LIMIT, Running, free_port, run

USER = "alice"
PASSWORD = "cinch"
ADDRESS = "alice@example.test"
PATH = "/usr/sbin:/usr/lib/postfix/sbin:" + os.environ.get("PATH", "")


def program(name):
    path = shutil.which(name, path=PATH)
    if path is None or os.geteuid() != 0:
        pytest.skip(f"no {name} here" if path is None else f"{name} wants root")
    return path


class Folder:
    """A temporary one that users other than root can enter, as pytest's cannot be."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="cinch-service-"))
        self.path.chmod(0o755)

    def write(self, name, text, mode=0o644):
        path = self.path / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def make(self, name, user="root", mode=0o755):
        path = self.path / name
        path.mkdir(parents=True)
        path.chmod(mode)
        owner = pwd.getpwnam(user)
        os.chown(path, owner.pw_uid, owner.pw_gid)
        return path

    def remove(self):
        # A process that is ending may still write its last.
        while self.path.exists():
            shutil.rmtree(self.path, ignore_errors=True)


class Service:
    """A server that is started by command() once configure() has written what it wants; `ports` has one
    for each of NAMES. CERTIFICATE is one of mkpki's, in PKI."""

    NAMES = ()
    READY = ""

    def __init__(self, pki, certificate="good", **options):
        self.chain = pki / f"{certificate}-chain.pem"
        self.key = pki / f"{certificate}.key"
        self.identity = pki / f"{certificate}-all.pem"
        self.anchor = pki / "root.pem"
        self.folder = Folder()
        self.options = options
        self.running = None
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise

    def start(self):
        """None of these can be given port 0: ports that were just free, and again if others were faster."""
        for attempt in range(5):
            self.ports = {name: free_port() for name in self.NAMES}
            self.configure()
            # A group of its own, which can be ended as a whole; and it ends when this process does.
            self.running = Running("setpriv", "--pdeathsig", "TERM", "setsid", *self.command(),
                                   env=dict(os.environ, PATH=PATH))
            try:
                self.running.wait_for(self.READY)
                return
            except AssertionError:
                self.stop()
                if attempt == 4 or "in use" not in self.running.text:
                    raise
                self.folder.remove()
                self.folder = Folder()

    def stop(self):
        if self.running is None:
            return
        # Nobody wants its answer: asked to end, some take their time.
        try:
            os.killpg(self.running.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.running.__exit__()

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    @property
    def log(self):
        return self.running.text

    def __getitem__(self, name):
        return self.ports[name]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            self.folder.remove()


POSTFIX_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/stdout
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error
smtpd_tls_chain_files = {identity}
smtpd_tls_received_header = yes
smtpd_tls_security_level = may
smtpd_peername_lookup = no
virtual_mailbox_domains = example.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:{user}/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""

POSTFIX_MASTER = """
127.0.0.1:{ports[smtp]}  inet n - n - - smtpd
127.0.0.1:{ports[plain]} inet n - n - - smtpd
    -o smtpd_tls_security_level=none
127.0.0.1:{ports[smtps]} inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
    -o smtpd_tls_security_level=encrypt
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
error     unix - - n - - error
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
proxymap  unix - - n - - proxymap
postlog   unix-dgram n - n - 1 postlogd
"""

POSTFIX_QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private",
                  "saved", "trace")


class Postfix(Service):
    """SMTP. `smtp` offers STARTTLS and also takes mail without it, `plain` does not offer it, `smtps` begins
    with TLS. Mail for ADDRESS is delivered; any client may send."""

    NAMES = ("smtp", "plain", "smtps")
    READY = r"daemon started"

    def configure(self):
        program("master")
        owner = pwd.getpwnam("postfix")
        self.folder.write("main.cf", POSTFIX_MAIN.format(
            folder=self.folder.path, identity=self.identity, user=USER,
            uid=owner.pw_uid, gid=owner.pw_gid))
        self.folder.write("master.cf", POSTFIX_MASTER.format(ports=self.ports))
        self.folder.make("data", "postfix")
        self.folder.make("mail", "postfix")
        self.folder.make("queue")
        self.folder.make("queue/pid")
        for name in POSTFIX_QUEUES:
            self.folder.make(f"queue/{name}", "postfix", 0o700)
        self.folder.make("queue/public", "postfix", 0o755)
        self.folder.make("queue/maildrop", "postfix", 0o730)

    def command(self):
        return [program("master"), "-c", self.folder.path, "-d"]

    def mail(self):
        """The text of the next mail that arrived."""
        self.running.wait_for(r"status=sent \(delivered to maildir\)")
        return "".join(path.read_text() for path in
                       sorted((self.folder.path / "mail" / USER / "new").iterdir())[-1:])


# The language of 2.3, and that of 2.4.
DOVECOT_2_3 = """
ssl_cert = <{chain}
ssl_key = <{key}
disable_plaintext_auth = {tls}
mail_location = maildir:{folder}/mail/%n
passdb {{
  driver = static
  args = user={user} password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home/%n allow_all_users=yes
}}
"""

DOVECOT_2_4 = """
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
ssl_server_cert_file = {chain}
ssl_server_key_file = {key}
auth_allow_cleartext = {no_tls}
mail_driver = maildir
mail_path = {folder}/mail/%{{user | username}}
passdb static {{
  password = {password}
}}
userdb static {{
  allow_all_users = yes
  fields {{
    uid = {uid}
    gid = {gid}
    home = {folder}/home/%{{user | username}}
  }}
}}
"""

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
info_log_path = /dev/stderr
listen = 127.0.0.1
protocols = imap pop3 lmtp sieve
ssl = {tls}
first_valid_uid = 1
service imap-login {{
  inet_listener imap {{
    port = {ports[imap]}
  }}
  inet_listener imaps {{
    port = {ports[imaps]}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {ports[pop3]}
  }}
  inet_listener pop3s {{
    port = {ports[pop3s]}
    ssl = yes
  }}
}}
service managesieve-login {{
  inet_listener sieve {{
    port = {ports[sieve]}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {ports[lmtp]}
  }}
}}
service stats {{
  client_limit = 100
}}
"""

MAIL = "From: bob@example.test\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nhello, interop\r\n"


class Dovecot(Service):
    """IMAP, POP3, LMTP and ManageSieve with STARTTLS, and IMAP and POP3 that begin with TLS. USER has
    PASSWORD, and MAIL in the inbox. With tls=False there is no TLS at all, and the password may pass
    without."""

    NAMES = ("imap", "imaps", "pop3", "pop3s", "lmtp", "sieve")
    READY = r"starting up"

    def configure(self):
        program("dovecot")
        owner = pwd.getpwnam("dovecot")
        with_tls = self.options.get("tls", True)
        old = run("dovecot", "--version", env=dict(os.environ, PATH=PATH)).text.startswith("2.3")
        # In 2.4 the version has to come first.
        text = DOVECOT_2_3 + DOVECOT if old else DOVECOT_2_4 + DOVECOT
        if not with_tls:
            text = text.replace("    ssl = yes\n", "")
        self.folder.write("dovecot.conf", text.format(
            folder=self.folder.path, chain=self.chain, key=self.key, user=USER, password=PASSWORD,
            uid=owner.pw_uid, gid=owner.pw_gid, ports=self.ports, tls="yes" if with_tls else "no",
            no_tls="no" if with_tls else "yes"))
        self.folder.make("home", "dovecot")
        self.folder.make("mail", "dovecot")
        for name in ("", "/cur", "/new", "/tmp"):
            self.folder.make(f"mail/{USER}{name}", "dovecot")
        self.folder.write(f"mail/{USER}/new/1.interop", MAIL)

    def command(self):
        return [program("dovecot"), "-F", "-c", self.folder.path / "dovecot.conf"]


NGINX = """
daemon off;
error_log stderr notice;
pid {folder}/pid;
events {{
}}
http {{
  access_log off;
  root {root};
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  ssl_certificate {chain};
  ssl_certificate_key {key};
  ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{ports[https]} ssl http2;
    location /tls {{
      return 200 "$ssl_protocol $ssl_session_reused $server_protocol\\n";
    }}
    location /to-clear {{
      return 302 http://localhost:{ports[http]}/hello.txt;
    }}
  }}
  server {{
    listen 127.0.0.1:{ports[mutual]} ssl;
    ssl_verify_client on;
    ssl_verify_depth 3;
    ssl_client_certificate {anchor};
    location /who {{
      return 200 "$ssl_client_s_dn\\n";
    }}
  }}
  server {{
    listen 127.0.0.1:{ports[http]};
  }}
}}
"""


class Nginx(Service):
    """HTTPS with the files of a folder, `root`: `https`; `mutual` wants a certificate of the client's, and
    `http` has no TLS. /tls on the first tells of the connection, /to-clear leads to the last; /who on the
    second tells who the client is."""

    NAMES = ("https", "mutual", "http")
    READY = r"start worker process \d+"

    def configure(self):
        self.folder.make("web")
        self.folder.write("web/hello.txt", "hello, interop\n")
        self.folder.write("nginx.conf", NGINX.format(
            folder=self.folder.path, root=self.folder.path / "web", chain=self.chain, key=self.key,
            anchor=self.anchor, ports=self.ports))

    def command(self):
        return [program("nginx"), "-p", self.folder.path, "-c", self.folder.path / "nginx.conf",
                "-e", "stderr"]


VSFTPD = """
listen=NO
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
anon_root={folder}/ftp
anon_upload_enable=YES
anon_umask=022
write_enable=YES
no_anon_password=YES
pasv_address=127.0.0.1
xferlog_enable=NO
ssl_enable={tls}
implicit_ssl={implicit}
rsa_cert_file={chain}
rsa_private_key_file={key}
allow_anon_ssl=YES
force_anon_logins_ssl={force}
force_anon_data_ssl={force}
require_ssl_reuse={reuse}
ssl_ciphers=HIGH
"""


class Vsftpd:
    """FTP: `ftp` with AUTH TLS, `ftps` with TLS from the start, `plain` without. Anybody may read, and write
    into /incoming. With reuse=True the data connection has to resume the session of the control connection
    (by a TLS 1.3 ticket too), which is how vsftpd knows that both are the same client's.

    Each connection has its vsftpd, as under inetd, so that the ports are the system's choice."""

    NAMES = ("ftp", "ftps", "plain")

    def __init__(self, pki, certificate="good", reuse=True):
        self.program = program("vsftpd")
        self.folder = Folder()
        self.listeners = {name: socket.create_server(("127.0.0.1", 0)) for name in self.NAMES}
        self.ports = {name: listener.getsockname()[1] for name, listener in self.listeners.items()}
        self.children = []
        self.threads = []
        self.folder.make("ftp")
        self.folder.make("ftp/incoming", mode=0o777)
        self.folder.write("ftp/hello.txt", "hello, interop\n")
        words = {True: "YES", False: "NO"}
        for name, listener in self.listeners.items():
            config = self.folder.write(f"{name}.conf", VSFTPD.format(
                folder=self.folder.path, chain=pki / f"{certificate}-chain.pem",
                key=pki / f"{certificate}.key", tls=words[name != "plain"],
                implicit=words[name == "ftps"], force=words[name != "plain"], reuse=words[reuse]))
            thread = threading.Thread(target=self._serve, args=(listener, config), daemon=True)
            thread.start()
            self.threads.append(thread)

    def _serve(self, listener, config):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                # It ends when its connection does, and that ends with the client at the latest.
                self.children.append(subprocess.Popen([self.program, str(config)], stdin=connection,
                                                      stdout=connection, stderr=subprocess.DEVNULL))

    def __getitem__(self, name):
        return self.ports[name]

    def uploaded(self, name):
        return (self.folder.path / "ftp/incoming" / name).read_bytes()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners.values():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in self.threads:
            thread.join(LIMIT)
        for child in self.children:
            child.kill()
            child.wait()
        self.folder.remove()
