/* peer.c: what to do, from the command line; and what came out of it, as JSON. */
#include "peer.h"
#include "work.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    NOT_POSSIBLE = 3, /* exit status: bench/run leaves this work out */
};

static const struct work {
    const char *name;
    void (*serve)(const job *, tally *);
    void (*connect)(const job *, tally *);
} works[] = {
    {"bulk", serve_bulk, connect_bulk},
    {"trips", serve_trips, connect_trips},
    {"full", serve_handshakes, connect_handshakes},
    {"resumed", serve_handshakes, connect_handshakes},
    {"default", serve_handshakes, connect_handshakes},
    {"mutual", serve_handshakes, connect_handshakes},
    {"idle", serve_idle, connect_idle},
    {"threads", serve_threads, connect_crew},
    {"processes", serve_processes, connect_crew},
};

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

static _Noreturn void usage(void)
{
    fputs(
        "usage: server|client WORK 1.2|1.3|any aes128|aes256|chacha|any KEY DIR SECONDS NUMBER [PORT]\n"
        "       context|ready\n",
        stderr);
    exit(2);
}

static void print(const tally *counted)
{
    printf("{\"about\": \"%s\", \"agreed\": \"%s\", \"count\": %llu, \"seconds\": %.9f, "
           "\"cpu\": %.9f, \"memory\": %.0f, \"first\": %.9f}\n",
           the_peer.about(), counted->agreed, (unsigned long long)counted->count, counted->wall,
           counted->cpu, counted->memory, counted->first);
}

static void listen_here(job *j)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;

    j->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (j->listener < 0 || bind(j->listener, (struct sockaddr *)&here, size) != 0 ||
        listen(j->listener, 128) != 0 ||
        getsockname(j->listener, (struct sockaddr *)&here, &size) != 0)
        peer_die("cannot listen");
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
}

static const struct work *find_work(const char *name)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++) {
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    }
    usage();
}

static void name_files(peer_settings *settings, const char *dir, const char *key)
{
    const char *whose = settings->server ? "" : "client-";

    snprintf(settings->ca, sizeof settings->ca, "%s/%s-ca.pem", dir, key);
    settings->rsa = strncmp(key, "rsa", 3) == 0;
    if (!settings->server && !settings->mutual)
        return;
    snprintf(settings->cert, sizeof settings->cert, "%s/%s%s.crt", dir, whose, key);
    snprintf(settings->key, sizeof settings->key, "%s/%s%s.key", dir, whose, key);
}

static peer_settings understand(char **argv)
{
    peer_settings settings = {.server = strcmp(argv[1], "server") == 0};

    settings.plain = strcmp(argv[2], "default") == 0;
    settings.resume = strcmp(argv[2], "resumed") == 0;
    settings.mutual = strcmp(argv[2], "mutual") == 0;
    if (!settings.plain) {
        settings.version = strcmp(argv[3], "1.2") == 0 ? 12 : 13;
        settings.suite = strcmp(argv[4], "aes256") == 0   ? PEER_AES256
                         : strcmp(argv[4], "chacha") == 0 ? PEER_CHACHA
                                                          : PEER_AES128;
    }
    name_files(&settings, argv[6], argv[5]);
    return settings;
}

static int one_end(int argc, char **argv)
{
    const struct work *work = find_work(argv[2]);
    const peer_settings settings = understand(argv);
    tally counted = {.clock = CLOCK_PROCESS_CPUTIME_ID};
    job j = {.seconds = strtod(argv[7], NULL),
             .number = strtoul(argv[8], NULL, 10),
             .resume = settings.resume,
             .settings = &settings,
             .port = argc > 9 ? (int)strtol(argv[9], NULL, 10) : 0};

    if (j.number == 0 || settings.server != (argc == 9))
        usage();
    if (work->serve == serve_threads && !the_peer.threads)
        return NOT_POSSIBLE;
    if (!the_peer.prepare(&settings))
        return NOT_POSSIBLE;
    if (settings.server)
        listen_here(&j);
    (settings.server ? work->serve : work->connect)(&j, &counted);
    print(&counted);
    return 0;
}

int main(int argc, char **argv)
{
    tally counted = {.clock = CLOCK_PROCESS_CPUTIME_ID};

    if (argc == 2 && (strcmp(argv[1], "context") == 0 || strcmp(argv[1], "ready") == 0)) {
        if (the_peer.context == NULL)
            return NOT_POSSIBLE;
        make_contexts(strcmp(argv[1], "ready") == 0, &counted);
        print(&counted);
        return 0;
    }
    if (argc < 9 || argc > 10)
        usage();
    return one_end(argc, argv);
}
