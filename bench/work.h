/* work.h: what the two ends of each work share. */
#ifndef CINCH_BENCH_WORK_H
#define CINCH_BENCH_WORK_H

#include "peer.h"

#include <stdint.h>
#include <time.h>

/* Bytes that say what to do. Those of bulk data are 0. */
enum {
    WARM = 'w',  /* count from the next one on */
    COUNT = '+', /* one more */
    LAST = '.',
};

typedef struct job {
    double seconds;
    size_t number; /* bytes per write or there and back, or threads or processes */
    bool resume;
    const peer_settings *settings;
    int listener; /* the server's */
    int port;     /* the client's */
} job;

/* What is counted, and how long it took by both clocks. */
typedef struct tally {
    clockid_t clock; /* of the processor's time */
    uint64_t count;
    double wall;
    double cpu;
    double memory; /* idle: bytes per connection */
    double first;  /* context: what the first one took */
    char agreed[128];
} tally;

void start(tally *counted);
void stop(tally *counted);
/* What is between the two does not count. */
void go_on(tally *counted);
bool time_is_over(const tally *counted, double seconds);

/* A connected socket, of the server and of the client; -1 if the listener was shut down. */
int welcome(const job *j);
int reach(const job *j);

void read_all(void *conn, char *buf, size_t size);
/* Nothing but the end. */
void read_end(void *conn);
/* Notes what was agreed on; ends the process if it is not as it should be. */
void check(tally *counted, void *conn, bool resumed);
/* One connection with a byte there and back. */
void connect_once(const job *j, char byte, bool resumed, tally *counted);
/* The server's side of one; false if the listener was shut down. */
bool serve_once(const job *j, char *byte);

void serve_bulk(const job *j, tally *counted);
void connect_bulk(const job *j, tally *counted);
void serve_trips(const job *j, tally *counted);
void connect_trips(const job *j, tally *counted);
void serve_handshakes(const job *j, tally *counted);
void connect_handshakes(const job *j, tally *counted);
void serve_idle(const job *j, tally *counted);
void connect_idle(const job *j, tally *counted);
void serve_threads(const job *j, tally *counted);
void serve_processes(const job *j, tally *counted);
void connect_crew(const job *j, tally *counted);
void make_contexts(bool ready, tally *counted);

#endif
