/* Making an index: from PEM or DER to a table of subjects. */
#include "trust/index.h"

#include "base/fail.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "trust/bundle.h"
#include "trust/der.h"

#include <string.h>

/* What is being read. */
typedef struct anchor_reader {
    cinch_index *index;
    const unsigned char *bytes;
    size_t size;
    const char *where;
    size_t capacity; /* of index->anchors */
    cinch_error *err;
} anchor_reader;

/* Hashes SIZE bytes, eight at a time. Only speed depends on it. */
static uint64_t fingerprint(const unsigned char *bytes, size_t size)
{
    uint64_t hash = size, word = 0;

    for (; size >= sizeof word; bytes += sizeof word, size -= sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, bytes, size);
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static cinch_status out_of_memory(cinch_error *err)
{
    return cinch_fail_memory(err, "reading trust anchors");
}

/* Room for one anchor more. */
static cinch_status reserve(anchor_reader *reader)
{
    cinch_index *index = reader->index;

    if (index->count < reader->capacity)
        return CINCH_OK;
    if (index->count >= CINCH_INDEX_MOST) {
        cinch_fail(reader->err, CINCH_CAUSE_BAD_CERTIFICATE, "%s has more than %u certificates",
                   reader->where, CINCH_INDEX_MOST);
        cinch_fail_remedy(reader->err, "split it, or check that it is a file of trust anchors");
        return CINCH_FAILED;
    }
    size_t capacity = reader->capacity == 0 ? 16 : reader->capacity * 2;
    cinch_anchor *anchors = cinch_grow(index->anchors, capacity * sizeof *anchors);
    if (anchors == NULL)
        return out_of_memory(reader->err);
    index->anchors = anchors;
    reader->capacity = capacity;
    return CINCH_OK;
}

/*
 * Adds the certificate that the SIZE bytes at index->der + AT are, followed by OpenSSL's trust
 * settings if WITH_SETTINGS. *GOOD is 0 if they are something else.
 */
static cinch_status add(anchor_reader *reader, size_t at, size_t size, int with_settings, int *good)
{
    cinch_index *index = reader->index;
    const unsigned char *der = index->der + at;
    cinch_der_certificate found;
    unsigned char tag;
    uint64_t key;

    *good = 0;
    if (reserve(reader) != CINCH_OK)
        return CINCH_FAILED;
    if (!cinch_der_walk(der, size, &found))
        return CINCH_OK;
    if (found.size != size &&
        (!with_settings ||
         cinch_der_element(der + found.size, size - found.size, &tag) != size - found.size ||
         tag != 0x30))
        return CINCH_OK;
    int result = cinch_der_name_key(found.subject, found.subject_size, &key);
    if (result < 0)
        return out_of_memory(reader->err);
    if (result == 0)
        return CINCH_OK;
    cinch_anchor *anchor = &index->anchors[index->count++];
    anchor->key = key;
    anchor->print = fingerprint(der, size);
    anchor->at = (uint32_t)at;
    anchor->size = (uint32_t)size;
    anchor->x_size = (uint32_t)found.size;
    anchor->next = 0;
    atomic_init(&anchor->parsed, NULL);
    *good = 1;
    return CINCH_OK;
}

static cinch_status damaged(anchor_reader *reader, size_t at, const char *damage)
{
    return cinch_fail(reader->err, CINCH_CAUSE_BAD_CERTIFICATE, "line %zu of %s %s",
                      cinch_bundle_line(reader->bytes, at), reader->where, damage);
}

static cinch_status private_key(anchor_reader *reader, const cinch_bundle *pem)
{
    cinch_fail(reader->err, CINCH_CAUSE_KEY_WHERE_CERTIFICATE,
               "line %zu of %s begins a private key where only trust anchors belong",
               cinch_bundle_line(reader->bytes, pem->begin), reader->where);
    cinch_fail_evidence(reader->err, "the block is named \"%.*s\"", (int)pem->label_size,
                        pem->label);
    cinch_fail_remedy(reader->err,
                      "name a file that has only certificates; if others can read this one, "
                      "replace the key that is in it");
    return CINCH_FAILED;
}

/* One block that holds a certificate. */
static cinch_status read_block(anchor_reader *reader, cinch_bundle *pem)
{
    cinch_index *index = reader->index;
    int with_settings = cinch_bundle_is(pem, "TRUSTED CERTIFICATE"), good;
    size_t size;

    if (!cinch_bundle_decode(pem, index->der + index->der_size, &size))
        return damaged(reader, pem->begin, pem->damage);
    if (add(reader, index->der_size, size, with_settings, &good) != CINCH_OK)
        return CINCH_FAILED;
    if (!good)
        return damaged(reader, pem->begin, "begins a block that is no X.509 certificate");
    index->der_size += size;
    return CINCH_OK;
}

static cinch_status nothing_found(anchor_reader *reader, const cinch_bundle *other)
{
    cinch_fail(reader->err, CINCH_CAUSE_NO_CERTIFICATE, "there is no certificate in %s",
               reader->where);
    if (other->label != NULL)
        cinch_fail_evidence(reader->err, "the first of its blocks is named \"%.*s\"",
                            (int)other->label_size, other->label);
    else if (reader->size == 0)
        cinch_fail_evidence(reader->err, "it is empty");
    return CINCH_FAILED;
}

static cinch_status not_pem(anchor_reader *reader)
{
    char beginning[64];
    size_t size = 0;

    cinch_fail(reader->err, CINCH_CAUSE_NOT_PEM, "%s is neither PEM nor a DER certificate",
               reader->where);
    while (size < reader->size && reader->bytes[size] >= 0x20 && reader->bytes[size] < 0x7f)
        size++;
    /* It may be a secret that somebody took for a certificate: never show much of it. */
    if (size < 4) {
        size = reader->size < 4 ? reader->size : 4;
        cinch_fail_evidence(reader->err, "its first bytes are %s",
                            cinch_text_hex(beginning, sizeof beginning, reader->bytes, size, ' '));
    } else {
        cinch_text_clean(beginning, sizeof beginning, reader->bytes, size < 24 ? size : 24, 0);
        cinch_fail_evidence(reader->err, "it begins with \"%s%s\"", beginning,
                            size > 24 ? "..." : "");
    }
    return CINCH_FAILED;
}

static cinch_status read_pem(anchor_reader *reader)
{
    cinch_bundle pem = {.bytes = reader->bytes, .size = reader->size}, other = {0};
    int blocks = 0;

    for (;;) {
        cinch_bundle_found found = cinch_bundle_next(&pem);

        if (found == CINCH_BUNDLE_NONE)
            break;
        if (found == CINCH_BUNDLE_DAMAGED)
            return damaged(reader, pem.begin, pem.damage);
        blocks = 1;
        if (cinch_bundle_ends(&pem, "PRIVATE KEY"))
            return private_key(reader, &pem);
        if (cinch_bundle_is(&pem, "CERTIFICATE") || cinch_bundle_is(&pem, "X509 CERTIFICATE") ||
            cinch_bundle_is(&pem, "TRUSTED CERTIFICATE")) {
            if (read_block(reader, &pem) != CINCH_OK)
                return CINCH_FAILED;
        } else if (other.label == NULL) {
            other = pem;
        }
    }
    if (reader->index->count > 0)
        return CINCH_OK;
    return blocks || reader->size == 0 ? nothing_found(reader, &other) : not_pem(reader);
}

/* Certificates end to end; *IS_DER is 0 if there is not even one at the start. */
static cinch_status read_der(anchor_reader *reader, int *is_der)
{
    cinch_index *index = reader->index;
    cinch_der_certificate first;
    int good;

    *is_der = cinch_der_walk(reader->bytes, reader->size, &first);
    if (!*is_der)
        return CINCH_OK;
    memcpy(index->der, reader->bytes, reader->size);
    while (index->der_size < reader->size) {
        unsigned char tag;
        size_t left = reader->size - index->der_size;
        size_t size = cinch_der_element(reader->bytes + index->der_size, left, &tag);

        if (add(reader, index->der_size, size, 0, &good) != CINCH_OK)
            return CINCH_FAILED;
        if (!good)
            return cinch_fail(reader->err, CINCH_CAUSE_BAD_CERTIFICATE,
                              "what starts at byte %zu of %s is no complete X.509 certificate",
                              index->der_size, reader->where);
        index->der_size += size;
    }
    return CINCH_OK;
}

/* Drops all but the first of equal certificates; index->heads is free for use. */
static void drop_repeated(cinch_index *index)
{
    size_t kept = 0;

    for (size_t i = 0; i < index->count; i++) {
        cinch_anchor *anchor = &index->anchors[i];
        uint32_t *head = &index->heads[anchor->print & index->mask], at = *head;

        while (at != 0) {
            const cinch_anchor *known = &index->anchors[at - 1];

            if (known->print == anchor->print && known->size == anchor->size &&
                memcmp(index->der + known->at, index->der + anchor->at, anchor->size) == 0)
                break;
            at = known->next;
        }
        if (at != 0)
            continue;
        cinch_anchor *place = &index->anchors[kept];
        if (place != anchor) {
            place->key = anchor->key;
            place->print = anchor->print;
            place->at = anchor->at;
            place->size = anchor->size;
            place->x_size = anchor->x_size;
        }
        place->next = *head;
        *head = (uint32_t)++kept;
    }
    index->count = kept;
}

/* Makes the chains by key. */
static cinch_status finish(anchor_reader *reader)
{
    cinch_index *index = reader->index;
    size_t size = 16;

    while (size < index->count)
        size *= 2;
    index->mask = (uint32_t)(size - 1);
    index->heads = cinch_alloc_array(size, sizeof *index->heads);
    if (index->heads == NULL)
        return out_of_memory(reader->err);
    drop_repeated(index);
    memset(index->heads, 0, size * sizeof *index->heads);
    /* From the last to the first, so that the first in the file is the first in its chain. */
    for (size_t i = index->count; i > 0; i--) {
        uint32_t *head = &index->heads[index->anchors[i - 1].key & index->mask];

        index->anchors[i - 1].next = *head;
        *head = (uint32_t)i;
    }
    return CINCH_OK;
}

cinch_index *cinch_index_build(const unsigned char *bytes, size_t size, const char *where,
                               cinch_error *err)
{
    anchor_reader reader = {.bytes = bytes, .size = size, .where = where, .err = err};
    cinch_status status = CINCH_FAILED;
    int is_der = 0;

    if (size > CINCH_FILE_LARGEST) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%s has %zu bytes; %u are allowed", where, size,
                   CINCH_FILE_LARGEST);
        return NULL;
    }
    reader.index = cinch_alloc(sizeof *reader.index);
    if (reader.index == NULL) {
        out_of_memory(err);
        return NULL;
    }
    reader.index->der = cinch_grow(NULL, size + 1);
    if (reader.index->der == NULL) {
        out_of_memory(err);
        goto out;
    }
    status = read_der(&reader, &is_der);
    if (status == CINCH_OK && !is_der)
        status = read_pem(&reader);
    if (status != CINCH_OK)
        goto out;
    status = finish(&reader);
    if (status == CINCH_OK) {
        unsigned char *fitting = cinch_grow(reader.index->der, reader.index->der_size);

        /* Base64 is longer than what it stands for. */
        if (fitting != NULL)
            reader.index->der = fitting;
    }
out:
    if (status != CINCH_OK) {
        cinch_index_free(reader.index);
        return NULL;
    }
    return reader.index;
}
