/*
 * peer.h: what a TLS library has to do to be compared. One file of bench/peers/ per library says how; all
 * else, the work, the sockets and the clocks, is in peer.c and work_*.c and the same for all. A program is
 *
 *     bench_NAME server WORK VERSION SUITE KEY DIR SECONDS NUMBER        prints its port
 *     bench_NAME client WORK VERSION SUITE KEY DIR SECONDS NUMBER PORT
 *     bench_NAME context|ready
 *
 * VERSION is 1.2 or 1.3, SUITE aes128, aes256 or chacha, and both are any for the work default. DIR has
 * KEY-ca.pem, and KEY.crt, KEY.key and client-KEY.crt, client-KEY.key, each with its chain. NUMBER is how
 * many bytes are written at a time or go there and back, or how many threads or processes serve. Each end prints a line of JSON
 * when it is done. bench/run starts them.
 */
#ifndef CINCH_BENCH_PEER_H
#define CINCH_BENCH_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* All authorities of the system in one file, for libraries that do not know where they are. */
#define PEER_SYSTEM_TRUST "/etc/ssl/certs/ca-certificates.crt"

typedef enum peer_suite {
    PEER_AES128, /* AES-128-GCM with SHA-256 */
    PEER_AES256, /* AES-256-GCM with SHA-384 */
    PEER_CHACHA, /* ChaCha20-Poly1305 with SHA-256 */
} peer_suite;

typedef struct peer_settings {
    bool server;
    bool plain;  /* as the library's own example has it: version, suite and all else is its own */
    int version; /* 12 or 13; 0 if plain */
    peer_suite suite; /* unless plain; in TLS 1.2 with ECDHE */
    bool resume;      /* give out sessions and use them; else neither, unless plain */
    bool mutual;      /* the server wants a certificate of the client, from the same CA */
    bool rsa;         /* the kind of key, P-256 if not */
    char ca[256];
    char cert[256]; /* one's own, with the chain; empty for a client that has none */
    char key[256];
} peer_settings;

/*
 * All work with the same suite and with X25519, where that can be said, unless they are to be plain. A
 * client checks that the server's certificate leads to the CA and is for localhost.
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
    /*
     * Instead of all the others: makes and frees what a client needs once, that trusts the system's
     * authorities; and, if READY, a connection that could begin its handshake. NULL: it cannot.
     */
    void (*context)(bool ready);
    /* Whether threads may open connections of the server at the same time. */
    bool threads;
} peer_library;

extern const peer_library the_peer;

/* peer_die ends the process with a message. */
#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
_Noreturn void
peer_die(const char *format, ...);

#endif
