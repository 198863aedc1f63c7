/* starttls.c: the dialogue before TLS on a socket, for clients and for servers. */
#include "stream/upgrade.h"

#include "base/fail.h"
#include "starttls/upgrade.h"
#include "stream/dial.h"
#include "stream/stream.h"

#include <errno.h>
#include <poll.h>

/* What an injection has to show of itself. */
enum {
    LOOK_AT = 1024
};

static ssize_t receive(int fd, void *buf, size_t size, int flags)
{
    ssize_t got;

    do
        got = recv(fd, buf, size, MSG_DONTWAIT | flags);
    while (got < 0 && errno == EINTR);
    return got;
}

static cinch_status broke(int number, cinch_error *err)
{
    char text[128];

    if (number == ECONNRESET || number == EPIPE || number == ECONNABORTED)
        cinch_fail(err, CINCH_CAUSE_RESET, "the connection was reset by the peer before TLS began");
    else
        cinch_fail(err, CINCH_CAUSE_NETWORK, "the connection broke before TLS began: %s",
                   cinch_system_text(number, text, sizeof text));
    cinch_fail_system(err, number);
    return CINCH_FAILED;
}

/* Sends SIZE bytes. CINCH_OK; CINCH_TIMEOUT without an error set; or it failed. */
static cinch_status send_all(int fd, const void *bytes, size_t size, int64_t deadline,
                             cinch_error *err)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent >= 0) {
            at += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            int ready = cinch_wait(fd, POLLOUT, deadline);

            if (ready == 0)
                return CINCH_TIMEOUT;
            if (ready < 0)
                return broke(errno, err);
        } else if (errno != EINTR) {
            return broke(errno, err);
        }
    }
    return CINCH_OK;
}

static cinch_status say(cinch_upgrade *upgrade, int fd, int64_t deadline, cinch_error *err)
{
    const void *bytes = NULL;
    size_t size = 0;
    cinch_status status = cinch_upgrade_send_bytes(upgrade, &bytes, &size, err);

    if (status == CINCH_OK)
        status = send_all(fd, bytes, size, deadline, err);
    return status == CINCH_OK ? cinch_upgrade_send_consume(upgrade, size, err) : status;
}

static cinch_status listen_once(cinch_upgrade *upgrade, int fd, int64_t deadline, cinch_error *err)
{
    unsigned char buf[LOOK_AT];
    int ready = cinch_wait(fd, POLLIN, deadline);

    if (ready == 0)
        return CINCH_TIMEOUT;
    if (ready < 0)
        return broke(errno, err);
    ssize_t got = receive(fd, buf, sizeof buf, 0);
    if (got > 0)
        return cinch_upgrade_receive(upgrade, buf, (size_t)got, err);
    if (got == 0)
        return cinch_upgrade_end(upgrade, err);
    return errno == EAGAIN ? CINCH_WANT_READ : broke(errno, err);
}

/*
 * A server of TLS is silent until the client says hello, so whatever waits here was sent in the clear.
 * What comes later cannot be told from TLS here; libssl refuses it as no record.
 */
static cinch_status look_behind(cinch_upgrade *upgrade, int fd, cinch_error *err)
{
    unsigned char buf[LOOK_AT];
    ssize_t got = receive(fd, buf, sizeof buf, MSG_PEEK);

    return got > 0 ? cinch_upgrade_receive(upgrade, buf, (size_t)got, err) : CINCH_OK;
}

cinch_status cinch_upgrade_run(cinch_upgrade *upgrade, int fd, int limit_ms, int64_t deadline,
                               cinch_error *err)
{
    cinch_status status = cinch_upgrade_state(upgrade, err);

    while (status == CINCH_WANT_READ || status == CINCH_WANT_WRITE) {
        /* A server that sends a byte now and then must not hold us up for ever. */
        if (cinch_deadline_passed(deadline))
            status = CINCH_TIMEOUT;
        else if (status == CINCH_WANT_WRITE)
            status = say(upgrade, fd, deadline, err);
        else
            status = listen_once(upgrade, fd, deadline, err);
    }
    if (status == CINCH_TIMEOUT)
        return cinch_upgrade_late(upgrade, limit_ms, err);
    return status == CINCH_OK ? look_behind(upgrade, fd, err) : status;
}

