/* bind.c: the sockets of a listener. */
#include "stream/listener.h"

#include "base/fail.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 511
/* How often a free port is looked for that all the addresses have free. */
#define PORT_TRIES 16

static cinch_status resolve(cinch_answer *answer, const char *host, cinch_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    cinch_host parsed;

    if (host != NULL) {
        cinch_status status = cinch_host_parse(&parsed, host, err);

        if (status != CINCH_OK)
            return status;
        host = parsed.text;
    }
    /* Without a name the service has to be there; "0" stands for the port that is set later. */
    errno = 0;
    int error = getaddrinfo(host, host == NULL ? "0" : NULL, &hints, &list);
    int number = cinch_resolve_errno(error);
    if (error != 0 && error != EAI_MEMORY && host != NULL &&
        cinch_answer_local(answer, host, AF_INET))
        return CINCH_OK;
    if (error == EAI_MEMORY)
        return cinch_fail_memory(err, "looking for addresses to listen on");
    if (error != 0) {
        cinch_fail(err, cinch_system_short(number) ? CINCH_CAUSE_SYSTEM : CINCH_CAUSE_DNS,
                   "\"%s\" has no address to listen on", host != NULL ? host : "this machine");
        cinch_fail_evidence(err, "%s", gai_strerror(error));
        cinch_system_fail(err, number);
        return CINCH_FAILED;
    }
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        cinch_address address = {.size = one->ai_addrlen};

        if ((one->ai_family != AF_INET && one->ai_family != AF_INET6) ||
            one->ai_addrlen > sizeof address.u)
            continue;
        memcpy(&address.u, one->ai_addr, one->ai_addrlen);
        cinch_answer_add(answer, &address);
    }
    freeaddrinfo(list);
    return CINCH_OK;
}

/* A listening socket, or -1 with errno. */
static int open_socket(const cinch_address *address)
{
    int on = 1;
    int fd = socket(address->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    /* A server that is started again must not wait for its old connections to time out. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (address->u.any.sa_family != AF_INET6 ||
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
        bind(fd, &address->u.any, address->size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int number = errno;
    close(fd);
    errno = number;
    return -1;
}

static cinch_status cannot_listen(const cinch_address *address, int number, cinch_error *err)
{
    char text[CINCH_ADDRESS_TEXT], words[128];
    cinch_cause cause = number == EADDRINUSE || number == EACCES || number == EADDRNOTAVAIL ||
                                number == EAFNOSUPPORT
                            ? CINCH_CAUSE_NETWORK
                            : CINCH_CAUSE_SYSTEM;

    cinch_address_text(&address->u.any, address->size, text);
    if (number == EADDRINUSE) {
        cinch_fail(err, cause, "cannot listen on %s: the port is in use", text);
        cinch_fail_remedy(err, "stop the program that uses it (`ss -ltnp` names it), or choose "
                               "another port; port 0 takes any that is free");
    } else if (number == EACCES) {
        cinch_fail(err, cause, "cannot listen on %s: this user may not use the port", text);
        cinch_fail_remedy(err, "choose a port from 1024 on, or give the program the capability "
                               "CAP_NET_BIND_SERVICE");
    } else if (number == EADDRNOTAVAIL) {
        cinch_fail(err, cause, "cannot listen on %s: this machine does not have that address",
                   text);
        cinch_fail_remedy(err, "give one of this machine's addresses (`ip address` lists them), or "
                               "none for all of them");
    } else {
        cinch_fail(err, cause, "cannot listen on %s: %s", text,
                   cinch_system_text(number, words, sizeof words));
        cinch_fail_remedy(err, "look at what the system said, and at its limits");
    }
    cinch_system_fail(err, number);
    return CINCH_FAILED;
}

cinch_status cinch_listener_note(cinch_listener *listener, int fd, cinch_error *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof bound;
    cinch_address address;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0) {
        int number = errno;

        cinch_fail(err, CINCH_CAUSE_SYSTEM, "the address of descriptor %d cannot be had", fd);
        cinch_fail_system(err, number);
        return CINCH_FAILED;
    }
    if (cinch_listener_ready_add(listener, fd, err) != CINCH_OK)
        return CINCH_FAILED;
    listener->fds[listener->count] = fd;
    cinch_address_text((const struct sockaddr *)&bound, size, listener->addresses[listener->count]);
    listener->count++;
    if ((bound.ss_family == AF_INET || bound.ss_family == AF_INET6) && listener->port < 0) {
        memcpy(&address.u, &bound, sizeof address.u);
        listener->port = cinch_address_port(&address);
    }
    return CINCH_OK;
}

static void close_all(cinch_listener *listener)
{
    for (size_t i = 0; i < listener->count; i++) {
        cinch_listener_ready_drop(listener, listener->fds[i]);
        close(listener->fds[i]);
    }
    listener->count = 0;
    listener->port = -1;
}

/* A name may have an address of a kind that this machine does not speak; another one is enough. */
static int can_do_without(int number)
{
    return number == EAFNOSUPPORT || number == EADDRNOTAVAIL;
}

/* Binds every address to PORT, or to the one that the first gets. 0, or errno with *FAILED set. */
static int bind_once(cinch_listener *listener, cinch_answer *answer, uint16_t port,
                     const cinch_address **failed, cinch_error *err)
{
    int first_error = 0;

    for (size_t i = 0; i < answer->count; i++) {
        cinch_address *address = &answer->list[i];

        cinch_address_set_port(address, listener->port > 0 ? (uint16_t)listener->port : port);
        int fd = open_socket(address);
        if (fd < 0 && can_do_without(errno)) {
            if (first_error == 0) {
                first_error = errno;
                *failed = address;
            }
            continue;
        }
        if (fd < 0) {
            *failed = address;
            return errno;
        }
        if (cinch_listener_note(listener, fd, err) != CINCH_OK) {
            close(fd);
            return 0;
        }
    }
    return listener->count == 0 ? first_error : 0;
}

cinch_status cinch_bind_all(cinch_listener *listener, const char *host, const char *port,
                            cinch_error *err)
{
    cinch_answer answer = {0};
    const cinch_address *failed = NULL;
    uint16_t number;
    cinch_status status = cinch_port_parse(&number, port, 1, err);

    if (status == CINCH_OK)
        status = resolve(&answer, host, err);
    if (status != CINCH_OK)
        return status;
    for (int tries = 0;; tries++) {
        int error = bind_once(listener, &answer, number, &failed, err);

        if (error == 0)
            break;
        close_all(listener);
        /* The port that was free on the first address is taken on another: look for a new one. */
        if (error == EADDRINUSE && number == 0 && tries < PORT_TRIES)
            continue;
        return cannot_listen(failed, error, err);
    }
    if (listener->count > 0 && !cinch_error_is_set(err))
        return CINCH_OK;
    return cinch_fail(err, CINCH_CAUSE_NETWORK, "there is no address to listen on");
}
