/*
 * Reading revocation lists. What cannot be understood is refused here, where a person can see it,
 * and not passed over later, where it would mean "nothing is revoked": critical extensions that are
 * unknown (RFC 5280, 5.2), indirect lists, deltas.
 */
#include "base/fail.h"
#include "base/memory.h"
#include "base/openssl.h"
#include "base/text.h"
#include "base/x509_text.h"
#include "revocation/lists.h"
#include "trust/bundle.h"
#include "trust/der.h"

#include <openssl/err.h>
#include <string.h>

#define MOST_LISTS 10000u

typedef struct crl_reader {
    cinch_crl_lists *lists;
    const unsigned char *bytes;
    size_t size;
    const char *where;
    const char *place; /* "line" or "byte", of the list that is being read, */
    size_t number;     /* and which */
    cinch_error *err;
} crl_reader;

static void free_item(cinch_crl *item)
{
    X509_CRL_free(item->crl);
    ISSUING_DIST_POINT_free(item->scope);
}

void cinch_crl_lists_free(cinch_crl_lists *lists)
{
    if (lists == NULL)
        return;
    for (size_t i = 0; i < lists->count; i++)
        free_item(&lists->items[i]);
    cinch_release(lists->items);
    cinch_release(lists);
}

static cinch_status out_of_memory(cinch_error *err)
{
    return cinch_fail_memory(err, "reading a revocation list");
}

static cinch_status refuse(const crl_reader *reader, const char *why)
{
    if (cinch_openssl_out_of_memory(ERR_peek_last_error()) ||
        cinch_openssl_out_of_memory(ERR_peek_error()))
        return out_of_memory(reader->err);
    return cinch_fail(reader->err, CINCH_CAUSE_BAD_REVOCATION,
                      "the revocation list at %s %zu of %s %s", reader->place, reader->number,
                      reader->where, why);
}

/* What a list means that is only an addition, or speaks for others, is not known here. */
static const char *unfit_scope(const ISSUING_DIST_POINT *scope)
{
    int only = (scope->onlyuser > 0) + (scope->onlyCA > 0) + (scope->onlyattr > 0);

    if (scope->indirectCRL > 0)
        return "is indirect: it speaks for several issuers, which is not supported";
    if (only > 1)
        return "contradicts itself: only one of its onlyContains... may be set (RFC 5280, 5.2.5)";
    if (scope->onlyattr > 0)
        return "is for attribute certificates only";
    return NULL;
}

/* A critical extension of ITEM's list that is not understood; NULL if there is none. */
static const char *unfit_extensions(cinch_crl *item)
{
    int critical;

    if (X509_CRL_get_ext_by_NID(item->crl, NID_delta_crl, -1) >= 0)
        return "is a delta: it has only what changed since another list, and is not supported";
    item->scope = X509_CRL_get_ext_d2i(item->crl, NID_issuing_distribution_point, &critical, NULL);
    if (item->scope == NULL && critical != -1)
        return "has an issuing distribution point that cannot be read";
    for (int i = 0; i < X509_CRL_get_ext_count(item->crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(item->crl, i);
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

        if (X509_EXTENSION_get_critical(extension) && kind == NID_crl_number)
            return "has a number that is critical, which it must not be (RFC 5280, 5.2.3)";
        if (X509_EXTENSION_get_critical(extension) && kind != NID_issuing_distribution_point &&
            kind != NID_authority_key_identifier)
            return "has a critical extension that is not understood (RFC 5280, 5.2)";
    }
    return item->scope == NULL ? NULL : unfit_scope(item->scope);
}

static const char *unfit_entry(const X509_REVOKED *entry)
{
    for (int i = 0; i < X509_REVOKED_get_ext_count(entry); i++) {
        X509_EXTENSION *extension = X509_REVOKED_get_ext(entry, i);
        int kind = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

        if (kind == NID_certificate_issuer)
            return "is indirect: an entry names an issuer of its own, which is not supported";
        if (X509_EXTENSION_get_critical(extension) && kind != NID_crl_reason &&
            kind != NID_invalidity_date)
            return "has an entry with a critical extension that is not understood (RFC 5280, 5.3)";
    }
    return NULL;
}

static int digest_is_weak(const X509_CRL *crl)
{
    int digest = NID_undef;

    (void)OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, NULL);
    return digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2 ||
           digest == NID_ripemd160 || digest == NID_md5_sha1;
}

