/*
 * dir.h: directories of anchors in files named by the hash of the subject, as `openssl rehash` makes
 * them. A directory is one object for the whole process; its files are opened when needed.
 */
#ifndef CINCH_TRUST_DIR_H
#define CINCH_TRUST_DIR_H

#include "base/file.h"

#include <cinch/error.h>
#include <openssl/x509.h>

typedef struct cinch_dir cinch_dir;

/*
 * cinch_dir_open checks that PATH is a directory with at least one hashed name in it, and sets MARK
 * to its state. With KEEP it stays in memory when nobody uses it any more.
 */
cinch_dir *cinch_dir_open(const char *path, int keep, cinch_file_mark *mark, cinch_error *err);
cinch_dir *cinch_dir_ref(cinch_dir *dir);
void cinch_dir_close(cinch_dir *dir);

/* cinch_dir_stale makes the next search look at every file again. */
void cinch_dir_stale(cinch_dir *dir);

/*
 * cinch_dir_find appends references to the anchors with the subject NAME to FOUND: how many, -1 when
 * memory runs out. What was found is looked at again after a second; what was not, every time, so
 * that a peer cannot fill the memory with the names of issuers that do not exist.
 */
int cinch_dir_find(cinch_dir *dir, const X509_NAME *name, STACK_OF(X509) * found);

/* cinch_dir_all appends all anchors in hashed files to FOUND. */
cinch_status cinch_dir_all(const cinch_dir *dir, STACK_OF(X509) * found, cinch_error *err);

/* cinch_dir_forget lets go of what is kept. For tests that count memory. */
void cinch_dir_forget(void);

#endif
