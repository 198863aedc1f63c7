/* lists.h: what a set of revocation lists is made of; between the files of this directory. */
#ifndef CINCH_REVOCATION_LISTS_H
#define CINCH_REVOCATION_LISTS_H

#include "base/file.h"
#include "revocation/crl.h"

#include <stdatomic.h>

/* One list. Only `signer` changes after it was read, under the lock of lists.c. */
typedef struct cinch_crl {
    X509_CRL *crl;
    ISSUING_DIST_POINT *scope; /* NULL: all that the issuer issues */
    int64_t this_update;
    int64_t next_update; /* 0: not given */
    int is_weak;         /* signed with a digest for which collisions can be made */
    int is_signed;       /* `signer` is known */
    unsigned char signer[32];
} cinch_crl;

/* The lists of one file or of bytes. */
typedef struct cinch_crl_lists {
    struct cinch_crl_lists *next; /* next, references, digest: belong to lists.c and its lock */
    size_t references;
    unsigned char digest[32]; /* SHA-256 of the content */
    cinch_crl *items;
    size_t count, capacity;
} cinch_crl_lists;

/* ---- read.c ---- */

/*
 * cinch_crl_lists_read reads SIZE bytes of PEM, or of DER lists end to end. WHERE names them in
 * errors: "\"/etc/crl.pem\"". All or nothing. With *OTHERS (may be NULL), PEM that holds no list but
 * something else is no failure: *OTHERS is 1 and NULL comes back.
 */
cinch_crl_lists *cinch_crl_lists_read(const unsigned char *bytes, size_t size, const char *where,
                                      int *others, cinch_error *err);
void cinch_crl_lists_free(cinch_crl_lists *lists);

/* ---- lists.c: one object for equal content; any thread ---- */

cinch_crl_lists *cinch_crl_lists_of(const unsigned char *bytes, size_t size, const char *where,
                                    int *others, cinch_error *err);
cinch_crl_lists *cinch_crl_lists_ref(cinch_crl_lists *lists);
void cinch_crl_lists_unref(cinch_crl_lists *lists);

/* cinch_crl_signed tells whether ISSUER signed CRL: 1, 0, or -1 if it could not be found out. */
int cinch_crl_signed(cinch_crl *crl, X509 *issuer);

/* ---- set.c ---- */

typedef enum cinch_crl_source_kind {
    CINCH_CRL_FROM_FILE = 1,
    CINCH_CRL_FROM_DIR = 2,
    CINCH_CRL_FROM_BYTES = 3
} cinch_crl_source_kind;

/* A state of a file that has been looked at. */
typedef struct cinch_crl_state {
    cinch_file_mark mark;
    int settled; /* a later change shows in the mark */
} cinch_crl_state;

/* One file, or bytes (path NULL). */
typedef struct cinch_crl_file {
    char *path;
    cinch_crl_state good;   /* what `lists` was read from */
    cinch_crl_state bad;    /* what could not be used; no need to try that again */
    cinch_crl_lists *lists; /* NULL: a file of a directory that holds something else */
} cinch_crl_file;

typedef struct cinch_crl_source {
    cinch_crl_source_kind kind;
    char *path; /* absolute; NULL for bytes */
    cinch_crl_file *files;
    size_t count;
} cinch_crl_source;

struct cinch_crls {
    atomic_size_t references;
    _Atomic(int64_t) look_us; /* when refreshing is due again */
    unsigned char digest[32];
    cinch_crl_source *sources;
    size_t count;
};

/* ---- source.c ---- */

/* cinch_crl_source_open reads what SOURCE, with kind and path set, names. */
cinch_status cinch_crl_source_open(cinch_crl_source *source, cinch_error *err);

/* cinch_crl_source_look puts what SOURCE holds now in place of what it held: 1 if it is another. */
int cinch_crl_source_look(cinch_crl_source *source);

/* cinch_crl_source_copy makes TO the same as FROM; 0 when memory runs out, and TO is all 0. */
int cinch_crl_source_copy(cinch_crl_source *to, const cinch_crl_source *from);
void cinch_crl_source_clear(cinch_crl_source *source);

#endif
