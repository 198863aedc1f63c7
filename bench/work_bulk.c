/* work_bulk.c: bulk, where the server writes as much as it can; and trips, 64 bytes there and back. */
#include "work.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    WARM_BYTES = 4 << 20,
    LOOK_BYTES = 64 << 10, /* how much is written between looks at the clock */
    LEAST_SPACE = 16 << 10,
    TRIP_BYTES = 64,
    WARM_TRIPS = 200,
};

static uint64_t write_bulk(void *conn, const job *j, const char *data, uint64_t least,
                           const tally *counted)
{
    uint64_t sent = 0;
    uint64_t look = least;

    for (;;) {
        the_peer.write(conn, data, j->number);
        sent += j->number;
        if (sent < look)
            continue;
        if (counted == NULL || time_is_over(counted, j->seconds))
            return sent;
        look = sent + LOOK_BYTES;
    }
}

void serve_bulk(const job *j, tally *counted)
{
    int fd = welcome(j);
    void *conn = the_peer.open(fd);
    char *data = calloc(1, j->number);
    char byte = WARM;

    if (data == NULL)
        peer_die("out of memory");
    write_bulk(conn, j, data, WARM_BYTES, NULL);
    the_peer.write(conn, &byte, 1);
    read_all(conn, &byte, 1);
    start(counted);
    counted->count = write_bulk(conn, j, data, 1, counted);
    byte = LAST;
    the_peer.write(conn, &byte, 1);
    read_end(conn);
    stop(counted);
    the_peer.close(conn);
    close(fd);
    free(data);
}

/* To a byte that is not 0, which does not count. */
static uint64_t read_bulk(void *conn, char *space, size_t size)
{
    uint64_t total = 0;
    size_t n;

    do {
        n = the_peer.read(conn, space, size);
        if (n == 0)
            peer_die("the other end wrote too little");
        total += n;
    } while (space[n - 1] == 0);
    return total - 1;
}

void connect_bulk(const job *j, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);
    size_t size = j->number < LEAST_SPACE ? LEAST_SPACE : j->number;
    char *space = malloc(size);
    char byte = COUNT;

    if (space == NULL)
        peer_die("out of memory");
    check(counted, conn, false);
    (void)read_bulk(conn, space, size);
    start(counted);
    the_peer.write(conn, &byte, 1);
    counted->count = read_bulk(conn, space, size);
    stop(counted);
    the_peer.close(conn);
    close(fd);
    free(space);
}

void serve_trips(const job *j, tally *counted)
{
    int fd = welcome(j);
    void *conn = the_peer.open(fd);
    char data[TRIP_BYTES];

    do {
        read_all(conn, data, sizeof data);
        the_peer.write(conn, data, sizeof data);
        if (data[0] == WARM)
            start(counted);
        else
            counted->count++;
    } while (data[0] != LAST);
    stop(counted);
    read_end(conn);
    the_peer.close(conn);
    close(fd);
}

static void trip(void *conn, char what)
{
    char data[TRIP_BYTES] = {what};

    the_peer.write(conn, data, sizeof data);
    read_all(conn, data, sizeof data);
}

void connect_trips(const job *j, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);

    check(counted, conn, false);
    for (int i = 0; i < WARM_TRIPS; i++)
        trip(conn, WARM);
    start(counted);
    for (bool last = false; !last; counted->count++) {
        last = time_is_over(counted, j->seconds);
        trip(conn, last ? LAST : COUNT);
    }
    stop(counted);
    the_peer.close(conn);
    close(fd);
}
