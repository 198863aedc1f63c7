/* ca_file.c: files that are there in full or not at all. */
#include "ca.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST (1 << 20)

static bool fail_file(cinch_error *err, const char *verb, const char *path, int number)
{
    cli_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "check the path and its permissions", "cannot %s %s",
             verb, path);
    cli_fail_errno(err, number);
    return false;
}

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        size -= (size_t)n;
    }
    return true;
}

/* A new name lasts through a power failure only once its directory is on the disk. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash == NULL ? cli_text(".") : cli_copy(path, (size_t)(slash - path) + 1);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(dir);
}

/* mkstemp() opens with O_EXCL and mode 0600: no moment at which others could read a key. */
static int write_temporary(char *path, const char *data, size_t size, mode_t mode)
{
    int fd = mkstemp(path);
    int saved;

    if (fd < 0)
        return -1;
    if (write_all(fd, data, size) && fchmod(fd, mode) == 0 && fsync(fd) == 0 && close(fd) == 0)
        return 0;
    saved = errno;
    (void)close(fd);
    (void)unlink(path);
    errno = saved;
    return -1;
}

bool ca_write_file(const char *path, BIO *content, mode_t mode, ca_replace replace, bool *existed,
                   cinch_error *err)
{
    char *data = NULL;
    long size = BIO_get_mem_data(content, &data);
    char *temporary = cli_text("%s.XXXXXX", path);
    bool ok = false;
    int saved;

    if (existed != NULL)
        *existed = false;
    if (write_temporary(temporary, data, (size_t)size, mode) != 0) {
        fail_file(err, "write", path, errno);
        goto out;
    }
    /* link() refuses to replace a file, in one step, where looking first would be a race. */
    if (replace == CA_KEEP)
        ok = link(temporary, path) == 0;
    else
        ok = rename(temporary, path) == 0;
    saved = errno;
    if (!ok || replace == CA_KEEP)
        (void)unlink(temporary);
    if (ok)
        sync_directory(path);
    else if (existed != NULL && saved == EEXIST)
        *existed = true;
    else
        fail_file(err, "write", path, saved);
out:
    free(temporary);
    return ok;
}

/* Reads from FD into a BIO; false with errno. */
static bool read_all(int fd, BIO *bio)
{
    char buf[4096];
    size_t total = 0;
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        total += (size_t)n;
        if (total > LARGEST || BIO_write(bio, buf, (int)n) != n) {
            errno = EFBIG;
            return false;
        }
    }
    OPENSSL_cleanse(buf, sizeof(buf));
    return true;
}

BIO *ca_read_file(const char *path, mode_t *mode, cinch_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    BIO *bio = BIO_new(BIO_s_secmem());
    struct stat st;
    bool ok = false;

    if (bio == NULL)
        cli_fail_crypto(err, "reading a file");
    else if (fd < 0 || fstat(fd, &st) != 0 || !read_all(fd, bio))
        fail_file(err, "read", path, errno);
    else
        ok = true;
    if (ok && mode != NULL)
        *mode = st.st_mode;
    if (fd >= 0)
        (void)close(fd);
    if (!ok) {
        BIO_free(bio);
        bio = NULL;
    }
    return bio;
}

/* Without it libcrypto would ask for the password on the terminal. */
static char no_password[] = "";

X509 *ca_parse_cert(BIO *pem)
{
    return PEM_read_bio_X509(pem, NULL, NULL, no_password);
}

EVP_PKEY *ca_parse_key(BIO *pem)
{
    return PEM_read_bio_PrivateKey(pem, NULL, NULL, no_password);
}
