/* bench_pair.c: the two processes of a run, and how they are ended. */
#include "bench_ends.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKLOG = 16,
    PATIENCE_MS = 2000, /* for what the other one says of a failure */
};

/* One end, as the parent has it. */
typedef struct end {
    pid_t pid;
    int fd; /* its report comes from here */
    size_t have;
    bool done; /* nothing more comes */
    bench_report report;
} end;

static volatile sig_atomic_t caught;
static int wake[2] = {-1, -1}; /* a pipe: poll() sees a signal that comes just before it */

static void remember(int number)
{
    int saved = errno;

    caught = number;
    (void)!write(wake[1], "", 1);
    errno = saved;
}

static bool fail_system(cinch_error *err, const char *what)
{
    int number = errno;

    cli_fail(err, CINCH_CAUSE_SYSTEM, "see whether there are descriptors and processes left",
             "cannot %s", what);
    cli_fail_errno(err, number);
    return false;
}

bool bench_catch_signals(cinch_error *err)
{
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = remember};
    struct sigaction before;

    if (pipe(wake) != 0)
        return fail_system(err, "make a pipe");
    for (int i = 0; i < 2; i++)
        (void)fcntl(wake[i], F_SETFL, O_NONBLOCK);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        /* nohup, and shells without job control, have them ignored: so it stays. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
    return true;
}

int bench_caught(void)
{
    return caught;
}

/* On loopback, on a port that the system chooses. It listens before anybody connects. */
static bool listen_here(bench_job *job, cinch_error *err)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(here);

    job->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (job->listener < 0 || bind(job->listener, (struct sockaddr *)&here, size) != 0 ||
        listen(job->listener, BACKLOG) != 0 ||
        getsockname(job->listener, (struct sockaddr *)&here, &size) != 0)
        return fail_system(err, "listen on 127.0.0.1");
    job->port = ntohs(here.sin_port);
    return true;
}

/* The parent ends it; a terminal's signal is for the parent alone. */
static void live(void (*work)(const bench_job *, bench_report *), const bench_job *job, int fd)
{
    bench_report report = {.err = CINCH_ERROR_INIT};
    const char *bytes = (const char *)&report;
    size_t left = sizeof(report);

    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    work(job, &report);
    while (left > 0) {
        ssize_t n = write(fd, bytes, left);

        if (n <= 0)
            break;
        bytes += n;
        left -= (size_t)n;
    }
    _exit(0);
}

static bool start(end *which, void (*work)(const bench_job *, bench_report *), const bench_job *job,
                  cinch_error *err)
{
    int fds[2];

    if (pipe(fds) != 0)
        return fail_system(err, "make a pipe");
    which->pid = fork();
    if (which->pid == 0) {
        (void)close(fds[0]);
        live(work, job, fds[1]);
    }
    (void)close(fds[1]);
    which->fd = fds[0];
    return which->pid > 0 || fail_system(err, "start a process");
}

static void take(end *which)
{
    char *to = (char *)&which->report + which->have;
    ssize_t n = read(which->fd, to, sizeof(which->report) - which->have);

    if (n < 0 && errno == EINTR)
        return;
    if (n > 0)
        which->have += (size_t)n;
    which->done = n <= 0 || which->have == sizeof(which->report);
}

static bool failed(const end *which)
{
    return which->done &&
           (which->have < sizeof(which->report) || cinch_error_is_set(&which->report.err));
}

/* Until both are done, or one has failed and the other has had time to say so too. */
static void wait_for(end ends[static 2])
{
    int patience = -1;

    while (caught == 0 && !(ends[0].done && ends[1].done)) {
        struct pollfd polled[] = {{.fd = wake[0], .events = POLLIN},
                                  {.fd = ends[0].done ? -1 : ends[0].fd, .events = POLLIN},
                                  {.fd = ends[1].done ? -1 : ends[1].fd, .events = POLLIN}};
        int ready = poll(polled, 3, patience);

        if (ready == 0 || (ready < 0 && errno != EINTR))
            break;
        for (int i = 0; ready > 0 && i < 2; i++) {
            if (polled[i + 1].revents != 0)
                take(&ends[i]);
        }
        if (failed(&ends[0]) || failed(&ends[1]))
            patience = PATIENCE_MS;
    }
}

static void stop(end *which)
{
    if (which->pid > 0) {
        /* One that is done ends by itself, or has ended. */
        if (!which->done)
            (void)kill(which->pid, SIGKILL);
        while (waitpid(which->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    if (which->fd >= 0)
        (void)close(which->fd);
}

/* The cause is with the end that saw more than the other one going. */
static void take_error(const end ends[static 2], cinch_error *err)
{
    const end *told = NULL;

    for (int i = 1; i >= 0; i--) {
        const cinch_error *its = &ends[i].report.err;

        if (ends[i].have == sizeof(ends[i].report) && cinch_error_is_set(its) &&
            (told == NULL || told->report.err.cause == CINCH_CAUSE_ALERT_RECEIVED ||
             told->report.err.category == CINCH_CATEGORY_CLOSED))
            told = &ends[i];
    }
    if (told != NULL)
        *err = told->report.err;
    else
        cli_fail(err, CINCH_CAUSE_INTERNAL, "report it, with the output of `cinch version -v`",
                 "a process of the benchmark ended without a word");
}

static bool add_up(const end ends[static 2], bench_run *run, cinch_error *err)
{
    const bench_report *server = &ends[0].report;
    const bench_report *client = &ends[1].report;

    if (failed(&ends[0]) || failed(&ends[1]) || !ends[0].done || !ends[1].done) {
        take_error(ends, err);
        return false;
    }
    if (server->count != client->count)
        return cli_fail(err, CINCH_CAUSE_INTERNAL, "report it",
                        "the server counts %llu, the client %llu",
                        (unsigned long long)server->count, (unsigned long long)client->count);
    run->count = client->count;
    run->seconds = client->ended - client->began;
    run->server_cpu = server->cpu;
    run->client_cpu = client->cpu;
    return true;
}

bool bench_measure(const bench_settings *settings, const bench_certs *certs, const bench_case *what,
                   bench_run *run, cinch_error *err)
{
    bench_job job = {.settings = settings, .certs = certs, .what = what, .listener = -1};
    end ends[2] = {{.fd = -1}, {.fd = -1}};
    bool ok = listen_here(&job, err) && start(&ends[0], bench_serve, &job, err) &&
              start(&ends[1], bench_connect, &job, err);

    if (job.listener >= 0)
        (void)close(job.listener);
    if (ok)
        wait_for(ends);
    stop(&ends[0]);
    stop(&ends[1]);
    return ok && caught == 0 && add_up(ends, run, err);
}
