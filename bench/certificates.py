"""Certificates as on the public network: a root, an intermediate, and what that signs."""

import subprocess

KEYS = {"p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"]}
CA = ["keyUsage=critical,keyCertSign,cRLSign"]
LEAF = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"]


def make(directory):
    """For each kind of key KEY-ca.pem, the root, and for localhost KEY.crt, with the intermediate, and KEY.key;
    for a client client-KEY.crt and client-KEY.key."""
    def request(name, kind, subject, extensions, issuer=None):
        by = ["-CA", directory / f"{issuer}.crt", "-CAkey", directory / f"{issuer}.key"] if issuer else []
        subprocess.run(["openssl", "req", "-x509", *by, "-newkey", *kind, "-nodes", "-days", "2", "-subj",
                        f"/CN={subject}", *(word for each in extensions for word in ("-addext", each)),
                        "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt"],
                       check=True, stderr=subprocess.DEVNULL)
    for name, kind in KEYS.items():
        request(f"root-{name}", kind, f"root {name}", CA)
        request(f"middle-{name}", kind, f"intermediate {name}",
                ["basicConstraints=critical,CA:TRUE,pathlen:0", *CA], f"root-{name}")
        request(name, kind, "localhost",
                [*LEAF, "extendedKeyUsage=serverAuth", "subjectAltName=DNS:localhost"], f"middle-{name}")
        request(f"client-{name}", kind, "client",
                [*LEAF, "extendedKeyUsage=clientAuth", "subjectAltName=DNS:client.test"], f"middle-{name}")
        for leaf in name, f"client-{name}":
            with open(directory / f"{leaf}.crt", "a", encoding="ascii") as out:
                out.write((directory / f"middle-{name}.crt").read_text())
        (directory / f"root-{name}.crt").rename(directory / f"{name}-ca.pem")
