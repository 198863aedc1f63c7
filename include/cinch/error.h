/*
 * error.h: what went wrong, and what do I do about it?
 *
 * Every call of libcinch that can fail takes a cinch_error last. The struct belongs to the caller,
 * has a fixed size and is never allocated, so that "out of memory" can be told like anything else.
 *
 *   - The first error wins: a call that is handed an error that is set already does nothing, fails
 *     with CINCH_FAILED and leaves the error as it is. A program may therefore make all its calls
 *     and look once, at the end, and nothing is ever sent over a connection whose preparation
 *     failed. cinch_error_clear() makes the error usable again.
 *   - Every object argument may be NULL, as a constructor that failed leaves it: the call fails.
 *   - A NULL error is allowed, but then every status has to be looked at: nothing is remembered.
 *
 * An error is plain data: it may be copied, and is used by one thread at a time.
 */
#ifndef CINCH_ERROR_H
#define CINCH_ERROR_H

#include <cinch/export.h>
#include <stdio.h>

CINCH_BEGIN_DECLS

/* What a fallible call returns. Only CINCH_OK means that it did what it was asked to. */
typedef enum cinch_status {
    CINCH_OK = 0,
    CINCH_WANT_READ = 1,     /* not an error: bytes from the peer are needed first */
    CINCH_WANT_WRITE = 2,    /* not an error: bytes to the peer have to leave first */
    CINCH_EOF = 3,           /* not an error: the peer said close_notify; there is no more data */
    CINCH_TRUNCATED = 4,     /* the transport ended without close_notify: data may be missing */
    CINCH_TIMEOUT = 5,       /* the deadline passed; the error says in which phase */
    CINCH_FAILED = 6,        /* anything else; the error has the details */
    CINCH_WANT_SIGNATURE = 7 /* not an error: the program owes a signature; see signer.h */
} cinch_status;

/* The kinds of failure that a program may want to treat differently. */
typedef enum cinch_category {
    CINCH_CATEGORY_NONE = 0,
    CINCH_CATEGORY_USAGE,       /* the caller's mistake: a wrong argument, a call out of turn */
    CINCH_CATEGORY_FILE,        /* a named file or its content cannot be used */
    CINCH_CATEGORY_NETWORK,     /* DNS or TCP: no connection came about */
    CINCH_CATEGORY_NEGOTIATION, /* both sides speak TLS and found nothing in common; or no TLS */
    CINCH_CATEGORY_TRUST,       /* the peer's certificate does not lead to a trust anchor */
    CINCH_CATEGORY_NAME,        /* the certificate is for somebody else */
    CINCH_CATEGORY_VALIDITY,    /* the certificate has expired or is not valid yet */
    CINCH_CATEGORY_CLIENT_CERTIFICATE, /* the server wants a certificate, or refused ours */
    CINCH_CATEGORY_TIMEOUT,
    CINCH_CATEGORY_CLOSED,   /* the connection ended where it should not */
    CINCH_CATEGORY_PROTOCOL, /* the peer broke the protocol, or something between changed bytes */
    CINCH_CATEGORY_MEMORY,
    CINCH_CATEGORY_INTERNAL /* libcinch or OpenSSL failed in a way that should not happen */
} cinch_category;

