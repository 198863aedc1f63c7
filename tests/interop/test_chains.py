"""Chains as servers really send them: in the wrong order, with too much, with cross signatures,
with anchors that expired. What has one valid path must be accepted, and nothing else."""

import itertools

import pytest

from programs import OpensslServer, Running, Serve, agreed, connect, refused


class Tower:
    """Root, two intermediates, leaf."""

    def __init__(self, workshop):
        self.root = workshop.authority("Tower Root", end=3650)
        self.upper = workshop.authority("Tower Upper CA", self.root, end=365)
        self.lower = workshop.authority("Tower Lower CA", self.upper, end=365)
        self.leaf = workshop.leaf(self.lower)


@pytest.fixture
def tower(workshop):
    return workshop.once("tower", lambda: Tower(workshop))


def serving(workshop, leaf, *others):
    """s_server sends the leaf, and the others in this order."""
    more = ("-cert_chain", workshop.bundle(*others)) if others else ()
    return OpensslServer("-www", "-cert", leaf.path, "-key", leaf.key, *more)


def names(peer, which="chain"):
    return [link["subject"].removeprefix("CN=") for link in peer[which]]


FULL = ["Interop Leaf", "Tower Lower CA", "Tower Upper CA", "Tower Root"]


@pytest.mark.parametrize("order", list(itertools.permutations(["lower", "upper", "root"])))
def test_any_order(workshop, tower, order):
    """TLS 1.3 allows any order behind the leaf (RFC 8446, 4.4.2), and the root is often sent."""
    with serving(workshop, tower.leaf, *(getattr(tower, name) for name in order)) as server:
        peer = agreed(server.port, "--ca", tower.root.path)
        assert names(peer) == FULL
        assert len(peer["sent"]) == 4


def test_duplicates_and_strangers(workshop, tower):
    stranger = workshop.root()
    with serving(workshop, tower.leaf, tower.leaf, stranger, tower.lower, tower.lower,
                 tower.upper, stranger) as server:
        assert names(agreed(server.port, "--ca", tower.root.path)) == FULL


@pytest.mark.parametrize("sent", [["lower"], ["upper"], []])
def test_gaps(workshop, tower, sent):
    with serving(workshop, tower.leaf, *(getattr(tower, name) for name in sent)) as server:
        code, cause = refused(server.port, "--ca", tower.root.path)
        assert code == 5 and cause in ("missing-intermediate", "unknown-issuer")


def test_the_root_that_was_sent_is_not_believed(workshop, tower):
    with serving(workshop, tower.leaf, tower.lower, tower.upper, tower.root) as server:
        code, cause = refused(server.port, "--ca", workshop.root().path)
        assert (code, cause) == (5, "unknown-issuer")


def test_missing_intermediate_that_is_trusted(workshop, tower):
    """What the server left out is among the anchors of this machine."""
    with serving(workshop, tower.leaf, tower.lower) as server:
        assert agreed(server.port, "--ca", tower.root.path, "--ca", tower.upper.path)["verified"]


def test_our_server_sorts(workshop, tower):
    """`cinch serve` sends them in order, whatever the order in its file."""
    identity = workshop.identity(tower.leaf, tower.upper, tower.lower)
    with Serve("--echo", "--identity", identity) as server:
        peer = agreed(server.port, "--ca", tower.root.path)
        assert names(peer, "sent") == FULL[:3]


class Cross:
    """An intermediate whose key two roots have signed."""

    def __init__(self, workshop):
        self.old = workshop.authority("Old Root", end=3650)
        self.new = workshop.authority("New Root", end=3650)
        self.by_old = workshop.authority("Crossed CA", self.old, end=365)
        self.by_new = workshop.authority("Crossed CA", self.new, key=self.by_old.key, end=365)
        self.leaf = workshop.leaf(self.by_old)


@pytest.fixture
def cross(workshop):
    return workshop.once("cross", lambda: Cross(workshop))


@pytest.mark.parametrize("trusted", ["old", "new"])
@pytest.mark.parametrize("order", [("by_old", "by_new"), ("by_new", "by_old")])
def test_cross_signed_intermediate(workshop, cross, trusted, order):
    """Both are sent; only one of them leads to what is trusted here."""
    with serving(workshop, cross.leaf, *(getattr(cross, name) for name in order)) as server:
        peer = agreed(server.port, "--ca", getattr(cross, trusted).path)
        assert names(peer)[1:] == ["Crossed CA", f"{trusted.title()} Root"]