static const char *unfit(cinch_crl *item)
{
    STACK_OF(X509_REVOKED) *entries = X509_CRL_get_REVOKED(item->crl);
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(item->crl);
    X509_REVOKED *found = NULL;
    const char *why = unfit_extensions(item);

    if (why != NULL)
        return why;
    if (!cinch_asn1_seconds(X509_CRL_get0_lastUpdate(item->crl), &item->this_update))
        return "has a thisUpdate that cannot be read";
    if (next != NULL && !cinch_asn1_seconds(next, &item->next_update))
        return "has a nextUpdate that cannot be read";
    for (int i = 0; why == NULL && i < sk_X509_REVOKED_num(entries); i++)
        why = unfit_entry(sk_X509_REVOKED_value(entries, i));
    item->is_weak = digest_is_weak(item->crl);
    /* The first search sorts the entries. X509_CRL_sort() would change what is signed. */
    if (why == NULL && sk_X509_REVOKED_num(entries) > 0 &&
        X509_CRL_get0_by_serial(
            item->crl, &found, X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(entries, 0))) ==
            0)
        return "cannot be searched";
    return why;
}

static cinch_crl *reserve(crl_reader *reader)
{
    cinch_crl_lists *lists = reader->lists;

    if (lists->count == lists->capacity) {
        size_t capacity = lists->capacity == 0 ? 4 : lists->capacity * 2;
        cinch_crl *items =
            lists->count >= MOST_LISTS ? NULL : cinch_grow(lists->items, capacity * sizeof *items);

        if (items == NULL && lists->count >= MOST_LISTS)
            (void)cinch_fail(reader->err, CINCH_CAUSE_BAD_REVOCATION,
                             "%s has more than %u revocation lists", reader->where, MOST_LISTS);
        if (items == NULL) {
            (void)out_of_memory(reader->err);
            return NULL;
        }
        lists->items = items;
        lists->capacity = capacity;
    }
    memset(&lists->items[lists->count], 0, sizeof *lists->items);
    return &lists->items[lists->count];
}

/* Adds the list that the SIZE bytes at DER must be. */
static cinch_status add(crl_reader *reader, const unsigned char *der, size_t size)
{
    cinch_crl *item = reserve(reader);
    const unsigned char *at = der;

    if (item == NULL)
        return CINCH_FAILED;
    ERR_clear_error();
    item->crl = X509_CRL_new_ex(cinch_library_context(), NULL);
    if (item->crl == NULL)
        return out_of_memory(reader->err);
    /* d2i frees and clears it when it fails. */
    if (d2i_X509_CRL(&item->crl, &at, (long)size) == NULL || at != der + size) {
        free_item(item);
        return refuse(reader, "is damaged or was cut short");
    }
    const char *why = unfit(item);
    if (why != NULL) {
        free_item(item);
        return refuse(reader, why);
    }
    /* An extension or a number that could not be read for want of memory. */
    if (cinch_openssl_out_of_memory(ERR_peek_error())) {
        free_item(item);
        return out_of_memory(reader->err);
    }
    reader->lists->count++;
    return CINCH_OK;
}

static cinch_status damaged(const crl_reader *reader, const cinch_bundle *pem)
{
    return cinch_fail(reader->err, CINCH_CAUSE_BAD_REVOCATION, "line %zu of %s %s",
                      cinch_bundle_line(reader->bytes, pem->begin), reader->where, pem->damage);
}

static cinch_status read_block(crl_reader *reader, cinch_bundle *pem)
{
    unsigned char *der = cinch_alloc(pem->body_size + 4);
    size_t size = 0;
    cinch_status status;

    if (der == NULL)
        return out_of_memory(reader->err);
    reader->place = "line";
    reader->number = cinch_bundle_line(reader->bytes, pem->begin);
    status = cinch_bundle_decode(pem, der, &size) ? add(reader, der, size) : damaged(reader, pem);
    cinch_release(der);
    return status;
}

