/* explain_offer.c: nothing in common: what each side offered, as far as this side can know. */
#include "base/certificate.h"
#include "base/fail.h"
#include "conn/conn.h"
#include "conn/hello.h"

#include <stdio.h>
#include <string.h>

#define LIST 320

static int is_server(const cinch_conn *conn)
{
    return conn->link.derived->settings->is_server;
}

/* The ClientHello of this handshake: ours on a client, the peer's on a server. */
static int offered(const cinch_conn *conn, cinch_hello *hello)
{
    return conn->opening != NULL && conn->opening->hello != NULL &&
           cinch_hello_parse(hello, conn->opening->hello, conn->opening->hello_size);
}

static const char *cipher_name(int value, void *arg)
{
    const cinch_conn *conn = arg;
    unsigned char id[2] = {(unsigned char)(value >> 8), (unsigned char)value};
    const SSL_CIPHER *cipher = SSL_CIPHER_find(conn->ssl, id);

    /* Signals, not suites: TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV. */
    if (value == 0x00ff || value == 0x5600)
        return "";
    return cipher == NULL ? NULL : SSL_CIPHER_standard_name(cipher);
}

static void show_versions(const cinch_conn *conn, const cinch_hello *hello, cinch_error *local)
{
    const cinch_policy *policy = conn->link.derived->settings->policy;
    char list[LIST], min[16], max[16];

    cinch_fail_evidence(local, "the client offers the versions: %s\n",
                        cinch_hello_versions(hello, list, sizeof list));
    if (is_server(conn))
        cinch_fail_evidence(local, "this server allows: %s to %s\n",
                            cinch_version_text(policy->min, min),
                            cinch_version_text(policy->max, max));
}

static void show_ciphers(const cinch_conn *conn, const cinch_hello *hello, cinch_error *local)
{
    const cinch_policy *policy = conn->link.derived->settings->policy;
    union {
        const cinch_conn *in;
        void *out;
    } arg = {conn};
    char list[LIST * 2];

    cinch_fail_evidence(local, "the client offers the cipher suites: %s\n",
                        cinch_list_pairs(hello->ciphers, cipher_name, arg.out, list, LIST));
    if (!is_server(conn))
        return;
    if (policy->max >= TLS1_3_VERSION)
        cinch_fail_evidence(local, "this server has: %s", policy->suites);
    if (policy->min < TLS1_3_VERSION)
        cinch_fail_evidence(local, "%s%s",
                            policy->max >= TLS1_3_VERSION ? ", and for TLS 1.2 "
                                                          : "this server has: ",
                            policy->ciphers);
    cinch_fail_evidence(local, "\n");
}

static void show_groups(const cinch_conn *conn, const cinch_hello *hello, cinch_error *local)
{
    char list[LIST];

    if (hello->groups.size == 0)
        cinch_fail_evidence(local, "the client offers no key exchange groups\n");
    else
        cinch_fail_evidence(local, "the client offers the groups: %s\n",
                            cinch_hello_groups(hello->groups, list, sizeof list));
    if (is_server(conn))
        cinch_fail_evidence(local, "this server has: %s\n",
                            conn->link.derived->settings->policy->groups);
}

static void show_key(const cinch_conn *conn, cinch_error *local)
{
    const cinch_identity *identity = conn->link.derived->settings->identity;

    if (identity == NULL || identity->certificate_count == 0)
        return;
    const cinch_certificate *leaf = identity->certificates[0];
    cinch_fail_evidence(local, "this server's certificate has a key of the kind %s %s\n",
                        leaf->key_type, leaf->key_group);
}

static void show_sigalgs(const cinch_conn *conn, const cinch_hello *hello, cinch_error *local)
{
    char list[LIST];

    if (hello->sigalgs.size == 0)
        cinch_fail_evidence(local, "the client offers no signature algorithms\n");
    else
        cinch_fail_evidence(local, "the client offers the signature algorithms: %s\n",
                            cinch_hello_sigalgs(hello->sigalgs, list, sizeof list));
    if (is_server(conn))
        show_key(conn, local);
}

/* The evidence ends without a line end, whatever was shown last. */
static void trim(cinch_error *local)
{
    size_t length = strlen(local->evidence);

    while (length > 0 && local->evidence[length - 1] == '\n')
        local->evidence[--length] = 0;
}

