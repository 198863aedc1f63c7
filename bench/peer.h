/*
 * peer.h: what a TLS library has to do to be compared. One file of bench/peers/ per library says how; all
 * else, the work, the sockets and the clocks, is in peer.c and the same for all. A program is
 *
 *     bench_NAME server WORK VERSION DIR KEY SECONDS SIZE        prints its port
 *     bench_NAME client WORK VERSION DIR KEY SECONDS SIZE PORT
 *
 * where DIR has ca.pem, KEY.crt and KEY.key, VERSION is 1.2 or 1.3, and WORK is bulk, trips, full, resumed
 * or idle. Each end prints a line of JSON when it is done. bench/run starts them.
 */
#ifndef CINCH_BENCH_PEER_H
#define CINCH_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct peer_settings {
    bool server;
    int version; /* 12 or 13 */
    bool resume; /* give out sessions and use them; else neither */
    bool rsa;    /* the server's key */
    char ca[256];
    char cert[256];
    char key[256];
} peer_settings;

/*
 * All work with one suite, AES-128-GCM with SHA-256, and with X25519 where that can be said. A client
 * checks that the server's certificate leads to the CA and is for localhost.
 */
typedef struct peer_library {
    /* The library with its version. */
    const char *(*about)(void);
    /* Once per process. False: the library cannot do that. */
    bool (*prepare)(const peer_settings *settings);
    /* TLS on a connected socket, with the handshake complete. */
    void *(*open)(int fd);
    /* At least a byte; 0 at the end, which the other side has told. */
    size_t (*read)(void *conn, void *buf, size_t size);
    /* All of it. */
    void (*write)(void *conn, const void *data, size_t size);
    /* The suite, and whether a session was resumed. */
    const char *(*agreed)(void *conn, bool *resumed);
    /* Tells the other side that this was all, and frees. The socket stays open. */
    void (*close)(void *conn);
} peer_library;

extern const peer_library the_peer;

/* peer_die ends the process with a message. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
_Noreturn void
peer_die(const char *format, ...);

#endif
