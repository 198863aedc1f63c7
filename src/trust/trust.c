/* Finding anchors in a set. */
#include "trust/trust.h"

#include "base/fail.h"
#include "trust/set.h"

#include <stdio.h>

STACK_OF(X509) * cinch_trust_by_subject(cinch_trust *trust, const X509_NAME *name)
{
    STACK_OF(X509) *found = sk_X509_new_null();
    int in_system_file = 0;

    if (found == NULL)
        return NULL;
    for (size_t i = 0; i < trust->count; i++) {
        const cinch_source *source = &trust->sources[i];
        int count = 0;

        if (source->index != NULL) {
            count = cinch_index_find(source->index, name, found);
            if (source->is_system)
                in_system_file |= count > 0;
        } else if (!source->is_system || !in_system_file) {
            count = cinch_dir_find(source->dir, name, found);
        }
        if (count < 0)
            goto no_memory;
    }
    if (cinch_anchors_unique(found))
        return found;
no_memory:
    sk_X509_pop_free(found, X509_free);
    return NULL;
}

int cinch_trust_has_system(const cinch_trust *trust)
{
    for (size_t i = 0; i < trust->count; i++)
        if (trust->sources[i].is_system)
            return 1;
    return 0;
}

static cinch_status add_all(const cinch_source *source, STACK_OF(X509) * found, cinch_error *err)
{
    size_t bad;

    if (source->dir != NULL)
        return cinch_dir_all(source->dir, found, err);
    int result = cinch_index_all(source->index, found, &bad);
    if (result < 0)
        return cinch_fail_memory(err, "listing trust anchors");
    if (result == 0)
        return cinch_fail(err, CINCH_CAUSE_BAD_CERTIFICATE,
                          "certificate %zu of \"%s\" cannot be read by OpenSSL", bad + 1,
                          source->path == NULL ? "the anchors given in memory" : source->path);
    return CINCH_OK;
}

STACK_OF(X509) * cinch_trust_all(cinch_trust *trust, cinch_error *err)
{
    if (trust == NULL) {
        (void)cinch_fail_null(err, "set of trust anchors");
        return NULL;
    }
    STACK_OF(X509) *found = sk_X509_new_null();
    cinch_status status = CINCH_OK;

    if (found == NULL)
        status = cinch_fail_memory(err, "listing trust anchors");
    for (size_t i = 0; status == CINCH_OK && i < trust->count; i++)
        status = add_all(&trust->sources[i], found, err);
    if (status == CINCH_OK && !cinch_anchors_unique(found))
        status = cinch_fail_memory(err, "listing trust anchors");
    if (status == CINCH_OK)
        return found;
    sk_X509_pop_free(found, X509_free);
    return NULL;
}

char *cinch_trust_describe(const cinch_trust *trust, char *buf, size_t size)
{
    size_t at = 0;

    if (size > 0)
        buf[0] = 0;
    if (trust->count == 0)
        (void)snprintf(buf, size, "nobody");
    for (size_t i = 0; i < trust->count && at < size; i++) {
        const cinch_source *source = &trust->sources[i];
        const char *comma = i == 0 ? "" : ", ";
        int n;

        if (source->dir != NULL)
            n = snprintf(buf + at, size - at, "%s%s (directory)", comma, source->path);
        else
            n = snprintf(buf + at, size - at, "%s%s (%zu anchor%s)", comma,
                         source->path == NULL ? "memory" : source->path, source->index->count,
                         source->index->count == 1 ? "" : "s");
        if (n < 0)
            break;
        at += (size_t)n;
    }
    return buf;
}