@pytest.mark.parametrize("order", [("by_stale", "by_new"), ("by_new", "by_stale")])
def test_cross_signed_by_a_root_that_expired(workshop, cross, order):
    """Both roots are trusted, and one of them has expired."""
    def make():
        stale = workshop.authority("Stale Root", begin=-3650, end=-1)
        return stale, workshop.authority("Crossed CA", stale, key=cross.by_old.key, end=365)
    stale, by_stale = workshop.once("stale", make)
    sent = {"by_stale": by_stale, "by_new": cross.by_new}
    with serving(workshop, cross.leaf, *(sent[name] for name in order)) as server:
        peer = agreed(server.port, "--ca", stale.path, "--ca", cross.new.path)
        assert names(peer)[1:] == ["Crossed CA", "New Root"]
        assert names(peer, "sent") == ["Interop Leaf", "Crossed CA", "Crossed CA"]


@pytest.mark.parametrize("order", list(itertools.permutations(["issuer", "by_old", "by_new"])))
@pytest.mark.parametrize("trusted", ["old", "new"])
def test_cross_signature_further_up(workshop, cross, trusted, order):
    """Between the leaf and the crossed one is another, and any order may come."""
    def make():
        issuer = workshop.authority("Under the Crossed CA", cross.by_old, end=365)
        return issuer, workshop.leaf(issuer)
    issuer, leaf = workshop.once("under", make)
    sent = {"issuer": issuer, "by_old": cross.by_old, "by_new": cross.by_new}
    with serving(workshop, leaf, *(sent[name] for name in order)) as server:
        peer = agreed(server.port, "--ca", getattr(cross, trusted).path)
        assert names(peer)[2:] == ["Crossed CA", f"{trusted.title()} Root"]


def test_cross_signed_by_strangers(workshop, cross):
    """None of the paths leads home."""
    with serving(workshop, cross.leaf, cross.by_old, cross.by_new) as server:
        code, cause = refused(server.port, "--ca", workshop.root().path)
        assert code == 5 and cause in ("unknown-issuer", "missing-intermediate")


class Expired:
    """As in May 2020: a root that is trusted, and an older root that signed it and has expired."""

    def __init__(self, workshop):
        self.old = workshop.authority("Expired Root", begin=-3650, end=-1)
        self.new = workshop.authority("Young Root", begin=-3650, end=3650)
        self.crossed = workshop.authority("Young Root", self.old, key=self.new.key, begin=-3650,
                                          end=-1)
        self.crossed_longer = workshop.authority("Young Root", self.old, key=self.new.key,
                                                 begin=-3650, end=365)
        self.issuer = workshop.authority("Young CA", self.new, end=365)
        self.leaf = workshop.leaf(self.issuer)


@pytest.fixture
def expired(workshop):
    return workshop.once("expired", lambda: Expired(workshop))


@pytest.mark.parametrize("anchors", [("new",), ("new", "old"), ("old", "new")])
@pytest.mark.parametrize("sent", ["crossed", "crossed_longer"])
def test_expired_cross_signature(workshop, expired, anchors, sent):
    trusted = [word for name in anchors for word in ("--ca", getattr(expired, name).path)]
    with serving(workshop, expired.leaf, expired.issuer, getattr(expired, sent)) as server:
        peer = agreed(server.port, *trusted)
        assert names(peer) == ["Interop Leaf", "Young CA", "Young Root"]


def test_only_the_expired_path(workshop, expired):
    with serving(workshop, expired.leaf, expired.issuer, expired.crossed_longer) as server:
        assert refused(server.port, "--ca", expired.old.path) == (7, "expired")


@pytest.mark.parametrize("first", ["expired", "renewed"])
def test_renewed_root(workshop, first):
    """The same key and name twice among the anchors; one of them has expired."""
    def make():
        old = workshop.authority("Renewed Root", begin=-3650, end=-1)
        new = workshop.authority("Renewed Root", key=old.key, begin=-10, end=3650)
        return old, new, workshop.leaf(new)
    old, new, leaf = workshop.once("renewed", make)
    both = workshop.bundle(*((old, new) if first == "expired" else (new, old)))
    with serving(workshop, leaf) as server:
        assert names(agreed(server.port, "--ca", both)) == ["Interop Leaf", "Renewed Root"]


