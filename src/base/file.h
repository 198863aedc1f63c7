/* file.h: files read whole, and a way to tell that one has changed. */
#ifndef CINCH_BASE_FILE_H
#define CINCH_BASE_FILE_H

#include <cinch/error.h>
#include <stddef.h>
#include <stdint.h>

/* The content of a file, in secret memory; a NUL follows the last byte. See cinch_content_free(). */
typedef struct cinch_content {
    unsigned char *bytes;
    size_t size;
    size_t capacity; /* of the memory */
} cinch_content;

/* What tells one state of a file from another without reading it. All 0: there is no such file. */
typedef struct cinch_file_mark {
    uint64_t device;
    uint64_t inode;
    int64_t size;
    int64_t changed_s, changed_ns;   /* ctime: cannot be set back */
    int64_t modified_s, modified_ns; /* mtime */
} cinch_file_mark;

#define CINCH_FILE_LARGEST (64u << 20)

/*
 * cinch_file_read reads the file PATH (a regular file or a pipe), at most CINCH_FILE_LARGEST bytes.
 * WHAT says what it is for in errors, "the trust anchors". MARK may be NULL. CINCH_OK or
 * CINCH_FAILED with CINCH_CAUSE_FILE_UNREADABLE.
 */
cinch_status cinch_file_read(const char *path, const char *what, cinch_content *content,
                             cinch_file_mark *mark, cinch_error *err);

/* cinch_content_free wipes and frees; fine for one that is all 0. */
void cinch_content_free(cinch_content *content);

/* cinch_file_look sets MARK for PATH (symbolic links followed); 0 if it cannot be looked at. */
int cinch_file_look(const char *path, cinch_file_mark *mark);

/* cinch_file_mark_same compares. */
int cinch_file_mark_same(const cinch_file_mark *a, const cinch_file_mark *b);

#endif
