/* bundle.h: the blocks of a PEM text (RFC 7468), found and decoded without copying. */
#ifndef CINCH_TRUST_BUNDLE_H
#define CINCH_TRUST_BUNDLE_H

#include <stddef.h>

typedef enum cinch_bundle_found {
    CINCH_BUNDLE_NONE,   /* nothing more */
    CINCH_BUNDLE_BLOCK,  /* label and body are set */
    CINCH_BUNDLE_DAMAGED /* damage says why, begin says where */
} cinch_bundle_found;

/* A walk through SIZE bytes: set bytes and size, the rest to 0. */
typedef struct cinch_bundle {
    const unsigned char *bytes;
    size_t size;
    size_t at;         /* where the search goes on */
    size_t begin;      /* the first byte of the block's BEGIN line */
    const char *label; /* "CERTIFICATE"; no NUL behind it */
    size_t label_size;
    size_t body;        /* the first byte behind the BEGIN line */
    size_t body_size;   /* up to the END line */
    const char *damage; /* what is wrong, as the rest of a sentence about a line */
} cinch_bundle;

/* cinch_bundle_next finds the next block. Text between blocks is passed over. */
cinch_bundle_found cinch_bundle_next(cinch_bundle *pem);

/*
 * cinch_bundle_decode decodes the Base64 of the block into OUT, which has room for 3 bytes for each 4
 * of the body, and sets *SIZE: 1. Or 0, with damage set and begin where it is.
 */
int cinch_bundle_decode(cinch_bundle *pem, unsigned char *out, size_t *size);

/* cinch_bundle_is tells whether the label is LABEL, cinch_bundle_ends whether it ends with it. */
int cinch_bundle_is(const cinch_bundle *pem, const char *label);
int cinch_bundle_ends(const cinch_bundle *pem, const char *ending);

/* cinch_bundle_line gives the number of the line, counted from 1, that the byte AT belongs to. */
size_t cinch_bundle_line(const unsigned char *bytes, size_t at);

#endif
