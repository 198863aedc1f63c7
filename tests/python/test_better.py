"""What stock Python has wrong is right here. Each test shows what stock Python does, too."""

import sys

import pytest

import both

SUITES = """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    names = [cipher["name"] for cipher in context.get_ciphers()]
    def is_secret_forward(name):
        return name.startswith(("TLS_", "ECDHE-", "DHE-"))
    tell(without=[name for name in names if not is_secret_forward(name)], count=len(names))
"""

WEAK_CONFIG = """
openssl_conf = start
[start]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
CipherString = ALL:@SECLEVEL=0
"""


@pytest.mark.parametrize("config", [None, WEAK_CONFIG])
def test_default_suites_have_forward_secrecy(pki, tmp_path, config):
    variables = {}
    if config is not None:
        (tmp_path / "openssl.cnf").write_text(config)
        variables["OPENSSL_CONF"] = str(tmp_path / "openssl.cnf")
    stock, ours = both.stock(SUITES, pki, **variables), both.ours(SUITES, pki, **variables)
    assert "AES256-SHA" in stock["without"]
    assert ours["without"] == [] and ours["count"] >= 3


LEVELS = """
    import warnings
    warnings.simplefilter("ignore")
    def level_of(suites):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(suites)
        return context.security_level
    def old():
        client, server = client_context(pki), server_context(pki)
        for context in (client, server):
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
        client.maximum_version = ssl.TLSVersion.TLSv1_1
        return Duo(client, server).handshake().echo().client.version()
    tell(levels=[level_of(suites) for suites in ("DEFAULT", "DEFAULT@SECLEVEL=0", "ALL:@SECLEVEL=1",
                                                 "@SECLEVEL=3:ALL", "ALL@SECLEVEL=1:!RC4")], old=old())
"""


def test_levels_within_lists_of_suites_are_like_stock(pki):
    stock, ours = both.stock(LEVELS, pki), both.ours(LEVELS, pki)
    assert ours == stock and ours["levels"] == [2, 0, 1, 3, 1] and ours["old"] == "TLSv1.1"


EXPLAINED = """
    context = ssl.create_default_context(cafile=f"{pki}/root.pem")
    def text_and_more(hostname, name):
        try:
            Duo(context, server_context(pki, name), hostname).handshake()
        except ssl.SSLCertVerificationError as error:
            return dict(text=str(error), reason=error.reason, code=error.verify_code,
                        message=error.verify_message,
                        **{name: getattr(error, name, "absent") for name in
                           ("explanation", "evidence", "remedy", "cause", "alert_sent")})
    tell(name=text_and_more("elsewhere.example", "good"), expired=text_and_more("localhost", "expired"))
"""


def test_errors_carry_an_explanation_behind_openssls_words(pki):
    stock, ours = both.stock(EXPLAINED, pki), both.ours(EXPLAINED, pki)
    for case in ("name", "expired"):
        before, after = stock[case], ours[case]
        assert before["explanation"] == before["remedy"] == "absent"
        assert "remedy" not in before["text"]
        for kept in ("reason", "code", "message"):
            assert after[kept] == before[kept]
        # What programs match is where it was; what people read comes after it.
        assert after["text"].startswith(before["text"].split(" (_ssl.c:")[0])
        for told in ("explanation", "remedy"):
            assert after[told] and after[told] in after["text"].replace("\n         ", " ")
        assert after["alert_sent"] in (42, 45)
    assert ours["name"]["cause"] == "wrong-host-name"
    assert "elsewhere.example" in ours["name"]["explanation"]
    assert "localhost" in ours["name"]["evidence"]
    assert ours["expired"]["cause"] == "expired"


FROM_MEMORY = """
    def read(name):
        return open(f"{pki}/{name}", "rb").read()
    def serve(*arguments, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments, **more)
        Duo(client_context(pki), context).handshake().echo()
    chain, key, locked = read("good-chain.pem"), read("good.key"), read("good-encrypted.key")
    tell(pair=outcome(serve, chain, key), one=outcome(serve, key + chain),
         password=outcome(serve, chain, locked, "cinch"),
         called=outcome(serve, chain, keyfile=locked, password=lambda: b"cinch"),
         mixed=outcome(serve, f"{pki}/good-chain.pem", key),
         wrong=outcome(serve, chain, locked, "wrong"),
         other=outcome(serve, chain, read("expired.key")))
"""


def test_certificates_and_keys_come_from_memory(pki):
    assert "done" not in both.stock(FROM_MEMORY, pki).values()
    told = both.ours(FROM_MEMORY, pki)
    assert told == {"pair": "done", "one": "done", "password": "done", "called": "done",
                    "mixed": "done", "wrong": told["wrong"], "other": "KEY_VALUES_MISMATCH"}
    assert told["wrong"] != "done"


