/* watch.c IDENTITY POLICY PORT: a server that follows its files while it runs, without a restart. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

/* On the watch's thread: one line for the log. */
static void tell(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    (void)arg;
    if (status == CINCH_OK)
        printf("%s: in use now\n", path);
    else
        printf("%s: kept the old one: %s\n", path, err->what);
    fflush(stdout);
}

/* The file POLICY has the name of a policy in its first line. */
static cinch_status load_policy(const char *path, const char *bytes, size_t size, void *arg,
                                cinch_error *err)
{
    char name[64];

    (void)path;
    (void)size;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bytes, "\n"), bytes);
    return cinch_context_policy_named(arg, name, err);
}

static void greet(cinch_stream *s)
{
    cinch_error err = CINCH_ERROR_INIT;
    char buf[4096];
    size_t n;

    cinch_stream_deadline(s, 5000, &err);
    while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
        ; /* whatever it is, up to the client's close_notify */
    cinch_stream_write_all(s, "hello\n", 6, &err);
    cinch_stream_close_write(s, &err);
    cinch_error_report(&err, stderr);
}

int main(int argc, char **argv)
{
    cinch_identity_source source = {.file = argc > 1 ? argv[1] : NULL};
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 4) {
        fprintf(stderr, "usage: watch IDENTITY POLICY PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_server(&err);
    cinch_watch *watch = cinch_watch_new(tell, NULL, &err);
    cinch_watch_identity(watch, ctx, &source, &err); /* loads it, and from now on again */
    cinch_watch_file(watch, argv[2], load_policy, ctx, &err);

    cinch_listener *l = cinch_listen(ctx, "localhost", argv[3], &err);
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    for (cinch_stream *s; (s = cinch_listener_accept(l, &err)) != NULL; cinch_stream_free(s))
        greet(s);

    cinch_watch_free(watch);
    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
