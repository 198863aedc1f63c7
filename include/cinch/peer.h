/*
 * peer.h: what was agreed, and who is there?
 *
 * The report is a copy: it stays the same while the connection goes on, belongs to the caller and
 * may be read by many threads. Fields may be added at the end in later versions.
 */
#ifndef CINCH_PEER_H
#define CINCH_PEER_H

#include <cinch/certificate.h>
#include <cinch/conn.h>

CINCH_BEGIN_DECLS

/* When the steps of a connection were complete, in microseconds; -1 for a step that was not. */
typedef struct cinch_timing {
    int64_t resolved_us;    /* streams only: the name had an address, since the call began */
    int64_t connected_us;   /* streams only: TCP, since resolved */
    int64_t hello_us;       /* the other side's hello is here, since the handshake began */
    int64_t certificate_us; /* the peer's certificate is verified, since the hello */
    int64_t finished_us;    /* the handshake is complete, since the step before */
} cinch_timing;

typedef struct cinch_peer {
    const char *version; /* "TLSv1.3" */
    int version_number;  /* 0x0304; cinch_tls_version */
    const char *cipher;  /* "TLS_AES_128_GCM_SHA256": the name that RFCs use */
    int cipher_bits;
    const char *group;               /* key exchange: "X25519"; "" if none was used */
    const char *signature_algorithm; /* what the peer proved its key with; "" if it did not */
    const char *alpn;                /* the protocol agreed on; "" if none */
    const char *server_name;         /* the name sent (client) or asked for (server); "" if none */
    const char *host;                /* client: the name or address that was to be verified */
    int resumed;                     /* the session of an earlier connection was used */
    int verified; /* the peer's certificate passed every check, or it proved `psk_identity` */
    cinch_certificate **chain; /* verified: leaf first, trust anchor last; else empty */
    size_t chain_count;
    cinch_certificate **sent; /* as the peer sent them, leaf first; may be nonsense */
    size_t sent_count;
    cinch_timing timing;
    const char
        *psk_identity; /* whose pre-shared key was proved (psk.h), in place of a certificate */
    const char *npn;   /* the protocol agreed on with NPN; "" if none */
    /* Server: the suites that both sides have, as the client prefers them, "A, B"; "" on a client. */
    const char *shared_ciphers;
    /* Whose AES-GCM protects the records: "libipsec-mb 1.3.0"; "" for OpenSSL's own and other ciphers. */
    const char *accel;
} cinch_peer;

/*
 * cinch_conn_peer reports on CONN once its handshake is complete. Returns NULL and sets ERR before
 * that, or when memory runs out. Free it with cinch_peer_free().
 */
CINCH_API cinch_peer *cinch_conn_peer(const cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_evidence reports what is known of the peer of a connection at any time, so also of one
 * whose handshake failed: what is not known is empty, `verified` is 0. Returns NULL and sets ERR
 * when memory runs out. Free it with cinch_peer_free().
 */
CINCH_API cinch_peer *cinch_conn_evidence(const cinch_conn *conn, cinch_error *err);

/* cinch_peer_free frees a report. NULL is fine. */
CINCH_API void cinch_peer_free(cinch_peer *peer);

CINCH_END_DECLS

#endif