void cinch_explain_offer(const cinch_conn *conn, cinch_error *local)
{
    cinch_hello hello;

    if (local->evidence[0] != 0)
        cinch_fail_evidence(local, "\n");
    if (offered(conn, &hello)) {
        show_versions(conn, &hello, local);
        show_ciphers(conn, &hello, local);
        show_groups(conn, &hello, local);
        show_sigalgs(conn, &hello, local);
    }
    trim(local);
}

void cinch_explain_no_version(const cinch_conn *conn, cinch_error *local)
{
    cinch_hello hello;
    char text[16];

    (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_VERSION,
                     "no protocol version of TLS in common with the %s",
                     is_server(conn) ? "client" : "server");
    if (offered(conn, &hello))
        show_versions(conn, &hello, local);
    if (!is_server(conn) && conn->opening != NULL && conn->opening->answered_version != 0)
        cinch_fail_evidence(local, "the server answered with: %s\n",
                            cinch_version_text(conn->opening->answered_version, text));
    trim(local);
}

/* Whether the client's list holds an ECDHE suite of TLS 1.2 or any suite of TLS 1.3 of ours. */
static int shares_cipher(const cinch_conn *conn, const cinch_hello *hello)
{
    STACK_OF(SSL_CIPHER) *ours = SSL_get_ciphers(conn->ssl);

    for (int i = 0; i < sk_SSL_CIPHER_num(ours); i++)
        if (cinch_hello_has(hello->ciphers,
                            SSL_CIPHER_get_protocol_id(sk_SSL_CIPHER_value(ours, i))))
            return 1;
    return 0;
}

static int shares_group(const cinch_conn *conn, const cinch_hello *hello)
{
    static const struct {
        int id;
        const char *name;
    } usual[] = {{0x1d, "X25519"},
                 {0x17, "P-256"},
                 {0x18, "P-384"},
                 {0x19, "P-521"},
                 {0x11ec, "X25519MLKEM768"}};
    const char *ours = conn->link.derived->settings->policy->groups;

    /* Without the extension a server of TLS 1.2 takes any group (RFC 8422, 4). */
    if (hello->groups.size == 0)
        return 1;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (cinch_hello_has(hello->groups, usual[i].id) && strstr(ours, usual[i].name) != NULL)
            return 1;
    return 0;
}

void cinch_explain_no_cipher(const cinch_conn *conn, cinch_error *local)
{
    cinch_hello hello;
    int known = offered(conn, &hello);

    /* A suite of TLS 1.2 needs a group and a certificate of its kind: libssl calls all "no cipher". */
    if (known && is_server(conn) && shares_cipher(conn, &hello)) {
        if (!shares_group(conn, &hello)) {
            cinch_explain_no_group(conn, local);
            return;
        }
        cinch_explain_no_sigalg(conn, local);
        show_ciphers(conn, &hello, local);
        trim(local);
        return;
    }
    (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_CIPHER, "no cipher suite in common with the %s",
                     is_server(conn) ? "client" : "server");
    if (known) {
        show_ciphers(conn, &hello, local);
        if (is_server(conn))
            show_key(conn, local);
    }
    if (!is_server(conn) && conn->opening != NULL && conn->opening->answered_cipher != 0)
        cinch_fail_evidence(local, "the server answered with: 0x%04x\n",
                            (unsigned)conn->opening->answered_cipher);
    trim(local);
}

void cinch_explain_no_group(const cinch_conn *conn, cinch_error *local)
{
    cinch_hello hello;

    (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_GROUP,
                     "no key exchange group in common with the %s",
                     is_server(conn) ? "client" : "server");
    if (offered(conn, &hello))
        show_groups(conn, &hello, local);
    trim(local);
}

void cinch_explain_no_sigalg(const cinch_conn *conn, cinch_error *local)
{
    cinch_hello hello;

    (void)cinch_fail(local, CINCH_CAUSE_NO_COMMON_SIGALG,
                     "no signature algorithm in common with the %s",
                     is_server(conn) ? "client" : "server");
    if (offered(conn, &hello))
        show_sigalgs(conn, &hello, local);
    trim(local);
}
