/*
 * lesson.h: one connection from its first byte to data both ways, and what must be true of it when
 * it was let in, and when it was refused. The other end is libcinch, or libssl in the hands of somebody
 * who does what libcinch would not.
 */
#ifndef CINCH_TESTS_LESSON_H
#define CINCH_TESTS_LESSON_H

#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#define EACH_VERSION(v)                                                                            \
    for (cinch_tls_version v = CINCH_TLS_1_2; v <= CINCH_TLS_1_3; v = (cinch_tls_version)(v + 1))

typedef enum lesson_who {
    THE_CLIENT,
    THE_SERVER
} lesson_who;

/* What one end of a connection saw. */
typedef struct lesson_end {
    int open;        /* its handshake was complete at some time */
    size_t got;      /* bytes of data that it was given */
    cinch_error err; /* of libcinch's ends */
    int alert;       /* the fatal alert that came from the other end, 0 if none */
    int resumed;
    int verified;
    char alpn[32];
    char leaf[128]; /* the first name in the certificate that the other end showed */
} lesson_end;

typedef struct lesson_talk {
    lesson_end client;
    lesson_end server;
} lesson_talk;

/* lesson_limit allows one version only. */
void lesson_limit(cinch_context *ctx, cinch_tls_version version);

/* lesson_show gives CTX the identity of a leaf. */
void lesson_show(cinch_context *ctx, const pki_cert *leaf, const pki_cert *intermediate);

/* lesson_demand makes a server require certificates that ANCHOR stands for. */
void lesson_demand(cinch_context *ctx, const pki_cert *anchor);

/* lesson_connect does all of one connection, in which each end that is open says a word. */
lesson_talk lesson_connect(cinch_context *client, cinch_context *server, const char *host);

/* lesson_drive is the same with two ends that are there, which it does not free. */
lesson_talk lesson_drive(cinch_conn *client, cinch_conn *server);

/*
 * lesson_against lets CONN talk with SSL, which has its side set and its wishes made; both stay the
 * caller's. The alert is the last fatal one that SSL received.
 */
lesson_talk lesson_against(cinch_conn *conn, SSL *ssl);

/* Somebody with libssl: checks nothing, offers whatever he is told to; ANY version if it is 0. */
SSL_CTX *lesson_libssl(int is_server, cinch_tls_version version);
void lesson_libssl_show(SSL_CTX *ctx, const pki_cert *leaf, const pki_cert *intermediate);

/* lesson_opened asserts that both ends are open and each word arrived. */
#define lesson_opened(talk) lesson_check_open(&(talk), __FILE__, __LINE__)

/*
 * lesson_refused asserts that WHO refused for CAUSE, said so with ALERT, which arrived, and that no
 * byte of data got to WHO, nor from it to the other end.
 */
#define lesson_refused(talk, who, cause, alert)                                                    \
    lesson_check_refused(&(talk), who, cause, alert, __FILE__, __LINE__)

void lesson_check_open(const lesson_talk *t, const char *file, int line);
void lesson_check_refused(const lesson_talk *t, lesson_who who, cinch_cause cause, int alert,
                          const char *file, int line);

/* Both in one: most tests have nothing else to look at. */
#define lesson_opens(client, server, host)                                                         \
    do {                                                                                           \
        lesson_talk t_ = lesson_connect(client, server, host);                                     \
        lesson_opened(t_);                                                                         \
    } while (0)
#define lesson_refuses(client, server, host, who, cause, alert)                                    \
    do {                                                                                           \
        lesson_talk t_ = lesson_connect(client, server, host);                                     \
        lesson_refused(t_, who, cause, alert);                                                     \
    } while (0)

#endif
