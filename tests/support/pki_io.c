/* The factory's only contact with the file system. */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* nftw, mkdtemp */
#endif

#include "pki.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TMP_PREFIX "cinch-test."

static bool write_fully(int fd, const unsigned char *data, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, data, len);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return false;
        data += wrote;
        len -= (size_t)wrote;
    }
    return true;
}

bool pki_write_bytes(const char *path, const void *data, size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    int saved;
    bool ok;

    if (fd < 0)
        return false;
    /* The mode given to open() neither applies to a file that exists nor escapes the umask. */
    ok = fchmod(fd, mode) == 0 && write_fully(fd, data, len);
    saved = errno;
    if (close(fd) != 0 && ok)
        return false;
    errno = saved;
    return ok;
}

bool pki_write(const char *path, const char *text, mode_t mode)
{
    return pki_write_bytes(path, text, strlen(text), mode);
}

char *pki_path(const char *dir, const char *name, const char *suffix)
{
    size_t size = strlen(dir) + strlen(name) + strlen(suffix) + 2;
    char *path = malloc(size);

    pki_need(path != NULL, "memory");
    snprintf(path, size, "%s/%s%s", dir, name, suffix);
    return path;
}

char *pki_tmpdir(void)
{
    const char *parent = getenv("TMPDIR");
    char *dir;

    if (parent == NULL || *parent == '\0')
        parent = "/tmp";
    dir = pki_path(parent, TMP_PREFIX, "XXXXXX");
    pki_need(mkdtemp(dir) != NULL, "temporary directory");
    return dir;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *position)
{
    (void)info;
    (void)type;
    (void)position;
    return remove(path);
}

void pki_rmtree(char *dir)
{
    const char *base;

    if (dir == NULL)
        return;
    base = strrchr(dir, '/');
    pki_need(base != NULL && strncmp(base + 1, TMP_PREFIX, strlen(TMP_PREFIX)) == 0,
             "pki_rmtree is only for directories of pki_tmpdir");
    pki_need(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, "removing the directory");
    free(dir);
}
