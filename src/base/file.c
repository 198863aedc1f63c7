#include "base/file.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void mark_from(const struct stat *st, cinch_file_mark *mark)
{
    *mark = (cinch_file_mark){
        .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino,
        .size = (int64_t)st->st_size,
        .changed_s = (int64_t)st->st_ctim.tv_sec,
        .changed_ns = (int64_t)st->st_ctim.tv_nsec,
        .modified_s = (int64_t)st->st_mtim.tv_sec,
        .modified_ns = (int64_t)st->st_mtim.tv_nsec,
    };
}

int cinch_file_look(const char *path, cinch_file_mark *mark)
{
    struct stat st;

    *mark = (cinch_file_mark){0};
    if (stat(path, &st) != 0)
        return 0;
    mark_from(&st, mark);
    return 1;
}

int cinch_file_mark_same(const cinch_file_mark *a, const cinch_file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_s == b->changed_s && a->changed_ns == b->changed_ns &&
           a->modified_s == b->modified_s && a->modified_ns == b->modified_ns;
}

void cinch_content_free(cinch_content *content)
{
    cinch_secret_free(content->bytes, content->capacity);
    *content = (cinch_content){0};
}

static cinch_status unreadable(const char *path, const char *what, int number, cinch_error *err)
{
    cinch_status status =
        cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "cannot read %s from \"%s\": %s", what, path,
                   strerror(number));
    cinch_fail_system(err, number);
    return status;
}

/* Makes room for twice as much; a file that grew while it was read and a pipe need it. */
static int grow(cinch_content *content)
{
    size_t capacity = content->capacity * 2;

    if (content->size > CINCH_FILE_LARGEST)
        return EFBIG;
    unsigned char *bytes = cinch_secret_alloc(capacity);
    if (bytes == NULL)
        return ENOMEM;
    memcpy(bytes, content->bytes, content->size);
    cinch_secret_free(content->bytes, content->capacity);
    content->bytes = bytes;
    content->capacity = capacity;
    return 0;
}

/* Reads to the end. 0 or errno; what was read is in CONTENT in either case. */
static int read_all(int fd, size_t expected, cinch_content *content)
{
    content->capacity = expected + 2;
    content->bytes = cinch_secret_alloc(content->capacity);
    if (content->bytes == NULL)
        return ENOMEM;
    for (;;) {
        size_t room = content->capacity - 1 - content->size;

        if (room == 0) {
            int number = grow(content);

            if (number != 0)
                return number;
            continue;
        }
        ssize_t n = read(fd, content->bytes + content->size, room);
        if (n == 0)
            return 0;
        if (n > 0)
            content->size += (size_t)n;
        else if (errno != EINTR)
            return errno;
    }
}

cinch_status cinch_file_read(const char *path, const char *what, cinch_content *content,
                             cinch_file_mark *mark, cinch_error *err)
{
    cinch_status status = CINCH_OK;
    struct stat st;
    int number;

    *content = (cinch_content){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return unreadable(path, what, errno, err);
    if (fstat(fd, &st) != 0) {
        status = unreadable(path, what, errno, err);
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        status = unreadable(path, what, EISDIR, err);
        goto out;
    }
    if (st.st_size > (off_t)CINCH_FILE_LARGEST) {
        status = unreadable(path, what, EFBIG, err);
        goto out;
    }
    number = read_all(fd, S_ISREG(st.st_mode) ? (size_t)st.st_size : 4095, content);
    if (number != 0) {
        status = number == ENOMEM ? cinch_fail_memory(err, "reading a file")
                                  : unreadable(path, what, number, err);
        cinch_content_free(content);
        goto out;
    }
    if (mark != NULL)
        mark_from(&st, mark);
out:
    (void)close(fd);
    return status;
}
