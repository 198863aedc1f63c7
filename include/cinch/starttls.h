/*
 * starttls.h: how do I upgrade a plain connection?
 *
 * Many protocols begin in the clear and go over to TLS when the client asks for it. The short and safe
 * way is cinch_dial_starttls(); cinch_starttls() does it on a socket that the program has connected
 * itself; cinch_upgrade is the same without I/O, for a program's own loop. There is no way on in the
 * clear: a server that does not offer TLS, or refuses it, is an error.
 *
 * Whatever was said before TLS anybody on the path may have said. It is forgotten, so ask again
 * afterwards: send EHLO, CAPABILITY, FEAT or the XMPP stream header once more. Bytes that came behind
 * the server's consent, which an attacker would have taken for protected (CVE-2011-0411 and many
 * after it), are never dropped and never handed on: they are CINCH_CAUSE_STARTTLS_INJECTION.
 *
 * Threads: a cinch_upgrade is used by one thread at a time. The calls on descriptors may be made in
 * any thread.
 */
#ifndef CINCH_STARTTLS_H
#define CINCH_STARTTLS_H

#include <cinch/stream.h>

CINCH_BEGIN_DECLS

/* What is spoken before TLS. cinch_starttls_name() gives each one's name in words. */
typedef enum cinch_starttls_protocol {
    CINCH_STARTTLS_NONE = 0,
    CINCH_STARTTLS_SMTP,        /* "smtp": RFC 3207; also submission */
    CINCH_STARTTLS_LMTP,        /* "lmtp": RFC 2033 with RFC 3207 */
    CINCH_STARTTLS_IMAP,        /* "imap": RFC 9051, 6.2.1 */
    CINCH_STARTTLS_POP3,        /* "pop3": RFC 2595, 4 */
    CINCH_STARTTLS_SIEVE,       /* "sieve": ManageSieve, RFC 5804, 2.2 */
    CINCH_STARTTLS_FTP,         /* "ftp": AUTH TLS, RFC 4217; the control connection */
    CINCH_STARTTLS_NNTP,        /* "nntp": RFC 4642 */
    CINCH_STARTTLS_XMPP,        /* "xmpp": a client to its server, RFC 6120, 5 */
    CINCH_STARTTLS_XMPP_SERVER, /* "xmpp-server": a server to another, the same */
    CINCH_STARTTLS_LDAP,        /* "ldap": the StartTLS operation, RFC 4511, 4.14 */
    CINCH_STARTTLS_POSTGRES,    /* "postgres": SSLRequest */
    CINCH_STARTTLS_MYSQL,       /* "mysql": SSLRequest, also MariaDB */
    CINCH_STARTTLS_COUNT        /* not a protocol: how many there are in this version */
} cinch_starttls_protocol;

/* cinch_starttls_name gives the name of PROTOCOL, such as "smtp"; NULL if there is none. */
CINCH_API const char *cinch_starttls_name(cinch_starttls_protocol protocol);

/* cinch_starttls_named gives the protocol with this NAME, CINCH_STARTTLS_NONE if there is none. */
CINCH_API cinch_starttls_protocol cinch_starttls_named(const char *name);

/* cinch_starttls_port gives the usual port of PROTOCOL, such as "25"; NULL if there is none. */
CINCH_API const char *cinch_starttls_port(cinch_starttls_protocol protocol);

/* What may be wished for. Leave the rest 0. */
typedef struct cinch_starttls_options {
    const char *client_name; /* SMTP, LMTP: what to call ourselves; NULL: "[127.0.0.1]" */
    const char *domain;      /* XMPP: whose server it should be; cinch_dial_starttls() knows it */
    int timeout_ms;          /* cinch_starttls(), cinch_starttls_accept(): in all; 0 means 15,000 */
    unsigned mysql_flags;    /* MySQL: capability flags to ask for beside the ones needed for TLS */
    void *greeting;        /* MySQL: its greeting, payload alone, is copied here; login needs it */
    size_t greeting_size;  /* how many bytes there is room for; too few are an error */
    size_t *greeting_used; /* how many it has; may be NULL */
    const char *tag;       /* IMAP, cinch_starttls_accept(): the tag of the client's command */
    int message_id;        /* LDAP, the same: the ID of the client's message */
    const cinch_dial_options *dial; /* for cinch_dial_starttls(); may be NULL */
} cinch_starttls_options;

/*
 * cinch_dial_starttls is cinch_dial() to a server that begins in the clear: connects, upgrades, does
 * the handshake and verifies that the server is HOST. PORT may be NULL: the usual one of PROTOCOL.
 * The dialogue and the handshake together may take handshake_ms. OPTIONS may be NULL.
 */