static cinch_status take_limit(const cinch_starttls_options *options, int *limit_ms,
                               cinch_error *err)
{
    const cinch_timeouts wanted = {.handshake_ms = options != NULL ? options->timeout_ms : 0};
    cinch_timeouts filled;
    cinch_status status = cinch_timeouts_fill(&filled, &wanted, err);

    if (status == CINCH_OK)
        *limit_ms = filled.handshake_ms;
    return status;
}

cinch_status cinch_starttls(int fd, cinch_starttls_protocol protocol,
                            const cinch_starttls_options *options, cinch_error *err)
{
    char address[CINCH_ADDRESS_TEXT];
    int limit_ms = 0;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = take_limit(options, &limit_ms, err);
    if (status == CINCH_OK)
        status = cinch_stream_check_fd(fd, address, err);
    if (status != CINCH_OK)
        return status;
    cinch_upgrade *upgrade = cinch_upgrade_new(protocol, options, err);
    if (upgrade == NULL)
        return CINCH_FAILED;
    status = cinch_upgrade_run(upgrade, fd, limit_ms, cinch_deadline_in(limit_ms), err);
    cinch_upgrade_free(upgrade);
    return status;
}

/* Commands that are waiting already; only of MySQL's clients TLS may be, as they wait for no answer. */
static cinch_status look_for_commands(int fd, cinch_starttls_protocol protocol, cinch_error *err)
{
    unsigned char buf[LOOK_AT];
    ssize_t got = receive(fd, buf, sizeof buf, MSG_PEEK);

    if (got <= 0 || (protocol == CINCH_STARTTLS_MYSQL && buf[0] == 22))
        return CINCH_OK;
    return cinch_injection_fail(err, "client", "behind the client's request for TLS", buf,
                                (size_t)got);
}

cinch_status cinch_starttls_accept(int fd, cinch_starttls_protocol protocol, const void *rest,
                                   size_t size, const cinch_starttls_options *options,
                                   cinch_error *err)
{
    char address[CINCH_ADDRESS_TEXT];
    unsigned char consent[CINCH_STARTTLS_CONSENT];
    size_t n = 0;
    int limit_ms = 0;

    if (!cinch_enter(err))
        return CINCH_FAILED;
    cinch_status status = take_limit(options, &limit_ms, err);
    if (status == CINCH_OK)
        status = cinch_stream_check_fd(fd, address, err);
    if (status == CINCH_OK)
        status = cinch_starttls_consent(protocol, rest, size, options, consent, &n, err);
    if (status == CINCH_OK)
        status = look_for_commands(fd, protocol, err);
    if (status == CINCH_OK)
        status = send_all(fd, consent, n, cinch_deadline_in(limit_ms), err);
    if (status == CINCH_TIMEOUT && !cinch_error_is_set(err))
        cinch_fail(err, CINCH_CAUSE_TIMEOUT,
                   "timed out after %d ms while telling the client to begin TLS", limit_ms);
    return status;
}

cinch_stream *cinch_dial_starttls(cinch_context *ctx, const char *host, const char *port,
                                  cinch_starttls_protocol protocol,
                                  const cinch_starttls_options *options, cinch_error *err)
{
    cinch_starttls_options filled = {0};

    if (options != NULL)
        filled = *options;
    if (filled.domain == NULL)
        filled.domain = filled.dial != NULL && filled.dial->server_name != NULL
                            ? filled.dial->server_name
                            : host;
    cinch_upgrade *upgrade = cinch_upgrade_new(protocol, &filled, err);
    if (upgrade == NULL)
        return NULL;
    cinch_stream *stream =
        cinch_dial_upgrading(ctx, host, port != NULL ? port : cinch_starttls_port(protocol),
                             filled.dial, &cinch_resolver_system, upgrade, err);
    cinch_upgrade_free(upgrade);
    return stream;
}
