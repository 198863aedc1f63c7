"""A client and a server that talk through MemoryBIOs, on whichever _ssl the process has."""

import ssl


def server_context(pki, name="good", authorities=None, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{pki}/{name}-chain.pem", f"{pki}/{name}.key")
    if authorities is not None:
        context.load_verify_locations(f"{pki}/{authorities}.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    return configure(context, settings)


def client_context(pki, name=None, **settings):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(f"{pki}/root.pem")
    if name is not None:
        context.load_cert_chain(f"{pki}/{name}-chain.pem", f"{pki}/{name}.key")
    return configure(context, settings)


def configure(context, settings):
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def only(version):
    """Settings for a context that speaks "1.2" or "1.3" and nothing else."""
    value = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    return {"minimum_version": value, "maximum_version": value}


class Duo:
    """to_client and to_server are what is on the way; the ends are ssl.SSLObjects."""

    def __init__(self, client, server, hostname="localhost", session=None):
        self.to_client, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(self.to_server, self.to_client, server_side=True)
        self.client = client.wrap_bio(self.to_client, self.to_server, server_hostname=hostname,
                                      session=session)

    def handshake(self):
        left = [self.client, self.server]
        while left:
            before = (self.to_client.pending, self.to_server.pending, len(left))
            for end in list(left):
                try:
                    end.do_handshake()
                    left.remove(end)
                except ssl.SSLWantReadError:
                    pass
            if left and before == (self.to_client.pending, self.to_server.pending, len(left)):
                raise RuntimeError("nothing moves")
        return self

    def echo(self, data=b"x"):
        """Something each way, so that tickets have come and a refused client knows it."""
        self.client.write(data)
        assert self.server.read(len(data)) == data
        self.server.write(data)
        assert self.client.read(len(data)) == data
        return self

    def close(self):
        for end in (self.client, self.server, self.client):
            try:
                end.unwrap()
            except ssl.SSLWantReadError:
                pass
        return self