@pytest.mark.parametrize("first", ["former", "latter"])
def test_root_with_a_new_key(workshop, first):
    """The same name twice among the anchors, with different keys."""
    def make():
        former = workshop.authority("Rekeyed Root", end=3650)
        latter = workshop.authority("Rekeyed Root", end=3650)
        return former, latter, workshop.leaf(former), workshop.leaf(latter)
    former, latter, *leaves = workshop.once("rekeyed", make)
    both = workshop.bundle(*((former, latter) if first == "former" else (latter, former)))
    for leaf in leaves:
        with serving(workshop, leaf) as server:
            assert len(agreed(server.port, "--ca", both)["chain"]) == 2


@pytest.mark.parametrize("names_,host,code", [
    (["DNS:*.example.test"], "a.example.test", 0),
    (["DNS:*.example.test"], "A.Example.Test", 0),
    (["DNS:*.example.test"], "example.test", 6),
    (["DNS:*.example.test"], "b.a.example.test", 6),
    (["DNS:w*.example.test"], "www.example.test", 6),
    (["DNS:*w.example.test"], "www.example.test", 6),
    (["DNS:www.*.test"], "www.example.test", 6),
    (["DNS:*"], "localhost", 6),
    (["DNS:*.test"], "example.test", 6),
    (["DNS:127.0.0.1"], "127.0.0.1", 6),
    (["IP:127.0.0.1"], "127.0.0.1", 0),
    (["IP:127.0.0.2"], "127.0.0.1", 6),
    (["IP:0:0:0:0:0:0:0:1"], "::1", 0),
    (["IP:::ffff:127.0.0.1"], "127.0.0.1", 6),
    (["email:localhost@localhost", "URI:https://localhost/"], "localhost", 6),
])
def test_names(workshop, names_, host, code):
    leaf = workshop.once(str(names_), lambda: workshop.leaf(workshop.root(), names=names_))
    with serving(workshop, leaf) as server:
        outcome = connect(server.port, "--ca", workshop.root().path, "--servername", host)
        assert outcome.code == code, outcome.text


def test_hundreds_of_names(workshop):
    leaf = workshop.leaf(workshop.root(), names=[f"DNS:name-{number}.example.test"
                                                 for number in range(400)])
    with serving(workshop, leaf) as server:
        trusted = ("--ca", workshop.root().path, "--servername")
        for name in ("name-0.example.test", "name-399.example.test"):
            assert len(agreed(server.port, *trusted, name)["chain"][0]["names"]) == 400
        outcome = connect(server.port, *trusted, "name-400.example.test")
        assert outcome.code == 6 and len(outcome.json["error"]["evidence"]) < 4096


def test_long_chain(workshop):
    """Nine certificates: unusual, and right."""
    issuer = workshop.root()
    line = []
    for number in range(7):
        issuer = workshop.authority(f"Level {number} CA", issuer, end=365)
        line.append(issuer)
    leaf = workshop.leaf(issuer)
    with serving(workshop, leaf, *line) as server:
        assert len(agreed(server.port, "--ca", workshop.root().path)["chain"]) == 9


def test_large_anchors_file(workshop, tower, tmp_path):
    """The anchor is the last of many, with text between them as some bundles have it."""
    bundle = tmp_path / "bundle.pem"
    stranger = workshop.root().pem
    bundle.write_text("# of everybody\n" + f"\nA name\n======\n{stranger}" * 300 + tower.root.pem)
    with serving(workshop, tower.leaf, tower.lower, tower.upper) as server:
        assert names(agreed(server.port, "--ca", bundle)) == FULL


def test_hashed_directory(workshop, tower, tmp_path):
    (tmp_path / "tower.pem").write_text(tower.root.pem)
    workshop.openssl("rehash", tmp_path)
    with serving(workshop, tower.leaf, tower.lower, tower.upper) as server:
        assert names(agreed(server.port, "--ca", tmp_path)) == FULL


def test_openssl_trusts_what_we_send(workshop, tower):
    """And s_client verifies our server's chain the same way."""
    with Serve("--echo", "--identity", workshop.identity(tower.leaf, tower.lower,
                                                         tower.upper)) as server:
        with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                     tower.root.path, "-verify_return_error", "-verify_hostname",
                     "localhost") as client:
            client.wait_for(r"Verify return code: 0 \(ok\)")
