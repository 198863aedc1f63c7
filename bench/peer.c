/* peer.c: the work, the sockets and the clocks. */
#include "peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Bytes that say what to do. Those of bulk data are 0. */
enum {
    WARM = 'w',  /* count from the next one on */
    COUNT = '+', /* one more */
    LAST = '.',
};

enum {
    WARM_BYTES = 4 << 20,
    LOOK_BYTES = 64 << 10, /* how much is written between looks at the clock */
    LEAST_SPACE = 16 << 10,
    TRIP_BYTES = 64,
    WARM_TRIPS = 200,
    WARM_IDLE = 50,
    IDLE = 400,       /* connections that are open at a time */
    NOT_POSSIBLE = 3, /* exit status: bench/run leaves this work out */
};

typedef struct job {
    const char *work;
    double seconds;
    size_t size;
    int listener; /* the server's */
    int port;     /* the client's */
    bool resume;
} job;

/* What is counted, and how long it took by both clocks. */
typedef struct tally {
    uint64_t count;
    double wall;
    double cpu;
    double memory; /* idle: bytes per connection */
} tally;

static char agreed[128];

void peer_die(const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", the_peer.about());
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec time = {0};

    (void)clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void start(tally *counted)
{
    counted->count = 0;
    counted->wall = -now(CLOCK_MONOTONIC);
    counted->cpu = -now(CLOCK_PROCESS_CPUTIME_ID);
}

static void stop(tally *counted)
{
    counted->cpu += now(CLOCK_PROCESS_CPUTIME_ID);
    counted->wall += now(CLOCK_MONOTONIC);
}

/* What is between the two does not count. */
static void pause_here(tally *counted)
{
    stop(counted);
}

static void go_on(tally *counted)
{
    counted->cpu -= now(CLOCK_PROCESS_CPUTIME_ID);
    counted->wall -= now(CLOCK_MONOTONIC);
}

static bool time_is_over(const tally *counted, double seconds)
{
    return counted->wall + now(CLOCK_MONOTONIC) >= seconds;
}

static int no_delay(int fd)
{
    int on = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        peer_die("no connection");
    return fd;
}

static void listen_here(job *j)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;

    j->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (j->listener < 0 || bind(j->listener, (struct sockaddr *)&here, size) != 0 ||
        listen(j->listener, 16) != 0 ||
        getsockname(j->listener, (struct sockaddr *)&here, &size) != 0)
        peer_die("cannot listen");
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
}

static int reach(const job *j)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)j->port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&there, sizeof there) != 0)
        peer_die("cannot connect");
    return no_delay(fd);
}

static void read_all(void *conn, char *buf, size_t size)
{
    while (size > 0) {
        size_t n = the_peer.read(conn, buf, size);

        if (n == 0)
            peer_die("the other end wrote too little");
        buf += n;
        size -= n;
    }
}

static void read_end(void *conn)
{
    char byte;

    if (the_peer.read(conn, &byte, 1) != 0)
        peer_die("the other end wrote too much");
}

static void check(void *conn, bool wanted)
{
    bool resumed = false;
    const char *suite = the_peer.agreed(conn, &resumed);

    snprintf(agreed, sizeof agreed, "%s", suite);
    if (resumed != wanted)
        peer_die("the handshake was %s", resumed ? "resumed" : "not resumed");
}

/* ---- bulk: the server writes as much as it can ---- */

static uint64_t write_bulk(void *conn, const job *j, const char *data, uint64_t least,
                           const tally *counted)
{
    uint64_t sent = 0;
    uint64_t look = least;

    for (;;) {
        the_peer.write(conn, data, j->size);
        sent += j->size;
        if (sent < look)
            continue;
        if (counted == NULL || time_is_over(counted, j->seconds))
            return sent;
        look = sent + LOOK_BYTES;
    }
}

static void serve_bulk(const job *j, tally *counted)
{
    int fd = no_delay(accept(j->listener, NULL, NULL));
    void *conn = the_peer.open(fd);
    char *data = calloc(1, j->size);
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

static void connect_bulk(const job *j, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);
    size_t size = j->size < LEAST_SPACE ? LEAST_SPACE : j->size;
    char *space = malloc(size);
    char byte = COUNT;

    if (space == NULL)
        peer_die("out of memory");
    check(conn, false);
    (void)read_bulk(conn, space, size);
    start(counted);
    the_peer.write(conn, &byte, 1);
    counted->count = read_bulk(conn, space, size);
    stop(counted);
    the_peer.close(conn);
    close(fd);
    free(space);
}

/* ---- trips: 64 bytes there and back ---- */

