"""Virtual hosts by sni_callback: a host's rules are its own. Each test shows what stock Python does."""

import pytest

import both

ASKING_HOST = """
    version = {version!r}
    inner = server_context(pki, authorities="root", **only(version))
    outer = server_context(pki, **only(version))
    def choose(sock, name, context):
        sock.context = inner
    outer.sni_callback = choose
    def connect(client):
        duo = Duo(client, outer)
        duo.handshake().echo()
        return duo
    without, with_one = client_context(pki), client_context(pki, "client")
    tell(without=outcome(connect, without), with_one=outcome(connect, with_one))
"""


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_host_that_requires_certificates_asks_for_them(pki, version):
    text = ASKING_HOST.format(version=version)
    assert both.stock(text, pki)["without"] == "done"
    told = both.ours(text, pki)
    assert told["without"] == "PEER_DID_NOT_RETURN_A_CERTIFICATE"
    assert told["with_one"] == "done"


SESSION_ELSEWHERE = """
    version = {version!r}
    # Two hosts of one server, with different rules on who is let in; ticket keys are the first's.
    hosts = {{"localhost": server_context(pki, authorities="root", **only(version)),
             "a.example.test": server_context(pki, authorities="other-root", **only(version))}}
    front = server_context(pki, authorities="root", **only(version))
    def choose(sock, name, context):
        sock.context = hosts[name]
    front.sni_callback = choose
    def connect(name, session=None):
        duo = Duo(context, front, name, session)
        duo.handshake().echo()
        return duo
    context = client_context(pki, "client", **only(version))
    context.check_hostname = False
    fresh = outcome(connect, "a.example.test")
    def get_session():
        duo = connect("localhost")
        session = duo.client.session
        duo.close()
        return session
    again = connect("localhost", get_session()).server.session_reused
    session = get_session()
    def elsewhere():
        global duo
        duo = Duo(context, front, "a.example.test", session)
        duo.handshake().echo()
    duo = None
    got = outcome(elsewhere)
    tell(fresh=fresh, again=again, elsewhere=got, resumed=duo is not None and duo.server.session_reused)
"""


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_session_of_one_host_opens_no_other(pki, version):
    text = SESSION_ELSEWHERE.format(version=version)
    told = both.ours(text, pki)
    assert told["fresh"] not in ("done", "RuntimeError")
    assert told["elsewhere"] not in ("done", "RuntimeError")
    assert not told["resumed"] and told["again"]
    before = both.stock(text, pki)
    assert (before["elsewhere"], before["resumed"]) == ("done", True)
