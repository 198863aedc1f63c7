#include "conn/parts.h"

#include "base/fail.h"

#include <openssl/crypto.h>
#include <stdint.h>

/* To the next part that has something in it. */
static void settle(cinch_parts *parts)
{
    while (parts->now_size == 0 && parts->next_count > 0) {
        parts->now = parts->next->iov_base;
        parts->now_size = parts->next->iov_len;
        parts->next++;
        parts->next_count--;
    }
}

cinch_parts cinch_parts_of(const void *data, size_t size)
{
    return (cinch_parts){.now = data, .now_size = size, .left = size};
}

cinch_status cinch_parts_take(cinch_parts *parts, const struct iovec *iov, int count,
                              cinch_error *err)
{
    *parts = (cinch_parts){0};
    if (count < 0)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "%d parts are to be written", count);
    if (iov == NULL && count > 0)
        return cinch_fail_null(err, "list of parts to write");
    parts->next = iov;
    parts->next_count = (size_t)count;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_base == NULL && iov[i].iov_len > 0)
            return cinch_fail(err, CINCH_CAUSE_MISUSE, "part %d of the data to write is NULL", i);
        if (iov[i].iov_len > SIZE_MAX - parts->left)
            return cinch_fail(err, CINCH_CAUSE_MISUSE, "the parts to write are longer than memory");
        parts->left += iov[i].iov_len;
    }
    settle(parts);
    return CINCH_OK;
}

const void *cinch_parts_look(const cinch_parts *parts, size_t most, cinch_buffer *scratch,
                             size_t *n)
{
    size_t want = parts->left < most ? parts->left : most, room;

    *n = want;
    if (parts->now_size >= want)
        return parts->now;
    cinch_parts_wipe(scratch);
    if (cinch_buffer_space(scratch, want, &room) == NULL) {
        *n = parts->now_size;
        return parts->now;
    }
    cinch_parts ahead = *parts;
    while (want > 0) {
        size_t part = ahead.now_size < want ? ahead.now_size : want;

        (void)cinch_buffer_append(scratch, ahead.now, part);
        cinch_parts_skip(&ahead, part);
        want -= part;
    }
    return cinch_buffer_bytes(scratch);
}

void cinch_parts_wipe(cinch_buffer *scratch)
{
    size_t used = cinch_buffer_used(scratch);

    if (used > 0)
        OPENSSL_cleanse(scratch->data + scratch->start, used);
    cinch_buffer_consume(scratch, used);
}

void cinch_parts_skip(cinch_parts *parts, size_t n)
{
    parts->left -= n;
    while (n > 0) {
        size_t part = parts->now_size < n ? parts->now_size : n;

        parts->now += part;
        parts->now_size -= part;
        n -= part;
        settle(parts);
    }
}
