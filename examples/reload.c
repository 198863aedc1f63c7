/* reload.c IDENTITY PORT: a server that takes a renewed certificate into use on SIGHUP. */
#include <cinch/cinch.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static volatile sig_atomic_t reload_wanted;

static void on_hangup(int signal_number)
{
    (void)signal_number;
    reload_wanted = 1;
}

/* All or nothing: while anything is wrong with the new settings, the old ones stay in force. */
static void reload(cinch_context *ctx, const char *identity)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *next = cinch_context_dup(ctx, &err);

    cinch_context_identity_file(next, identity, NULL, &err);
    cinch_context_apply(ctx, next, &err);
    cinch_context_free(next);
    cinch_error_report(&err, stderr);
    printf(cinch_error_is_set(&err) ? "kept the old one\n" : "reloaded\n");
    fflush(stdout);
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
    struct sigaction hangup = {.sa_handler = on_hangup};
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: reload IDENTITY PORT\n");
        return 2;
    }
    sigaction(SIGHUP, &hangup, NULL);
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err);
    cinch_listener *l = cinch_listen(ctx, "localhost", argv[2], &err);
    if (l != NULL) {
        printf("listening on %s\n", cinch_listener_address(l, 0));
        fflush(stdout);
    }
    while (!cinch_error_is_set(&err)) {
        cinch_stream *s = NULL;

        if (cinch_listener_accept_within(l, 200, &s, &err) == CINCH_OK)
            greet(s);
        cinch_stream_free(s);
        if (reload_wanted) {
            reload_wanted = 0;
            reload(ctx, argv[1]);
        }
    }
    cinch_listener_free(l);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