/* The single causes that libcinch tells apart; cinch_cause_name() gives each one's name. */
typedef enum cinch_cause {
    CINCH_CAUSE_NONE = 0,
    /* usage */
    CINCH_CAUSE_MISUSE,
    CINCH_CAUSE_BAD_SETTING,
    CINCH_CAUSE_NO_HOST_NAME,
    CINCH_CAUSE_BAD_HOST_NAME,
    CINCH_CAUSE_NO_IDENTITY,
    /* files and what is in them */
    CINCH_CAUSE_FILE_UNREADABLE,
    CINCH_CAUSE_NOT_PEM,
    CINCH_CAUSE_KEY_WHERE_CERTIFICATE,
    CINCH_CAUSE_CERTIFICATE_WHERE_KEY,
    CINCH_CAUSE_NO_CERTIFICATE,
    CINCH_CAUSE_NO_KEY,
    CINCH_CAUSE_BAD_CERTIFICATE,
    CINCH_CAUSE_BAD_KEY,
    CINCH_CAUSE_PASSWORD_MISSING,
    CINCH_CAUSE_PASSWORD_WRONG,
    CINCH_CAUSE_KEY_MISMATCH,
    CINCH_CAUSE_CHAIN_GAP,
    CINCH_CAUSE_WEAK_IDENTITY,
    CINCH_CAUSE_NO_ANCHORS,
    CINCH_CAUSE_BAD_REVOCATION,
    /* DNS and TCP */
    CINCH_CAUSE_DNS,
    CINCH_CAUSE_REFUSED,
    CINCH_CAUSE_UNREACHABLE,
    CINCH_CAUSE_NETWORK,
    /* negotiation */
    CINCH_CAUSE_NOT_TLS,
    CINCH_CAUSE_NO_COMMON_VERSION,
    CINCH_CAUSE_NO_COMMON_CIPHER,
    CINCH_CAUSE_NO_COMMON_GROUP,
    CINCH_CAUSE_NO_COMMON_SIGALG,
    CINCH_CAUSE_NO_COMMON_ALPN,
    CINCH_CAUSE_UNKNOWN_SERVER_NAME,
    CINCH_CAUSE_HANDSHAKE_REFUSED,
    CINCH_CAUSE_STARTTLS_NOT_OFFERED,
    CINCH_CAUSE_STARTTLS_REFUSED,
    /* trust */
    CINCH_CAUSE_SELF_SIGNED,
    CINCH_CAUSE_UNKNOWN_ISSUER,
    CINCH_CAUSE_MISSING_INTERMEDIATE,
    CINCH_CAUSE_WRONG_PURPOSE,
    CINCH_CAUSE_TOO_WEAK,
    CINCH_CAUSE_BAD_SIGNATURE,
    CINCH_CAUSE_REVOKED,
    CINCH_CAUSE_CHAIN_RULE,
    CINCH_CAUSE_PEER_DISTRUSTS_US,
    CINCH_CAUSE_NO_CRL,
    CINCH_CAUSE_OCSP,
    /* name */
    CINCH_CAUSE_WRONG_HOST_NAME,
    CINCH_CAUSE_WRONG_IP,
    /* validity */
    CINCH_CAUSE_EXPIRED,
    CINCH_CAUSE_NOT_YET_VALID,
    /* client certificates */
    CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED,
    CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED,
    CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING,
    /* time */
    CINCH_CAUSE_TIMEOUT,
    /* ends */
    CINCH_CAUSE_CLOSED_IN_HANDSHAKE,
    CINCH_CAUSE_RESET,
    CINCH_CAUSE_TRUNCATED,
    /* protocol */
    CINCH_CAUSE_ALERT_RECEIVED,
    CINCH_CAUSE_DAMAGED_RECORD,
    CINCH_CAUSE_PROTOCOL,
    CINCH_CAUSE_STARTTLS_DIALOGUE,
    CINCH_CAUSE_STARTTLS_INJECTION,
    /* the rest */
    CINCH_CAUSE_MEMORY,
    CINCH_CAUSE_SYSTEM,
    CINCH_CAUSE_SIGNER,
    CINCH_CAUSE_INTERNAL,
    CINCH_CAUSE_COUNT /* not a cause: how many there are in this version */
} cinch_cause;

#define CINCH_ERROR_WHAT 256
#define CINCH_ERROR_EVIDENCE 1280
#define CINCH_ERROR_REMEDY 512
#define CINCH_ERROR_DETAIL 256

/*
 * One failure. All texts are UTF-8, end with a NUL byte and have control characters (a peer may
 * put them into a certificate) replaced by \xNN; they are for people and may change.
 */
