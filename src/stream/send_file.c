/* send_file.c: a file's content, without the program reading it. */
#include "stream/stream.h"

#include "base/fail.h"
#include "base/memory.h"
#include "conn/conn.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)64 * 1024)

static cinch_status refuse(int fd, const char *why, int number, cinch_error *err)
{
    cinch_fail(err, CINCH_CAUSE_MISUSE, "descriptor %d %s", fd, why);
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

/* Sets *COUNT for "all up to its end". What changes size while it is sent is found out later. */
static cinch_status check_file(int fd, off_t offset, off_t *count, cinch_error *err)
{
    struct stat st;

    if (offset < 0 || *count < -1)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the offset or the count is negative");
    if (fstat(fd, &st) != 0)
        return refuse(fd, "is not open", errno, err);
    if (!S_ISREG(st.st_mode)) {
        refuse(fd, "is not a regular file", 0, err);
        cinch_fail_remedy(err, "read from it and use cinch_stream_write_all()");
        return CINCH_FAILED;
    }
    if (*count != -1)
        return CINCH_OK;
    if (offset > st.st_size) {
        cinch_fail(err, CINCH_CAUSE_MISUSE, "the offset is behind the end of the file");
        cinch_fail_evidence(err, "offset %lld, size %lld", (long long)offset,
                            (long long)st.st_size);
        return CINCH_FAILED;
    }
    *count = st.st_size - offset;
    return CINCH_OK;
}

/* At least one byte at AT, or an error. */
static cinch_status read_chunk(int fd, unsigned char *chunk, size_t want, off_t at, size_t *n,
                               cinch_error *err)
{
    ssize_t got;

    do
        got = pread(fd, chunk, want, at);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        *n = (size_t)got;
        return CINCH_OK;
    }
    int number = got < 0 ? errno : 0;
    if (number != 0)
        cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "the file to send cannot be read any further");
    else
        cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                   "the file to send is shorter than it was to be");
    cinch_fail_evidence(err, "descriptor %d, at byte %lld", fd, (long long)at);
    if (number == 0)
        cinch_fail_remedy(err, "do not cut files short while they are being sent: write a new one "
                               "and rename it over the old one");
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

static cinch_status send_chunk(cinch_stream *stream, const unsigned char *chunk, size_t size,
                               size_t *done, cinch_error *err)
{
    cinch_parts parts = cinch_parts_of(chunk, size);

    return cinch_stream_put(stream, &parts, done, err);
}

static cinch_status send_range(cinch_stream *stream, int fd, off_t offset, off_t count, off_t *sent,
                               cinch_error *err)
{
    unsigned char *chunk = cinch_alloc(CHUNK);
    cinch_status status = CINCH_OK;

    if (chunk == NULL)
        return cinch_fail_memory(err, "sending a file");
    while (status == CINCH_OK && *sent < count) {
        off_t left = count - *sent;
        size_t want = left < (off_t)CHUNK ? (size_t)left : CHUNK;
        size_t n = 0, done = 0;

        status = read_chunk(fd, chunk, want, offset + *sent, &n, err);
        if (status == CINCH_OK)
            status = send_chunk(stream, chunk, n, &done, err);
        *sent += (off_t)done;
    }
    cinch_release(chunk);
    return status;
}

cinch_status cinch_stream_send_file(cinch_stream *stream, int fd, off_t offset, off_t count,
                                    off_t *sent, cinch_error *err)
{
    off_t unused;

    if (sent == NULL)
        sent = &unused;
    *sent = 0;
    cinch_status status = cinch_stream_enter(stream, err);
    if (status != CINCH_OK)
        return status;
    if (stream->nonblocking)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "cinch_stream_send_file() on a non-blocking stream");
    status = check_file(fd, offset, &count, err);
    if (status == CINCH_OK)
        status = cinch_stream_ready(stream, err);
    if (status != CINCH_OK)
        return status;
    return send_range(stream, fd, offset, count, sent, err);
}
