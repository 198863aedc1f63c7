/* conn.h: the inside of a connection. */
#ifndef CINCH_CONN_CONN_H
#define CINCH_CONN_CONN_H

#include "base/buffer.h"
#include "base/openssl.h"
#include "conn/pace.h"
#include "conn/tap.h"
#include "context/link.h"
#include "identity/signer.h"

#include <cinch/conn.h>
#include <cinch/openssl.h>
#include <cinch/peer.h>

/* More than this that has to leave makes a write wait: the peer may be slower than the program. */
#define CINCH_OUT_HIGH ((size_t)256 * 1024)

/* What is kept of the handshake while it lasts, to explain its failure. */
typedef struct cinch_opening {
    unsigned char first[96]; /* the first bytes from the peer: is it TLS at all? */
    size_t first_size;
    unsigned char *hello; /* the ClientHello, ours or the peer's, as a handshake message */
    size_t hello_size;
    int answered_version; /* client: what the ServerHello says; 0 before */
    int answered_cipher;
} cinch_opening;

/* Where the answer to cinch_conn_ask_certificate() is. */
typedef enum cinch_late {
    CINCH_LATE_NONE = 0,
    CINCH_LATE_ASKED,
    CINCH_LATE_FINISHED /* the client's Finished is here, and nobody has looked at the result */
} cinch_late;

/* What libssl does on a fiber. */
typedef enum cinch_work {
    CINCH_WORK_HANDSHAKE = 0,
    CINCH_WORK_LOOK /* for the next data, and what comes before it */
} cinch_work;

struct cinch_conn {
    SSL *ssl;
    cinch_link link;
    cinch_signer_turn turn; /* its fiber is there only while it is at work or paused */
    cinch_work work;        /* what it does */
    int work_result;        /* what libssl said to it */
    cinch_buffer in;
    cinch_buffer out;
    size_t in_want; /* how much room to lend */
    size_t lent;    /* how much is lent */
    cinch_conn_state state;
    int begun;              /* the handshake's first step was taken */
    int lost_bytes;         /* there was no memory for bytes that had to leave */
    int recv_ended;         /* the transport has ended */
    int peer_asked;         /* client: the server sent a CertificateRequest */
    int answered;           /* the other side's hello is here */
    int alert_sent;         /* the last fatal one, 0 if none */
    int alert_received;     /* the same */
    int handshake_done;     /* at least once; FAILED keeps it */
    int64_t started_at;     /* cinch_clock_us() */
    int64_t hello_at;       /* 0 before */
    int64_t finished_at;    /* 0 before */
    cinch_opening *opening; /* NULL once the handshake is complete */
    cinch_error *failure;   /* why it FAILED; NULL in that state when there was no memory for it */
    cinch_cause failed_cause;
    cinch_late late;      /* server: what it asked for after the handshake */
    unsigned key_updates; /* of the peer, since it last sent data */
    cinch_pace pace;
    cinch_message_callback on_message; /* NULL: nobody looks */
    void *on_message_arg;
    cinch_tap *tap;                          /* NULL: nobody looks */
    void (*see_next)(const SSL *, int, int); /* foreign.h: the info callback that ours replaced */
    char server_name[CINCH_HOST_TEXT];       /* what the client asked for, as the server saw it */
};

/* bio.c: a BIO that moves bytes between SSL and the two buffers. NULL if there is no memory. */
BIO *cinch_bio_new(cinch_conn *conn);

/* conn.c: drops what was kept of the handshake. */
void cinch_conn_opened(cinch_conn *conn);

/*
 * late.c: after each step of reading or writing, GOT_DATA not 0 if the peer sent some. Anything but
 * CINCH_OK, with LOCAL set, means that CONN cannot go on.
 */
cinch_status cinch_conn_look_after(cinch_conn *conn, int got_data, cinch_error *local);

/* trace.c: what passes by, remembered for timing and for explanations. */
void cinch_conn_watch(cinch_conn *conn);

/* failure.c */

/*
 * cinch_conn_fail makes CONN FAILED because of LOCAL, tells ERR, and returns LOCAL's status. A conn
 * that has FAILED already stays with its first failure.
 */
cinch_status cinch_conn_fail(cinch_conn *conn, const cinch_error *local, cinch_error *err);

/* cinch_conn_failed_before tells ERR again why CONN has FAILED. */
cinch_status cinch_conn_failed_before(const cinch_conn *conn, cinch_error *err);

/*
 * cinch_conn_explain fills LOCAL from what OpenSSL's error queue, the alerts and the opening tell
 * about a call on SSL that failed with RESULT, as SSL_get_error() gives it.
 */
void cinch_conn_explain(cinch_conn *conn, int result, cinch_error *local);

/* cinch_conn_explain_errors does so from ERRORS, without a look at the queue. */
void cinch_conn_explain_errors(const cinch_conn *conn, int result, cinch_openssl_errors errors,
                               cinch_error *local);

/*
 * data.c: the last look before a connection counts as open: whatever went wrong inside, none is open
 * that was not verified.
 */
cinch_status cinch_conn_check(cinch_conn *conn, cinch_error *local);

/* explain_alert.c: the peer ended it with an alert. */
void cinch_explain_alert(const cinch_conn *conn, cinch_error *local);

/* explain_offer.c: shows what each side offered, as far as this side can know. */
void cinch_explain_offer(const cinch_conn *conn, cinch_error *local);
void cinch_explain_no_version(const cinch_conn *conn, cinch_error *local);
void cinch_explain_no_cipher(const cinch_conn *conn, cinch_error *local);
void cinch_explain_no_group(const cinch_conn *conn, cinch_error *local);
void cinch_explain_no_sigalg(const cinch_conn *conn, cinch_error *local);

/* explain_not_tls.c: 1 if the first bytes are not TLS, and LOCAL says what they are. */
int cinch_explain_not_tls(const cinch_conn *conn, cinch_error *local);

/* For the stream. */

/* cinch_conn_phase says what the conn waits for: "waiting for the server's hello". */
const char *cinch_conn_phase(const cinch_conn *conn);

/*
 * cinch_conn_await_signature waits until CONN, which said CINCH_WANT_SIGNATURE, can go on: 1; or until
 * DEADLINE, of cinch_clock_us() (INT64_MAX: for ever): 0.
 */
int cinch_conn_await_signature(const cinch_conn *conn, int64_t deadline);

/* cinch_conn_fail_transport makes CONN FAILED because of WHY: a timeout, a reset. */
void cinch_conn_fail_transport(cinch_conn *conn, const cinch_error *why);

#endif