typedef struct cinch_error {
    cinch_status status;     /* CINCH_OK while nothing went wrong */
    cinch_category category; /* what to switch on */
    cinch_cause cause;
    int alert_sent;              /* RFC 8446, 6: the fatal alert sent, 0 if none */
    int alert_received;          /* the fatal alert that the peer sent, 0 if none */
    int verify_code;             /* OpenSSL's X509_V_ERR_..., 0 if none */
    int verify_depth;            /* the certificate it is about: 0 the leaf, 1 its issuer, ... */
    int system_error;            /* errno, 0 if none */
    unsigned long openssl_code;  /* as from ERR_peek_error(), 0 if none */
    char what[CINCH_ERROR_WHAT]; /* what happened, in one sentence */
    char evidence[CINCH_ERROR_EVIDENCE]; /* how that is known; may be empty, may have lines */
    char remedy[CINCH_ERROR_REMEDY];     /* what can be done */
    char detail[CINCH_ERROR_DETAIL];     /* OpenSSL's and the system's own words; may be empty */
} cinch_error;

/* An error that is not set. */
#define CINCH_ERROR_INIT                                                                           \
    {                                                                                              \
        CINCH_OK, CINCH_CATEGORY_NONE, CINCH_CAUSE_NONE, 0, 0, 0, 0, 0, 0, {0}, {0}, {0},          \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* cinch_error_clear makes ERR usable again. NULL is fine. */
CINCH_API void cinch_error_clear(cinch_error *err);

/*
 * cinch_error_set sets ERR to CAUSE, with WHAT happened in one sentence, the EVIDENCE and a REMEDY; NULL
 * for no evidence, and for the usual remedy of the cause. It is for adapters and bindings, whose failures
 * are then told like all others. An error that is set already stays. Returns the status that goes with
 * CAUSE, never CINCH_OK.
 */
CINCH_API cinch_status cinch_error_set(cinch_error *err, cinch_cause cause, const char *what,
                                       const char *evidence, const char *remedy);

/* cinch_error_is_set tells whether ERR holds a failure; 0 for NULL. */
CINCH_API int cinch_error_is_set(const cinch_error *err);

/*
 * cinch_error_report writes ERR to OUT as text of several lines, nothing if ERR is not set, and
 * returns what main() may return: cinch_error_exit_code(ERR). OUT may be NULL.
 */
CINCH_API int cinch_error_report(const cinch_error *err, FILE *out);

/*
 * cinch_error_print writes what cinch_error_report() prints into BUF, always ended by a NUL if SIZE
 * is not 0, and returns the length in bytes that the whole text has, as snprintf() does.
 */
CINCH_API size_t cinch_error_print(const cinch_error *err, char *buf, size_t size);

/*
 * cinch_error_json writes ERR as one JSON object (RFC 8259, no line ends) into BUF, always ended by
 * a NUL if SIZE is not 0, and returns the length in bytes that the whole text has.
 */
CINCH_API size_t cinch_error_json(const cinch_error *err, char *buf, size_t size);

/*
 * cinch_error_exit_code gives the exit code that the command cinch uses for ERR: 0 not set, 2 usage
 * or a named file, 3 DNS or TCP, 4 negotiation, 5 untrusted, 6 wrong name, 7 expired or not yet
 * valid, 8 client certificate wanted or refused, 9 timeout, 10 anything else.
 */
CINCH_API int cinch_error_exit_code(const cinch_error *err);

/* cinch_status_name gives the name of STATUS in words, such as "truncated". Never NULL. */
CINCH_API const char *cinch_status_name(cinch_status status);

/* cinch_category_name gives the name of CATEGORY, such as "trust". Never NULL. */
CINCH_API const char *cinch_category_name(cinch_category category);

/* cinch_cause_name gives the name of CAUSE, such as "missing-intermediate". Never NULL. */
CINCH_API const char *cinch_cause_name(cinch_cause cause);

/*
 * cinch_alert_name gives the name of the TLS alert DESCRIPTION as in RFC 8446, 6, such as
 * "bad_certificate", or "unknown alert". Never NULL.
 */
CINCH_API const char *cinch_alert_name(int description);

CINCH_END_DECLS

#endif
