"""Certificates that the standard family of mkpki does not have: other kinds of keys, cross
signatures, odd names. They are made by the openssl command, so that not everything that we read
was written by our own test code."""

import itertools
import pathlib
import time

import programs

CONFIG = """
[req]
distinguished_name = nothing
[nothing]
[ca]
default_ca = here
[here]
database = {here}/index
new_certs_dir = {here}
default_md = sha256
unique_subject = no
rand_serial = yes
policy = any
[any]
commonName = optional
"""

DAY = 86400

# What genpkey is told.
KINDS = {
    "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "rsa-pss": ("RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ed25519": ("ED25519",),
}


class Certificate:
    """A certificate with its key, as files."""

    def __init__(self, subject, key, path):
        self.subject = subject
        self.key = key
        self.path = path

    @property
    def pem(self):
        return self.path.read_text()


class Workshop:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.numbers = itertools.count()
        self.config = self.directory / "openssl.cnf"
        self.config.write_text(CONFIG.format(here=self.directory))
        (self.directory / "index").write_text("")
        self.made = {}

    def fresh(self, suffix):
        return self.directory / f"{next(self.numbers)}{suffix}"

    def openssl(self, *args):
        outcome = programs.run("openssl", *args)
        assert outcome.code == 0, outcome.text
        return outcome

    def key(self, kind="p256"):
        path = self.fresh(".key")
        self.openssl("genpkey", "-algorithm",
                     *KINDS[kind], "-out", path)
        return path

    def sign(self, subject, key, issuer, extensions, begin=-1, end=90):
        """A certificate that is valid from and to so many days from now; without an issuer,
        self-signed."""
        request, path, more = self.fresh(".csr"), self.fresh(".pem"), self.fresh(".ext")
        more.write_text("\n".join(extensions) + "\n")
        self.openssl("req", "-config", self.config, "-new", "-key", key, "-subj", subject,
                     "-out", request)
        if issuer is None:
            by = ["-selfsign", "-keyfile", key]
        else:
            by = ["-cert", issuer.path, "-keyfile", issuer.key]
        self.openssl("ca", "-config", self.config, "-batch", "-notext", *by, "-in", request,
                     "-out", path, "-extfile", more, "-startdate", utc(begin), "-enddate", utc(end))
        return Certificate(subject, key, path)

    def authority(self, name, issuer=None, kind="p256", key=None, **dates):
        """A certification authority. With the key of another and its name: a cross signature."""
        extensions = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
                      "subjectKeyIdentifier=hash"]
        if issuer is not None:
            extensions.append("authorityKeyIdentifier=keyid")
        return self.sign(f"/CN={name}", key or self.key(kind), issuer, extensions, **dates)

    def leaf(self, issuer, names=("DNS:localhost", "IP:127.0.0.1"), kind="p256", purpose="serverAuth",
             **dates):
        extensions = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
                      f"extendedKeyUsage={purpose}", "subjectKeyIdentifier=hash",
                      "authorityKeyIdentifier=keyid", "subjectAltName=" + ",".join(names)]
        return self.sign("/CN=Interop Leaf", self.key(kind), issuer, extensions, **dates)

    def once(self, name, make):
        """What several tests use is made by the first of them."""
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def root(self):
        return self.once("root", lambda: self.authority("Workshop Root", end=3650))

    def server(self, kind):
        """A leaf with this kind of key, directly under the root."""
        return self.once(kind, lambda: self.leaf(self.root(), kind=kind))

    def bundle(self, *certificates):
        """One PEM file with all of them, in this order."""
        path = self.fresh("-bundle.pem")
        path.write_text("".join(certificate.pem for certificate in certificates))
        return path

    def identity(self, leaf, *others):
        """Key, certificate and further ones in a file, as `cinch serve --identity` takes it."""
        path = self.fresh("-identity.pem")
        path.touch(mode=0o600)
        path.write_text(leaf.key.read_text() + leaf.pem + "".join(other.pem for other in others))
        return path


def utc(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY))
