/*
 * socket.h: the inside of an SSL object: a connection of libcinch, and where its bytes come from and
 * go to: the descriptor of a Python socket, or two MemoryBIOs.
 *
 * The GIL is released around everything that libcinch does. A lock of its own makes a connection safe
 * for several threads; it is never held while waiting for the network, so that one thread may write
 * while another waits for data. Callbacks into Python come with the lock held by their own thread,
 * which may take it again.
 */
#ifndef CINCH_PYTHON_SOCKET_H
#define CINCH_PYTHON_SOCKET_H

#include "context.h"

#define RECORD_HEAD 5

typedef struct socket_object {
    PyObject_HEAD context_object *context;
    cinch_conn *conn; /* NULL where there can be no handshake: PROBLEM says why */
    cinch_error *problem;
    pthread_mutex_t
        lock;         /* recursive; after the GIL has been released, never the other way round */
    PyObject *socket; /* weak reference, NULL with MemoryBIOs */
    PyObject *incoming;
    PyObject *outgoing;
    PyObject *owner; /* weak reference, or NULL */
    PyObject *server_hostname;
    PyObject *session; /* SSLSession that was given, or NULL */
    PyObject *chosen;  /* by the SNI callback; the handshake needs it until its end */
    PyObject *message_callback;
    key_log *log;
    int server_side;
    int used; /* some call has been made: the connection stays the one that it is */
    int begun;
    int done;   /* the handshake is */
    int closed; /* shutdown() was called */
    /*
     * What is needed to complete the record on the way, and no more is ever taken from a socket: what
     * follows must stay where select() sees it (RFC 8446, 5.1, has the head).
     */
    unsigned char head[RECORD_HEAD];
    size_t head_size;
    size_t body_left;
    unsigned records; /* that are here in full, counted */
    size_t unsent;    /* of a write that could not leave in full, and was not told of yet */
    unsigned char
        *kept; /* data that came before the socket broke, and was looked past for an alert */
    size_t kept_size;
} socket_object;

static inline socket_object *as_socket(PyObject *object)
{
    return (socket_object *)object;
}

/*
 * A call on a connection: from its beginning to its end this thread has the connection's lock (but
 * while it waits for the network) and not the GIL (but in callbacks).
 */
typedef struct call {
    socket_object *self;
    module_state *state;
    struct call *outer; /* a callback may use another connection */
    PyThreadState *thread;
    int fd;              /* -1 with MemoryBIOs */
    int waits;           /* the socket is not non-blocking */
    int waiting;         /* for the network, without the lock */
    int64_t deadline;    /* of the monotonic clock in microseconds, -1 for none */
    size_t spare;        /* room for data, so that more than one record may be taken */
    int broken;          /* errno, once the socket gave up */
    int interrupted;     /* a signal's handler has raised an exception */
    PyObject *raised[3]; /* by the message callback, the first time: type, value, traceback */
    cinch_error err;
} call;

void call_begin(call *c, module_state *state, socket_object *self);
void call_end(call *c);
call *call_now(void); /* the innermost one of this thread, or NULL */
void call_into_python(call *c);
void call_out_of_python(call *c);

/*
 * socket_hold takes the lock for looking at SELF with the GIL, until socket_let_go: another thread may be
 * reading, and what is looked at change under it.
 */
void socket_hold(socket_object *self);
void socket_let_go(socket_object *self);

/* socket_call.c */

/*
 * call_open begins a call on the socket OBJECT, with the descriptor and timeout that it has now. 0, or
 * -1 with an exception set. call_close ends it, and has the GIL again: STATUS, or CINCH_FAILED if a
 * message callback has raised an exception, which is set then.
 */
int call_open(call *c, PyObject *object);
cinch_status call_close(call *c, cinch_status status);

/* One try at something; CINCH_WANT_READ and CINCH_WANT_WRITE ask for another. */
typedef cinch_status (*call_step)(call *c, void *arg);

/*
 * call_run does WHAT until it is done or cannot be. What has to leave does before it returns if MUST;
 * else as far as it goes.
 */
cinch_status call_run(call *c, call_step what, void *arg, int must);

/* call_read_more adds to *N bytes read what else is here already and fits into SIZE. */
void call_read_more(call *c, unsigned char *bytes, size_t size, size_t *n);

/*
 * call_last_words looks for an alert after sending has failed: the peer may have said why it hung up.
 * Data before it is kept for call_take_kept(), which gives how much of it went into TO.
 */
cinch_status call_last_words(call *c);
size_t call_take_kept(call *c, unsigned char *to, size_t size);

/* call_raise raises the exception for STATUS, which is not CINCH_OK; the call has ended. NULL. */
PyObject *call_raise(const call *c, cinch_status status, const char *what);

/* socket.c */
/* A new reference to what WEAK points to, or NULL without an exception. */
PyObject *strong_reference(PyObject *weak);
socket_object *socket_of(const SSL *ssl); /* NULL for one that is not ours */
PyObject *socket_owner_or_self(socket_object *self);

/* socket_io.c */
PyObject *socket_do_handshake(PyObject *self, PyObject *unused);
PyObject *socket_read(PyObject *self, PyObject *args);
PyObject *socket_write(PyObject *self, PyObject *data);
PyObject *socket_shutdown(PyObject *self, PyObject *unused);
PyObject *socket_pending(PyObject *self, PyObject *unused);
PyObject *socket_verify_client(PyObject *self, PyObject *unused);

/* socket_info.c */
extern PyMethodDef socket_info_methods[];

/* session.c */
PyObject *socket_get_session(PyObject *self, void *unused);
int socket_set_session(PyObject *self, PyObject *value, void *unused);
/* Offers the session that was given, before the handshake begins. */
void session_offer(socket_object *self);

#endif
