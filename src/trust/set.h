/* set.h: what a set of anchors is made of; between the files of this directory. */
#ifndef CINCH_TRUST_SET_H
#define CINCH_TRUST_SET_H

#include "trust/cache.h"
#include "trust/dir.h"
#include "trust/trust.h"

#include <stdatomic.h>

typedef enum cinch_source_kind {
    CINCH_SOURCE_FILE = 1,
    CINCH_SOURCE_DIR = 2,
    CINCH_SOURCE_BYTES = 3
} cinch_source_kind;

typedef struct cinch_source {
    cinch_source_kind kind;
    int is_system;        /* a directory of the system is looked in only for what its file lacks */
    char *path;           /* absolute: the working directory may change; NULL for bytes */
    cinch_cached *file;   /* NULL for what is read once: bytes, pipes */
    cinch_index *index;   /* of a file or bytes */
    cinch_dir *dir;       /* of a directory, */
    cinch_file_mark mark; /* and its state: part of the digest */
} cinch_source;

/* cinch_source_copy copies FROM with references of its own: 1, or 0 without memory. */
int cinch_source_copy(cinch_source *to, const cinch_source *from);
void cinch_source_clear(cinch_source *source);

/* recent.c: keeps what SOURCE refers to, in place of what was kept longest. */
void cinch_recent_keep(const cinch_source *source);

/* cinch_trust_forget lets go of all that is kept. For tests that count memory. */
void cinch_trust_forget(void);

struct cinch_trust {
    atomic_size_t references;
    _Atomic(int64_t) look_us; /* when refreshing is due again */
    unsigned char digest[32];
    cinch_source *sources;
    size_t count, capacity;
};

/* cinch_trust_extend gives an unfinished set: the sources of BASE (or NULL) and room for MORE. */
cinch_trust *cinch_trust_extend(const cinch_trust *base, size_t more, cinch_error *err);

/* cinch_trust_add_file and _dir read the source PATH and put it into the unfinished TRUST. */
cinch_status cinch_trust_add_file(cinch_trust *trust, const char *path, int is_system,
                                  cinch_error *err);
cinch_status cinch_trust_add_dir(cinch_trust *trust, const char *path, int is_system,
                                 cinch_error *err);

/* cinch_trust_finish makes TRUST ready for use. On failure it is gone, and NULL comes back. */
cinch_trust *cinch_trust_finish(cinch_trust *trust, cinch_error *err);

/* Where to look for the system's anchors. */
typedef struct cinch_trust_places {
    const char *file_variable; /* the value of SSL_CERT_FILE; NULL or "": not set */
    const char *dir_variable;  /* the value of SSL_CERT_DIR, directories between colons */
    const char *const *files;  /* the first that serves, where the variable is not set; ends at */
    const char *const *dirs;   /* NULL. The same for directories */
} cinch_trust_places;

/* cinch_trust_with_places is cinch_trust_with_system() for other places. */
cinch_trust *cinch_trust_with_places(const cinch_trust *base, const cinch_trust_places *places,
                                     cinch_error *err);

#endif