static cinch_status private_key(const crl_reader *reader, const cinch_bundle *pem)
{
    (void)cinch_fail(reader->err, CINCH_CAUSE_KEY_WHERE_CERTIFICATE,
                     "line %zu of %s begins a private key where only revocation lists belong",
                     cinch_bundle_line(reader->bytes, pem->begin), reader->where);
    cinch_fail_remedy(reader->err, "name a file that has only revocation lists; if others can read "
                                   "this one, replace the key that is in it");
    return CINCH_FAILED;
}

static cinch_status nothing_found(const crl_reader *reader, const cinch_bundle *first, int *others)
{
    char label[64];

    if (first->label == NULL && reader->size > 0) {
        char bytes[64];
        size_t size = reader->size < 8 ? reader->size : 8;

        (void)cinch_fail(reader->err, CINCH_CAUSE_NOT_PEM,
                         "%s is neither PEM nor a DER revocation list", reader->where);
        cinch_fail_evidence(reader->err, "its first bytes are %s",
                            cinch_text_hex(bytes, sizeof bytes, reader->bytes, size, ' '));
        cinch_fail_remedy(reader->err,
                          "give a file with lines such as -----BEGIN X509 CRL-----, or "
                          "one list in DER");
        return CINCH_FAILED;
    }
    if (others != NULL && first->label != NULL) {
        *others = 1;
        return CINCH_FAILED;
    }
    (void)cinch_fail(reader->err, CINCH_CAUSE_BAD_REVOCATION, "there is no revocation list in %s",
                     reader->where);
    if (first->label != NULL) {
        cinch_text_clean(label, sizeof label, first->label, first->label_size, 0);
        cinch_fail_evidence(reader->err, "the first of its blocks is named \"%s\"", label);
    } else {
        cinch_fail_evidence(reader->err, "it is empty");
    }
    return CINCH_FAILED;
}

static cinch_status read_pem(crl_reader *reader, int *others)
{
    cinch_bundle pem = {.bytes = reader->bytes, .size = reader->size}, first = {0};

    for (;;) {
        cinch_bundle_found found = cinch_bundle_next(&pem);

        if (found == CINCH_BUNDLE_NONE)
            break;
        if (found == CINCH_BUNDLE_DAMAGED)
            return damaged(reader, &pem);
        if (first.label == NULL)
            first = pem;
        if (cinch_bundle_ends(&pem, "PRIVATE KEY"))
            return private_key(reader, &pem);
        if (cinch_bundle_is(&pem, "X509 CRL") && read_block(reader, &pem) != CINCH_OK)
            return CINCH_FAILED;
    }
    return reader->lists->count > 0 ? CINCH_OK : nothing_found(reader, &first, others);
}

static cinch_status read_der(crl_reader *reader)
{
    size_t at = 0;

    while (at < reader->size) {
        unsigned char tag;
        size_t size = cinch_der_element(reader->bytes + at, reader->size - at, &tag);

        reader->place = "byte";
        reader->number = at;
        if (size == 0)
            return refuse(reader, "is damaged or was cut short");
        if (add(reader, reader->bytes + at, size) != CINCH_OK)
            return CINCH_FAILED;
        at += size;
    }
    return CINCH_OK;
}

cinch_crl_lists *cinch_crl_lists_read(const unsigned char *bytes, size_t size, const char *where,
                                      int *others, cinch_error *err)
{
    crl_reader reader = {.bytes = bytes, .size = size, .where = where, .err = err};
    cinch_status status;

    if (others != NULL)
        *others = 0;
    if (size > CINCH_FILE_LARGEST) {
        (void)cinch_fail(err, CINCH_CAUSE_BAD_REVOCATION, "%s has %zu bytes; %u are allowed", where,
                         size, CINCH_FILE_LARGEST);
        return NULL;
    }
    reader.lists = cinch_alloc(sizeof *reader.lists);
    if (reader.lists == NULL) {
        (void)out_of_memory(err);
        return NULL;
    }
    /* A SEQUENCE: as text it would be the digit 0, with which no PEM begins. */
    if (size > 1 && bytes[0] == 0x30 && (bytes[1] & 0x80) != 0)
        status = read_der(&reader);
    else
        status = read_pem(&reader, others);
    ERR_clear_error();
    if (status == CINCH_OK)
        return reader.lists;
    cinch_crl_lists_free(reader.lists);
    return NULL;
}
