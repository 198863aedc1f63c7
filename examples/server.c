/* server.c IDENTITY PORT: sends back what comes in, for eight clients at a time; Ctrl-C ends it. */
#include <cinch/cinch.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#define THREADS 8

static cinch_listener *listener;

static void stop(int signal_number)
{
    (void)signal_number;
    cinch_listener_stop(listener); /* allowed in a signal handler */
}

static void echo(cinch_stream *s)
{
    cinch_error err = CINCH_ERROR_INIT; /* one client's failure is not another's */
    char buf[16384];
    size_t n;

    cinch_stream_deadline(s, 60000, &err); /* nobody can keep a thread for longer */
    while (cinch_stream_read(s, buf, sizeof buf, &n, &err) == CINCH_OK)
        cinch_stream_write_all(s, buf, n, &err);
    cinch_stream_close_write(s, &err);
    cinch_error_report(&err, stderr);
}

static void *work(void *arg)
{
    cinch_error *err = arg;

    for (cinch_stream *s; (s = cinch_listener_accept(listener, err)) != NULL; cinch_stream_free(s))
        echo(s);
    return NULL;
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_error errors[THREADS] = {CINCH_ERROR_INIT}; /* the rest is 0: not set, too */
    pthread_t threads[THREADS];
    int count = 0;

    if (argc < 3) {
        fprintf(stderr, "usage: server IDENTITY PORT\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_identity_file(ctx, argv[1], NULL, &err); /* key, leaf, intermediates: any order */
    listener = cinch_listen(ctx, "localhost", argv[2], &err);
    if (listener != NULL) {
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        printf("listening on %s\n", cinch_listener_address(listener, 0));
        fflush(stdout);
        while (count < THREADS && pthread_create(&threads[count], NULL, work, &errors[count]) == 0)
            count++;
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        cinch_error_report(&errors[i], stderr);
    }
    cinch_listener_free(listener);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
