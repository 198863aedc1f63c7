/*
 * serve_files.c: from the path of a request to a file.
 *
 * The path is walked one component at a time from the directory's descriptor, never following a
 * symbolic link: whatever is renamed meanwhile, nothing outside of the directory can be reached.
 */
#include "serve.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK ((off_t)4 << 20)

/* What a path led to. */
typedef struct found {
    int fd;
    struct stat st;
    char name[NAME_MAX + 1]; /* the last component */
    char *path;              /* decoded, "/" in front, none behind; for people and types */
    char *link;              /* the same for a URL */
} found;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One component without its percent signs. HTTP_OK, 400, or 404 if no file is called that. */
static int decode(const char *text, size_t length, char name[NAME_MAX + 1])
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        int c = (unsigned char)text[i];

        if (c == '%') {
            int high = i + 1 < length ? hex(text[i + 1]) : -1;
            int low = i + 2 < length ? hex(text[i + 2]) : -1;

            if (high < 0 || low < 0)
                return 400;
            c = high * 16 + low;
            i += 2;
        }
        /* A slash or NUL that was hidden from the splitting into components. */
        if (c == '\0' || c == '/')
            return 400;
        if (n == NAME_MAX)
            return 404;
        name[n++] = (char)c;
    }
    name[n] = '\0';
    return HTTP_OK;
}

static int status_of_errno(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return 404;
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return 503;
    default:
        return 500;
    }
}

/* From F's directory into the file or directory NAME. Looked at first: opening a device acts. */
static int step(found *f, const char *name)
{
    int fd;

    /* Hidden files are not for the public: .git, .env; and ".." is one of them. */
    if (name[0] == '.' || !S_ISDIR(f->st.st_mode))
        return 404;
    if (fstatat(f->fd, name, &f->st, AT_SYMLINK_NOFOLLOW) != 0)
        return status_of_errno(errno);
    if (!S_ISREG(f->st.st_mode) && !S_ISDIR(f->st.st_mode))
        return 404;
    fd = openat(f->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return status_of_errno(errno);
    close_fd(&f->fd);
    f->fd = fd;
    if (fstat(fd, &f->st) != 0)
        return 500;
    return S_ISREG(f->st.st_mode) || S_ISDIR(f->st.st_mode) ? HTTP_OK : 404;
}

static void put_encoded(FILE *out, const char *name)
{
    for (; *name != '\0'; name++) {
        if (isalnum((unsigned char)*name) || strchr("-._~", *name) != NULL)
            fputc(*name, out);
        else
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*name);
    }
}

static int walk(int root, http_text path, found *f, FILE *plain, FILE *encoded)
{
    const char *end = path.at + path.length;
    const char *at = path.at;

    f->fd = fcntl(root, F_DUPFD_CLOEXEC, 0);
    if (f->fd < 0 || fstat(f->fd, &f->st) != 0)
        return 503;
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t length = (size_t)((slash != NULL ? slash : end) - at);
        int status = decode(at, length, f->name);

        at += length + (slash != NULL);
        if (status == HTTP_OK && (f->name[0] == '\0' || strcmp(f->name, ".") == 0))
            continue;
        if (status == HTTP_OK)
            status = step(f, f->name);
        if (status != HTTP_OK)
            return status;
        fprintf(plain, "/%s", f->name);
        fputc('/', encoded);
        put_encoded(encoded, f->name);
    }
    return HTTP_OK;
}

static int find(int root, http_text path, found *f)
{
    size_t plain_size = 0;
    size_t link_size = 0;
    FILE *plain = open_memstream(&f->path, &plain_size);
    FILE *encoded = open_memstream(&f->link, &link_size);
    int status = 503;

    if (plain != NULL && encoded != NULL)
        status = walk(root, path, f, plain, encoded);
    if ((plain != NULL && fclose(plain) != 0) || (encoded != NULL && fclose(encoded) != 0))
        status = 503;
    return status;
}

static bool send_body(http_client *client, int fd, off_t from, off_t length)
{
    cinch_error err = CINCH_ERROR_INIT;

    /* In pieces, so that the deadline for writing is for each of them. */
    while (length > 0) {
        off_t count = length < CHUNK ? length : CHUNK;

        if (cinch_stream_send_file(client->stream, fd, from, count, NULL, &err) != CINCH_OK)
            return false;
        from += count;
        length -= count;
    }
    return true;
}

static bool send_found(http_client *client, const http_request *request, const found *f)
{
    serve_validators validators = {0};
    serve_part part;
    char headers[320];
    char range[96] = "";
    http_reply reply = {.headers = headers};

    serve_validate(&f->st, &validators);
    part = serve_choose(request, &validators, f->st.st_size);
    reply.status = part.status;
    reply.type = part.status != 304 ? serve_type(f->name) : NULL;
    reply.length = part.status != 304 ? part.length : -1;
    if (part.status == 416) {
        snprintf(range, sizeof(range), "Content-Range: bytes */%lld\r\n", (long long)f->st.st_size);
        return http_send_status(client, request, 416, range);
    }
    if (part.status == 206)
        snprintf(range, sizeof(range), "Content-Range: bytes %lld-%lld/%lld\r\n",
                 (long long)part.from, (long long)(part.from + part.length - 1),
                 (long long)f->st.st_size);
    snprintf(headers, sizeof(headers),
             "%sLast-Modified: %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n"
             "Cache-Control: no-cache\r\n",
             range, validators.modified, validators.etag);
    if (!http_send_head(client, request, &reply))
        return false;
    if (request->is_head || part.status == 304)
        return true;
    return send_body(client, f->fd, part.from, part.length);
}

static bool send_directory(http_client *client, const http_request *request, const found *f)
{
    found page = {.fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0), .st = f->st, .name = "index.html"};
    char *path;
    bool ok;

    if (page.fd >= 0 && step(&page, page.name) == HTTP_OK && S_ISREG(page.st.st_mode)) {
        ok = send_found(client, request, &page);
    } else {
        path = cli_text("%s/", f->path);
        ok = serve_index(client, request, f->fd, path);
        free(path);
    }
    close_fd(&page.fd);
    return ok;
}

/* Relative links of an index need the slash. Built from components: "//host" cannot come out. */
static bool redirect(http_client *client, const http_request *request, const found *f)
{
    char *location = cli_text("Location: %s/\r\n", f->link);
    bool ok = http_send_status(client, request, 301, location);

    free(location);
    return ok;
}

bool serve_file(http_client *client, const http_request *request, int root)
{
    found f = {.fd = -1};
    bool slash = request->path.at[request->path.length - 1] == '/';
    int status = find(root, request->path, &f);
    bool ok;

    if (status == HTTP_OK && S_ISREG(f.st.st_mode) && slash)
        status = 404;
    if (status != HTTP_OK)
        ok = http_send_status(client, request, status, NULL);
    else if (S_ISREG(f.st.st_mode))
        ok = send_found(client, request, &f);
    else if (!slash)
        ok = redirect(client, request, &f);
    else
        ok = send_directory(client, request, &f);
    close_fd(&f.fd);
    free(f.path);
    free(f.link);
    return ok;
}
