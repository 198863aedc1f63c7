/* work_handshakes.c: one connection after the other, many at a time, and none: only what it needs. */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WARM_IDLE = 50,
    IDLE = 400, /* connections that are open at a time */
    MOST_USED = 16 << 10,
    CONTEXTS = 200,
};

/* ---- full, resumed, default, mutual: one after the other, with a byte there and back ---- */

void serve_handshakes(const job *j, tally *counted)
{
    char byte = WARM;

    start(counted);
    while (byte != LAST && serve_once(j, &byte)) {
        if (byte == WARM)
            start(counted);
        else
            counted->count++;
    }
    stop(counted);
}

void connect_handshakes(const job *j, tally *counted)
{
    start(counted);
    connect_once(j, WARM, false, counted);
    connect_once(j, WARM, j->resume, counted);
    start(counted);
    for (bool last = false; !last; counted->count++) {
        last = time_is_over(counted, j->seconds);
        connect_once(j, last ? LAST : COUNT, j->resume, counted);
    }
    stop(counted);
}

/* ---- idle: many connections that were used and do nothing ---- */

static double resident(void)
{
    FILE *in = fopen("/proc/self/statm", "r");
    char line[128] = "";
    char *second;

    if (in == NULL || fgets(line, sizeof line, in) == NULL || (second = strchr(line, ' ')) == NULL)
        peer_die("cannot tell the memory in use");
    (void)fclose(in);
    return strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE);
}

/* The first ones pay for what all share. */
static void hold(const job *j, bool server, tally *counted)
{
    static char data[MOST_USED];
    void *conns[IDLE];
    int fds[IDLE];
    double before = 0;

    if (j->number > sizeof data)
        peer_die("that are too many bytes");
    start(counted);
    for (int i = 0; i < IDLE; i++) {
        if (i == WARM_IDLE)
            before = resident();
        fds[i] = server ? welcome(j) : reach(j);
        conns[i] = the_peer.open(fds[i]);
        if (!server)
            the_peer.write(conns[i], data, j->number);
        read_all(conns[i], data, j->number);
        if (server)
            the_peer.write(conns[i], data, j->number);
    }
    counted->memory = (resident() - before) / (IDLE - WARM_IDLE);
    counted->count = IDLE;
    stop(counted);
    if (!server)
        check(counted, conns[0], false);
    for (int i = 0; i < IDLE; i++) {
        if (server)
            read_end(conns[i]);
        the_peer.close(conns[i]);
        close(fds[i]);
    }
}

void serve_idle(const job *j, tally *counted)
{
    hold(j, true, counted);
}

void connect_idle(const job *j, tally *counted)
{
    hold(j, false, counted);
}

/* ---- context, ready: the first in this process, and later ones ---- */

void make_contexts(bool ready, tally *counted)
{
    start(counted);
    the_peer.context(ready);
    stop(counted);
    counted->first = counted->cpu;
    start(counted);
    for (int i = 0; i < CONTEXTS; i++) {
        the_peer.context(ready);
        counted->count++;
        /* Where each of them reads all authorities, a few will do. */
        if (i >= 4 && time_is_over(counted, 0.5))
            break;
    }
    stop(counted);
}
