/* bench_ends.c: what the two ends of a run are made of. */
#include "bench_ends.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SESSIONS = 4096,
    NANOSECONDS = 1000000000,
};

static double clock_now(clockid_t clock)
{
    struct timespec now = {0};

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / NANOSECONDS;
}

double bench_wall_now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

double bench_cpu_now(void)
{
    return clock_now(CLOCK_PROCESS_CPUTIME_ID);
}

static const char remedy[] = "report it, with the output of `cinch version -v`";

/* One suite is all that both ends have. Only what is chosen by hand has CBC. */
static void set_policy(const bench_suite *suite, cinch_context *ctx, cinch_error *err)
{
    cinch_policy *policy = cinch_policy_new("default", err);
    cinch_tls_version version = (cinch_tls_version)suite->version;

    (void)cinch_policy_versions(policy, version, version, err);
    if (version == CINCH_TLS_1_2)
        (void)cinch_policy_ciphers(policy, suite->name, err);
    else
        (void)cinch_policy_suites(policy, suite->name, err);
    (void)cinch_context_policy(ctx, policy, err);
    cinch_policy_free(policy);
}

static cinch_context *server_context(const bench_job *job, cinch_error *err)
{
    cinch_context *ctx = cinch_context_server(err);

    set_policy(job->what->suite, ctx, err);
    (void)bench_certs_identity(job->certs, job->what->key->kind, ctx, err);
    if (job->what->kind == BENCH_RESUMED)
        (void)cinch_context_session_ids(ctx, SESSIONS, err);
    else
        (void)cinch_context_resumption(ctx, 0, err);
    return ctx;
}

static cinch_context *client_context(const bench_job *job, cinch_error *err)
{
    cinch_context *ctx = cinch_context_client(err);

    set_policy(job->what->suite, ctx, err);
    (void)bench_certs_trust(job->certs, ctx, err);
    if (job->what->kind != BENCH_RESUMED)
        (void)cinch_context_resumption(ctx, 0, err);
    return ctx;
}

bool bench_check(const bench_job *job, const cinch_stream *stream, bool resumed, cinch_error *err)
{
    const bench_suite *suite = job->what->suite;
    cinch_peer *peer = cinch_stream_peer(stream, err);
    bool ok = false;

    if (peer == NULL)
        return false;
    if (peer->version_number != suite->version || strcmp(peer->cipher, suite->standard) != 0)
        cli_fail(err, CINCH_CAUSE_INTERNAL, remedy, "asked for %s with %s, got %s with %s",
                 bench_version_text(suite->version), suite->standard, peer->version, peer->cipher);
    else if (!peer->verified || (peer->resumed != 0) != resumed)
        cli_fail(err, CINCH_CAUSE_INTERNAL, remedy, "the handshake was %s, and is to be %s",
                 !peer->verified ? "not verified"
                 : peer->resumed ? "resumed"
                                 : "a full one",
                 !peer->verified ? "verified"
                 : resumed       ? "resumed"
                                 : "a full one");
    else
        ok = true;
    cinch_peer_free(peer);
    return ok;
}

bool bench_read_end(cinch_stream *stream, cinch_error *err)
{
    char byte;
    size_t n;
    cinch_status status = cinch_stream_read(stream, &byte, 1, &n, err);

    if (status == CINCH_OK)
        return cli_fail(err, CINCH_CAUSE_INTERNAL, remedy, "the other end wrote too much");
    return status == CINCH_EOF;
}

bool bench_read_byte(cinch_stream *stream, char *byte, cinch_error *err)
{
    size_t n;
    cinch_status status = cinch_stream_read(stream, byte, 1, &n, err);

    if (status == CINCH_EOF)
        return cli_fail(err, CINCH_CAUSE_INTERNAL, remedy, "the other end wrote too little");
    return status == CINCH_OK;
}

void bench_serve(const bench_job *job, bench_report *report)
{
    cinch_context *ctx = server_context(job, &report->err);
    cinch_listener *listener = cinch_listen_adopt(ctx, job->listener, &report->err);

    if (listener != NULL && job->what->kind == BENCH_BULK)
        bench_bulk_serve(job, listener, report);
    else if (listener != NULL)
        bench_shake_serve(listener, report);
    cinch_listener_free(listener);
    cinch_context_free(ctx);
}

/* Without a name to look up: that is not what is measured. */
cinch_stream *bench_dial(const bench_job *job, cinch_context *ctx, cinch_error *err)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)job->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        int number = errno;

        cli_fail(err, CINCH_CAUSE_SYSTEM, "see whether there are descriptors and ports left",
                 "cannot connect to 127.0.0.1:%d", job->port);
        cli_fail_errno(err, number);
        if (fd >= 0)
            (void)close(fd);
        return NULL;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return cinch_stream_wrap_adopt(ctx, fd, "localhost", err);
}

void bench_connect(const bench_job *job, bench_report *report)
{
    cinch_context *ctx = client_context(job, &report->err);

    if (ctx != NULL && job->what->kind == BENCH_BULK)
        bench_bulk_connect(job, ctx, report);
    else if (ctx != NULL)
        bench_shake_connect(job, ctx, report);
    cinch_context_free(ctx);
}
