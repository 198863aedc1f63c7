/*
 * key_log.c: the secrets of connections, for Wireshark, in the format of NSS (draft-ietf-tls-
 * keylogfile). Who reads the file reads everything, so nobody but its owner may.
 */
#define _GNU_SOURCE /* secure_getenv */
#include "base/fail.h"
#include "base/memory.h"
#include "context/extras.h"
#include "context/link.h"

#include <cinch/binding.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* The longest line: a label, 32 bytes and 64 bytes in hexadecimal. */
#define LARGEST_LINE 512

struct cinch_key_log {
    unsigned references; /* guarded by the lock */
    struct cinch_key_log *next;
    int fd;
    dev_t device;
    ino_t inode;
};

static pthread_mutex_t logs_lock = PTHREAD_MUTEX_INITIALIZER;
static cinch_key_log *logs;

cinch_key_log *cinch_key_log_ref(cinch_key_log *log)
{
    pthread_mutex_lock(&logs_lock);
    log->references++;
    pthread_mutex_unlock(&logs_lock);
    return log;
}

void cinch_key_log_unref(cinch_key_log *log)
{
    if (log == NULL)
        return;
    pthread_mutex_lock(&logs_lock);
    int last = --log->references == 0;
    for (cinch_key_log **at = &logs; last && *at != NULL; at = &(*at)->next)
        if (*at == log) {
            *at = log->next;
            break;
        }
    pthread_mutex_unlock(&logs_lock);
    if (!last)
        return;
    close(log->fd);
    cinch_release(log);
}

/* A file that somebody else can read, or has put there, would give the secrets away. */
static cinch_status check_file(int fd, const char *path, struct stat *file, cinch_error *err)
{
    if (fstat(fd, file) != 0 || !S_ISREG(file->st_mode))
        return cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                          "the key log \"%s\" is not a regular file", path);
    if (file->st_uid == geteuid() && (file->st_mode & (S_IRWXG | S_IRWXO)) == 0)
        return CINCH_OK;
    (void)cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE,
                     "the key log \"%s\" is there already and not for this user alone", path);
    cinch_fail_evidence(err, "its mode is %03o and its owner %lu; this process is %lu",
                        (unsigned)(file->st_mode & 0777), (unsigned long)file->st_uid,
                        (unsigned long)geteuid());
    cinch_fail_remedy(err, "delete the file, or make it readable for its owner only (chmod 600)");
    return CINCH_FAILED;
}

static int open_file(const char *path, struct stat *file, cinch_error *err)
{
    /* Not through a symbolic link, and without waiting for a reader of a FIFO. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);

    if (fd < 0) {
        int number = errno;

        (void)cinch_fail(err, CINCH_CAUSE_FILE_UNREADABLE, "cannot write to the key log \"%s\"",
                         path);
        if (number == ELOOP)
            cinch_fail_evidence(err, "it is a symbolic link, and those are not followed here");
        cinch_fail_system(err, number);
        return -1;
    }
    if (check_file(fd, path, file, err) != CINCH_OK) {
        close(fd);
        return -1;
    }
    return fd;
}

static cinch_key_log *open_log(const char *path, cinch_error *err)
{
    struct stat file;
    int fd = open_file(path, &file, err);

    if (fd < 0)
        return NULL;
    pthread_mutex_lock(&logs_lock);
    cinch_key_log *log = logs;
    while (log != NULL && (log->device != file.st_dev || log->inode != file.st_ino))
        log = log->next;
    if (log != NULL) {
        log->references++;
    } else if ((log = cinch_alloc(sizeof *log)) != NULL) {
        *log = (cinch_key_log){1, logs, fd, file.st_dev, file.st_ino};
        logs = log;
        fd = -1;
    }
    pthread_mutex_unlock(&logs_lock);
    if (fd >= 0)
        close(fd);
    if (log == NULL)
        (void)cinch_fail_memory(err, "opening a key log");
    return log;
}

void cinch_key_log_callback(const SSL *ssl, const char *line)
{
    const cinch_link *link = cinch_link_of(ssl);
    char text[LARGEST_LINE + 1];
    size_t size = strlen(line);

    if (link == NULL || link->derived->settings->key_log == NULL || size > LARGEST_LINE)
        return;
    memcpy(text, line, size);
    text[size++] = '\n';
    /* In one call, so that the lines of threads and processes do not mix. */
    while (write(link->derived->settings->key_log->fd, text, size) < 0 && errno == EINTR)
        ;
    OPENSSL_cleanse(text, sizeof text);
}

static cinch_status change_log(cinch_settings *settings, const void *value, cinch_error *err)
{
    const char *path = value;

    cinch_key_log_unref(settings->key_log);
    settings->key_log = NULL;
    if (path != NULL && path[0] == 0)
        path = secure_getenv("SSLKEYLOGFILE");
    if (path == NULL || path[0] == 0)
        return CINCH_OK;
    settings->key_log = open_log(path, err);
    return settings->key_log == NULL ? CINCH_FAILED : CINCH_OK;
}

cinch_status cinch_context_insecure_key_log(cinch_context *ctx, const char *path, cinch_error *err)
{
    return cinch_context_change(ctx, NULL, change_log, path, err);
}
