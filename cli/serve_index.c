/* serve_index.c: a list of what is in a directory. */
#include "serve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct entry {
    char *name;
    struct stat st;
} entry;

typedef struct listing {
    entry *entries;
    size_t count;
    size_t room;
} listing;

static void add_entry(listing *list, const char *name, const struct stat *st)
{
    if (list->count == list->room) {
        size_t room = list->room > 0 ? list->room * 2 : 64;
        entry *entries = cli_alloc(room * sizeof(*entries));

        if (list->count > 0)
            memcpy(entries, list->entries, list->count * sizeof(*entries));
        free(list->entries);
        list->entries = entries;
        list->room = room;
    }
    list->entries[list->count++] = (entry){cli_copy(name, strlen(name)), *st};
}

static int compare(const void *a, const void *b)
{
    const entry *x = a;
    const entry *y = b;
    int by_kind = (int)S_ISDIR(y->st.st_mode) - (int)S_ISDIR(x->st.st_mode);

    return by_kind != 0 ? by_kind : strcmp(x->name, y->name);
}

/* Only what serve_file() would serve: no hidden names, no symbolic links. */
static bool read_directory(int dir, listing *list)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *open_dir = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *next;

    if (open_dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): safe for a DIR of our own
    while ((next = readdir(open_dir)) != NULL) {
        struct stat st;

        if (next->d_name[0] != '.' && fstatat(dir, next->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            add_entry(list, next->d_name, &st);
    }
    (void)closedir(open_dir);
    if (list->count > 0)
        qsort(list->entries, list->count, sizeof(*list->entries), compare);
    return true;
}

/* Names are written by strangers: none may become markup. */
static void put_html(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        case '\'':
            fputs("&#39;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

/* All but unreserved characters: "javascript:" is a file's name here, too (RFC 3986, 2.3). */
static void put_link(FILE *out, const char *name)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                     "0123456789-._~";

    for (; *name != '\0'; name++) {
        if (strchr(unreserved, *name) != NULL)
            fputc(*name, out);
        else
            fprintf(out, "%%%02X", (unsigned)(unsigned char)*name);
    }
}

static void put_entry(FILE *out, const entry *e)
{
    bool is_dir = S_ISDIR(e->st.st_mode);
    char date[30];
    time_t when = e->st.st_mtim.tv_sec;
    struct tm tm;

    if (gmtime_r(&when, &tm) == NULL || strftime(date, sizeof(date), "%Y-%m-%d %H:%M", &tm) == 0)
        date[0] = '\0';
    fputs("<tr><td><a href=\"", out);
    put_link(out, e->name);
    fputs(is_dir ? "/\">" : "\">", out);
    put_html(out, e->name);
    fputs(is_dir ? "/" : "", out);
    if (is_dir)
        fprintf(out, "</a><td><td>%s\n", date);
    else
        fprintf(out, "</a><td>%lld<td>%s\n", (long long)e->st.st_size, date);
}

static void put_page(FILE *out, const char *path, const listing *list)
{
    fputs("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n<title>", out);
    put_html(out, path);
    fputs("</title>\n<style>body{font:16px system-ui,sans-serif;margin:2em}"
          "td{padding:.1em 1.5em .1em 0}td:nth-child(2){text-align:right}</style>\n<h1>",
          out);
    put_html(out, path);
    fputs("</h1>\n<table>\n", out);
    if (strcmp(path, "/") != 0)
        fputs("<tr><td><a href=\"../\">../</a><td><td>\n", out);
    for (size_t i = 0; i < list->count; i++)
        put_entry(out, &list->entries[i]);
    fputs("</table>\n</html>\n", out);
}

bool serve_index(http_client *client, const http_request *request, int dir, const char *path)
{
    http_reply reply = {200, "text/html; charset=utf-8", 0, "Cache-Control: no-cache\r\n"};
    listing list = {0};
    char *page = NULL;
    size_t size = 0;
    FILE *out = NULL;
    bool ok;

    if (!read_directory(dir, &list))
        return http_send_status(client, request, errno == EACCES ? 403 : 500, NULL);
    out = open_memstream(&page, &size);
    if (out != NULL)
        put_page(out, path, &list);
    for (size_t i = 0; i < list.count; i++)
        free(list.entries[i].name);
    free(list.entries);
    if (out == NULL || fclose(out) != 0) {
        free(page);
        return http_send_status(client, request, 503, NULL);
    }
    reply.length = (off_t)size;
    ok = http_send(client, request, &reply, page);
    free(page);
    return ok;
}
