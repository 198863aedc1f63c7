/*
 * pem.h: the blocks of a PEM text (RFC 7468), found and decoded without copying and without OpenSSL,
 * whose reader takes ten times as long for a system's bundle.
 */
#ifndef CINCH_TRUST_PEM_H
#define CINCH_TRUST_PEM_H

#include <stddef.h>

typedef enum cinch_pem_found {
    CINCH_PEM_NONE,   /* nothing more */
    CINCH_PEM_BLOCK,  /* label and body are set */
    CINCH_PEM_DAMAGED /* damage says why, begin says where */
} cinch_pem_found;

/* A walk through SIZE bytes: set bytes and size, the rest to 0. */
typedef struct cinch_pem {
    const unsigned char *bytes;
    size_t size;
    size_t at;         /* where the search goes on */
    size_t begin;      /* the first byte of the block's BEGIN line */
    const char *label; /* "CERTIFICATE"; no NUL behind it */
    size_t label_size;
    size_t body;        /* the first byte behind the BEGIN line */
    size_t body_size;   /* up to the END line */
    const char *damage; /* what is wrong, as the rest of a sentence about a line */
} cinch_pem;

/* cinch_pem_next finds the next block. Text between blocks is passed over. */
cinch_pem_found cinch_pem_next(cinch_pem *pem);

/*
 * cinch_pem_decode decodes the Base64 of the block into OUT, which has room for 3 bytes for each 4
 * of the body, and sets *SIZE: 1. Or 0, with damage set and begin where it is.
 */
int cinch_pem_decode(cinch_pem *pem, unsigned char *out, size_t *size);

/* cinch_pem_is tells whether the label is LABEL, cinch_pem_ends whether it ends with it. */
int cinch_pem_is(const cinch_pem *pem, const char *label);
int cinch_pem_ends(const cinch_pem *pem, const char *ending);

/* cinch_pem_line gives the number of the line, counted from 1, that the byte AT belongs to. */
size_t cinch_pem_line(const unsigned char *bytes, size_t at);

#endif
