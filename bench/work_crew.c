/*
 * work_crew.c: threads, processes: several serve the connections of one listener. The client has more
 * processes than that, which begin together. When they are done, one last connection makes whoever serves
 * it shut the listener down, so that all the others end too.
 */
#include "work.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST = 16,
};

typedef struct member {
    const job *j;
    tally counted;
    pthread_t thread;
} member;

static size_t crew_size(const job *j)
{
    if (j->number > MOST)
        peer_die("that are too many");
    return j->number;
}

/* After the last warm one of all clients comes the first that counts: by then all have started. */
static void serve(const job *j, tally *counted)
{
    char byte = WARM;

    start(counted);
    while (serve_once(j, &byte)) {
        if (byte == WARM)
            start(counted);
        else
            counted->count++;
        if (byte == LAST)
            (void)shutdown(j->listener, SHUT_RDWR);
    }
    stop(counted);
}

static void add(tally *sum, const tally *one)
{
    if (one->wall > sum->wall)
        sum->wall = one->wall;
    sum->count += one->count;
    sum->cpu += one->cpu;
}

static void *serve_in_thread(void *arg)
{
    member *this = arg;

    this->counted.clock = CLOCK_THREAD_CPUTIME_ID;
    serve(this->j, &this->counted);
    return NULL;
}

void serve_threads(const job *j, tally *counted)
{
    member crew[MOST] = {0};
    size_t size = crew_size(j);

    for (size_t i = 0; i < size; i++) {
        crew[i].j = j;
        if (pthread_create(&crew[i].thread, NULL, serve_in_thread, &crew[i]) != 0)
            peer_die("no thread");
    }
    for (size_t i = 0; i < size; i++) {
        (void)pthread_join(crew[i].thread, NULL);
        add(counted, &crew[i].counted);
    }
}

/* A process that works, then writes its tally to OUT; NOT_HERE is closed in it, unless -1. */
static void fork_one(const job *j, void (*work)(const job *, tally *), int not_here, int out)
{
    tally counted = {.clock = CLOCK_PROCESS_CPUTIME_ID};
    pid_t pid = fork();

    if (pid < 0)
        peer_die("no process");
    if (pid > 0)
        return;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (not_here >= 0)
        close(not_here);
    if (!the_peer.prepare(j->settings))
        peer_die("cannot do that any more");
    work(j, &counted);
    if (write(out, &counted, sizeof counted) != (ssize_t)sizeof counted)
        peer_die("cannot tell what was counted");
    _exit(0);
}

/* What is written at once to a pipe, and is this small, comes at once. */
static void collect(int in, size_t size, tally *sum)
{
    for (size_t i = 0; i < size; i++) {
        tally one;

        if (read(in, &one, sizeof one) != (ssize_t)sizeof one)
            peer_die("one of the processes failed");
        add(sum, &one);
        memcpy(sum->agreed, one.agreed, sizeof one.agreed);
    }
    while (wait(NULL) > 0)
        continue;
}

void serve_processes(const job *j, tally *counted)
{
    size_t size = crew_size(j);
    int out[2];

    if (pipe(out) != 0)
        peer_die("no pipe");
    for (size_t i = 0; i < size; i++)
        fork_one(j, serve, -1, out[1]);
    close(out[1]);
    collect(out[0], size, counted);
}

/* The client's processes tell that they are warm with a byte, and wait for the end of the other pipe. */
static int warm[2];
static int go_now[2];

static void connect_many(const job *j, tally *counted)
{
    char byte = WARM;

    start(counted);
    for (int i = 0; i < 2; i++)
        connect_once(j, WARM, false, counted);
    if (write(warm[1], &byte, 1) != 1 || read(go_now[0], &byte, 1) != 0)
        peer_die("cannot begin");
    start(counted);
    for (bool last = false; !last; counted->count++) {
        last = time_is_over(counted, j->seconds);
        connect_once(j, COUNT, false, counted);
    }
    stop(counted);
}

void connect_crew(const job *j, tally *counted)
{
    size_t size = crew_size(j) * 2 + 2;
    int out[2];
    char byte;

    if (pipe(warm) != 0 || pipe(go_now) != 0 || pipe(out) != 0)
        peer_die("no pipe");
    for (size_t i = 0; i < size; i++)
        fork_one(j, connect_many, go_now[1], out[1]);
    close(out[1]);
    close(warm[1]);
    for (size_t i = 0; i < size; i++) {
        if (read(warm[0], &byte, 1) != 1)
            peer_die("one of the processes failed");
    }
    close(go_now[1]);
    collect(out[0], size, counted);
    /* Counted by the server as well. */
    connect_once(j, LAST, false, &(tally){.clock = CLOCK_PROCESS_CPUTIME_ID});
    counted->count++;
}