CINCH_API cinch_stream *cinch_dial_starttls(cinch_context *ctx, const char *host, const char *port,
                                            cinch_starttls_protocol protocol,
                                            const cinch_starttls_options *options,
                                            cinch_error *err);

/*
 * cinch_starttls has the server at the connected socket FD begin TLS: waits for its greeting, asks what
 * it can do and for the upgrade. After CINCH_OK the next byte on FD is TLS: go on with
 * cinch_stream_wrap(). After a failure close FD; nothing else can be done with it safely. FD may be
 * blocking or not, and its flags stay; the call waits in either case. OPTIONS may be NULL, but for XMPP.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_starttls(int fd, cinch_starttls_protocol protocol,
                                                     const cinch_starttls_options *options,
                                                     cinch_error *err);

/* ---- for servers ---- */

/*
 * cinch_starttls_accept tells the client at FD, who has just asked for it, to begin TLS. REST is what
 * the program has read from it behind that command, SIZE bytes; give all of it. Unless that is nothing,
 * and nothing more is waiting on FD, the client, or somebody on the path, has sent commands in the
 * clear that would be obeyed as if they were protected: the call then fails, nothing is sent, and FD
 * has to be closed. After CINCH_OK go on with cinch_stream_wrap(), and forget what the client said
 * before. IMAP and LDAP want OPTIONS, with tag or message_id; for others it may be NULL. To MySQL
 * nothing is sent: the client's SSLRequest is followed by TLS.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_starttls_accept(int fd,
                                                            cinch_starttls_protocol protocol,
                                                            const void *rest, size_t size,
                                                            const cinch_starttls_options *options,
                                                            cinch_error *err);

/* How long a consent can be. */
#define CINCH_STARTTLS_CONSENT 128

/*
 * cinch_starttls_consent is cinch_starttls_accept() without I/O: checks REST, what was read behind the
 * client's command, and writes what to send to the client before TLS into BUF, which has room for
 * CINCH_STARTTLS_CONSENT bytes; *N is how many.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_starttls_consent(cinch_starttls_protocol protocol,
                                                             const void *rest, size_t size,
                                                             const cinch_starttls_options *options,
                                                             void *buf, size_t *n,
                                                             cinch_error *err);

/* ---- without I/O ---- */

/* The client's side of the dialogue that ends in TLS. */
typedef struct cinch_upgrade cinch_upgrade;

/*
 * cinch_upgrade_new begins the dialogue of PROTOCOL; no call of it reads or writes anything. OPTIONS
 * may be NULL, but for XMPP, and its texts are copied; where the greeting goes is used until
 * the end. Free it with cinch_upgrade_free(). NULL and ERR set on failure.
 */
CINCH_API cinch_upgrade *cinch_upgrade_new(cinch_starttls_protocol protocol,
                                           const cinch_starttls_options *options, cinch_error *err);

/* cinch_upgrade_free frees UPGRADE. NULL is fine. */
CINCH_API void cinch_upgrade_free(cinch_upgrade *upgrade);

/*
 * cinch_upgrade_state says what is next: CINCH_WANT_WRITE, send what cinch_upgrade_send_bytes() lends;
 * CINCH_WANT_READ, receive and hand in what came; CINCH_OK, the next byte in either direction is TLS.
 * A failure stays.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_upgrade_state(const cinch_upgrade *upgrade,
                                                          cinch_error *err);

/* cinch_upgrade_send_bytes lends what has to be sent now, *SIZE bytes, until the next call. */
CINCH_API cinch_status cinch_upgrade_send_bytes(const cinch_upgrade *upgrade, const void **bytes,
                                                size_t *size, cinch_error *err);

/* cinch_upgrade_send_consume says that N of these bytes were sent. Returns the state. */
CINCH_API cinch_status cinch_upgrade_send_consume(cinch_upgrade *upgrade, size_t n,
                                                  cinch_error *err);

/*
 * cinch_upgrade_receive hands in everything that was received, SIZE bytes in pieces of any size, and
 * returns the state. A byte behind the server's consent, or before it was asked for, is an error.
 */
CINCH_API CINCH_MUST_USE cinch_status cinch_upgrade_receive(cinch_upgrade *upgrade,
                                                            const void *bytes, size_t size,
                                                            cinch_error *err);

/* cinch_upgrade_end says that the server closed the connection: sets ERR to what that means. */
CINCH_API cinch_status cinch_upgrade_end(cinch_upgrade *upgrade, cinch_error *err);

/* cinch_upgrade_late says that the time is over, after MILLISECONDS: sets ERR to what that means. */
CINCH_API cinch_status cinch_upgrade_late(cinch_upgrade *upgrade, int milliseconds,
                                          cinch_error *err);

CINCH_END_DECLS

#endif