static void serve_trips(const job *j, tally *counted)
{
    int fd = no_delay(accept(j->listener, NULL, NULL));
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

static void connect_trips(const job *j, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);

    check(conn, false);
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

/* ---- full, resumed: one connection after the other, with a byte there and back ---- */

static void serve_handshakes(const job *j, tally *counted)
{
    char byte;

    start(counted);
    do {
        int fd = no_delay(accept(j->listener, NULL, NULL));
        void *conn = the_peer.open(fd);

        read_all(conn, &byte, 1);
        the_peer.write(conn, &byte, 1);
        read_end(conn);
        the_peer.close(conn);
        close(fd);
        if (byte == WARM)
            start(counted);
        else
            counted->count++;
    } while (byte != LAST);
    stop(counted);
}

static void connect_once(const job *j, char byte, bool resumed, tally *counted)
{
    int fd = reach(j);
    void *conn = the_peer.open(fd);

    the_peer.write(conn, &byte, 1);
    read_all(conn, &byte, 1);
    /* The server waits for our end by now. */
    pause_here(counted);
    check(conn, resumed);
    go_on(counted);
    the_peer.close(conn);
    close(fd);
}

static void connect_handshakes(const job *j, tally *counted)
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
    char *second = line;

    if (in == NULL || fgets(line, sizeof line, in) == NULL || (second = strchr(line, ' ')) == NULL)
        peer_die("cannot tell the memory in use");
    (void)fclose(in);
    return strtod(second, NULL) * (double)sysconf(_SC_PAGESIZE);
}

/* The first ones pay for what all share. */
static void hold(const job *j, bool server, tally *counted)
{
    void *conns[IDLE];
    int fds[IDLE];
    double before = 0;

    start(counted);
    for (int i = 0; i < IDLE; i++) {
        char byte = COUNT;

        if (i == WARM_IDLE)
            before = resident();
        fds[i] = server ? no_delay(accept(j->listener, NULL, NULL)) : reach(j);
        conns[i] = the_peer.open(fds[i]);
        if (!server)
            the_peer.write(conns[i], &byte, 1);
        read_all(conns[i], &byte, 1);
        if (server)
            the_peer.write(conns[i], &byte, 1);
    }
    counted->memory = (resident() - before) / (IDLE - WARM_IDLE);
    counted->count = IDLE;
    stop(counted);
    for (int i = 0; i < IDLE; i++) {
        if (server)
            read_end(conns[i]);
        the_peer.close(conns[i]);
        close(fds[i]);
    }
}

static void serve_idle(const job *j, tally *counted)
{
    hold(j, true, counted);
}

static void connect_idle(const job *j, tally *counted)
{
    hold(j, false, counted);
}

static void usage(void)
{
    fputs("usage: server|client bulk|trips|full|resumed|idle 1.2|1.3 DIR KEY SECONDS SIZE [PORT]\n",
          stderr);
    exit(2);
}

static void name_files(peer_settings *settings, const char *dir, const char *key)
{
    snprintf(settings->ca, sizeof settings->ca, "%s/ca.pem", dir);
    snprintf(settings->cert, sizeof settings->cert, "%s/%s.crt", dir, key);
    snprintf(settings->key, sizeof settings->key, "%s/%s.key", dir, key);
    settings->rsa = strncmp(key, "rsa", 3) == 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*serve)(const job *, tally *);
        void (*connect)(const job *, tally *);
    } works[] = {{"bulk", serve_bulk, connect_bulk},
                 {"trips", serve_trips, connect_trips},
                 {"full", serve_handshakes, connect_handshakes},
                 {"resumed", serve_handshakes, connect_handshakes},
                 {"idle", serve_idle, connect_idle}};
    const size_t work_count = sizeof works / sizeof works[0];
    peer_settings settings = {0};
    tally counted = {0};
    job j = {0};
    size_t i = 0;

    if (argc < 8 || argc > 9)
        usage();
    settings.server = strcmp(argv[1], "server") == 0;
    settings.version = strcmp(argv[3], "1.2") == 0 ? 12 : 13;
    settings.resume = strcmp(argv[2], "resumed") == 0;
    name_files(&settings, argv[4], argv[5]);
    j = (job){.work = argv[2], .seconds = strtod(argv[6], NULL), .resume = settings.resume};
    j.size = strtoul(argv[7], NULL, 10);
    j.port = argc > 8 ? (int)strtol(argv[8], NULL, 10) : 0;
    while (i < work_count && strcmp(works[i].name, j.work) != 0)
        i++;
    if (i == work_count || j.size == 0 || settings.server != (argc == 8))
        usage();
    if (!the_peer.prepare(&settings))
        return NOT_POSSIBLE;
    if (settings.server)
        listen_here(&j);
    (settings.server ? works[i].serve : works[i].connect)(&j, &counted);
    printf("{\"about\": \"%s\", \"agreed\": \"%s\", \"count\": %llu, \"seconds\": %.9f, "
           "\"cpu\": %.9f, \"memory\": %.0f}\n",
           the_peer.about(), agreed, (unsigned long long)counted.count, counted.wall, counted.cpu,
           counted.memory);
    return 0;
}