RESUMED = """
    server, client = server_context(pki, **only("1.3")), client_context(pki)
    def connect(session=None):
        duo = Duo(client, server, session=session).handshake()
        early = duo.client.session
        duo.echo()
        return duo, early
    first, early = connect()
    session = first.client.session
    again, _ = connect(session)
    later = again.client.session
    third, _ = connect(later)
    tell(ticket=session.has_ticket, again=again.client.session_reused,
         third=third.client.session_reused, fresh=later.id != session.id,
         server=again.server.session_reused, twice=connect(session)[0].client.session_reused,
         peer=again.client.getpeercert()["subjectAltName"],
         chain=len(again.client._sslobj.get_verified_chain() or ()))
"""


def test_a_session_of_tls_1_3_is_resumed(pki):
    told = both.ours(RESUMED, pki)
    assert told["ticket"] and told["again"] and told["server"] and told["third"] and told["fresh"]
    # RFC 8446, C.4: who uses a ticket twice lets observers connect the connections.
    assert not told["twice"]
    assert ["DNS", "localhost"] in told["peer"] and told["chain"] == 3
    before = both.stock(RESUMED, pki)
    # The same ticket goes over the wire again and again, and nobody knows whom it stands for.
    assert before["twice"] and before["chain"] == 0


NAMELESS = """
    context = ssl.create_default_context(cafile=f"{pki}/root.pem")
    def connect(name):
        Duo(context, server_context(pki), name).handshake().echo()
    # Behind ssl.py, which has a look at the name of its own.
    def nameless():
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = server_context(pki, "wrong-name").wrap_bio(to_server, to_client, server_side=True)
        client = context._wrap_bio(to_client, to_server, False)
        for _ in range(4):
            for end in (client, server):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    pass
        assert client.cipher() is not None
        client.write(b"secret")
        assert server.read(10) == b"secret"
    tell(name=outcome(connect, "localhost"), nameless=outcome(nameless), checks=context.check_hostname)
"""


def test_without_a_name_to_check_there_is_no_connection(pki):
    assert both.stock(NAMELESS, pki) == {"name": "done", "nameless": "done", "checks": True}
    told = both.ours(NAMELESS, pki)
    assert told["name"] == "done" and told["nameless"] != "done"


CUT = """
    import socket, threading
    def pair(suppress):
        left, right = socket.socketpair()
        server = server_context(pki)
        def serve():
            sock = server.wrap_socket(right, server_side=True)
            sock.sendall(b"half of it")
            # The descriptor alone is closed: no close_notify.
            socket.socket(fileno=sock.detach()).close()
        thread = threading.Thread(target=serve)
        thread.start()
        client = client_context(pki).wrap_socket(left, server_hostname="localhost",
                                                 suppress_ragged_eofs=suppress)
        data = client.recv(100)
        thread.join()
        try:
            end = repr(client.recv(100))
        except OSError as error:
            end = type(error).__name__
        client.close()
        return data.decode(), end
    def memory():
        duo = Duo(client_context(pki), server_context(pki)).handshake().echo()
        duo.to_client.write_eof()
        try:
            return repr(duo.client.read(10))
        except OSError as error:
            return type(error).__name__
    tell(asks=pair(False), default=pair(True), memory=memory())
"""


def test_an_end_without_close_notify_is_one_that_programs_can_see(pki):
    told = both.ours(CUT, pki)
    assert told["asks"] == ["half of it", "SSLEOFError"]
    assert told["memory"] == "SSLEOFError"
    # What ssl.py itself does with it stays as it is.
    assert told["default"] == ["half of it", "b''"]
    before = both.stock(CUT, pki)
    if sys.version_info < (3, 12):
        assert before["asks"] == ["half of it", "b''"] and before["memory"] == "b''"
    else:
        # An OSError of some kind: its answer to the cut may find the connection gone first.
        assert before["asks"][1] != "b''" and before["memory"] == "SSLEOFError"


TOLD = """
    import cinch
    duo = Duo(client_context(pki), server_context(pki)).handshake().echo()
    def refused(what, *arguments):
        try:
            return what(*arguments)
        except (TypeError, ValueError) as error:
            return str(error)
    weak = client_context(pki, check_hostname=False, verify_mode=ssl.CERT_NONE)
    tell(report=refused(lambda: {**cinch.report(duo.client), "chain": 0, "sent": 0}),
         audit=refused(cinch.audit, weak), good=refused(cinch.audit, client_context(pki)),
         wrong=[refused(cinch.report, 5), refused(cinch.audit, 5)])
"""


def test_reports_and_audits_are_within_reach(pki):
    before = both.stock(TOLD, pki)
    assert "not on libcinch" in before["report"] and "not on libcinch" in before["audit"]
    told = both.ours(TOLD, pki)
    report = told["report"]
    assert report["version"] == "TLSv1.3" and report["verified"] and report["host"] == "localhost"
    assert report["group"] and report["signature_algorithm"] and not report["resumed"]
    severities = [finding["severity"] for finding in told["audit"]]
    assert severities and all(finding["remedy"] for finding in told["audit"])
    assert len(told["good"]) < len(told["audit"])
    assert "not a socket" in told["wrong"][0] and "not on libcinch" in told["wrong"][1]
