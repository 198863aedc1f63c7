#include "stream/race.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/memory.h"
#include "stream/deadline.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static size_t untried(const cinch_race *race, int family)
{
    return race->answers[family].count - race->next[family];
}

static void take_answers(cinch_race *race)
{
    static const int families[RACE_FAMILIES] = {AF_INET6, AF_INET};

    if (race->lookup == NULL)
        return;
    cinch_lookup_seen(race->lookup);
    for (int i = 0; i < RACE_FAMILIES; i++)
        if (!race->answered[i])
            race->answered[i] = cinch_lookup_take(race->lookup, families[i], &race->answers[i]);
    if (race->answered[RACE_V6] && race->answered[RACE_V4]) {
        cinch_lookup_drop(race->lookup);
        race->lookup = NULL;
    }
}

/*
 * RFC 8305, 3: addresses of IPv6 are used as soon as they are here; those of IPv4 wait a moment for
 * an answer about IPv6, and not at all once that has come.
 */
static int may_begin(cinch_race *race)
{
    if (race->resolved != 0 || untried(race, RACE_V6) > 0)
        return 1;
    if (untried(race, RACE_V4) == 0)
        return 0;
    if (race->answered[RACE_V6])
        return 1;
    if (race->wait_v6 == 0)
        race->wait_v6 = cinch_clock_us() + CINCH_RESOLUTION_DELAY_US;
    return cinch_clock_us() >= race->wait_v6;
}

/* RFC 8305, 4: the families take turns, beginning with IPv6; each in the order it came. */
static int next_family(const cinch_race *race)
{
    int turn = race->last == RACE_V6 ? RACE_V4 : RACE_V6;

    return untried(race, turn) > 0 ? turn : RACE_V6 + RACE_V4 - turn;
}

static void end_attempt(cinch_race *race, cinch_attempt *attempt, int error)
{
    attempt->error = error;
    if (attempt->fd < 0)
        return;
    close(attempt->fd);
    attempt->fd = -1;
    race->alive--;
}

/* Begins the next attempt. The attempt, if it connected at once. */
static cinch_attempt *begin_attempt(cinch_race *race)
{
    int family = next_family(race);
    cinch_attempt *attempt = &race->attempts[race->count++];
    int64_t now = cinch_clock_us();

    race->last = family;
    attempt->error = 0;
    attempt->address = race->answers[family].list[race->next[family]++];
    cinch_address_set_port(&attempt->address, race->target->port);
    race->next_start = now + CINCH_ATTEMPT_DELAY_US;
    if (race->resolved == 0)
        race->resolved = now;

    attempt->fd =
        socket(attempt->address.u.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0) {
        attempt->error = errno;
        race->next_start = now;
        return NULL;
    }
    race->alive++;
    if (connect(attempt->fd, &attempt->address.u.any, attempt->address.size) == 0)
        return attempt;
    /* An interrupted connect() goes on in the background like one in progress. */
    if (errno != EINPROGRESS && errno != EINTR) {
        end_attempt(race, attempt, errno);
        race->next_start = now;
    }
    return NULL;
}

/* Looks at the attempts that poll() has news of. The one that is connected, if any. */
static cinch_attempt *look_at(cinch_race *race, const struct pollfd *polled, const size_t *which,
                              size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cinch_attempt *attempt = &race->attempts[which[i]];
        int error = 0;
        socklen_t size = sizeof error;

        if (polled[i].revents == 0)
            continue;
        if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
        if (error == 0 && (polled[i].revents & POLLOUT))
            return attempt;
        end_attempt(race, attempt, error != 0 ? error : ECONNRESET);
        race->next_start = cinch_clock_us();
    }
    return NULL;
}

static int64_t wake_up_at(const cinch_race *race)
{
    int64_t at = race->deadline;

    if (race->resolved == 0 && race->wait_v6 != 0)
        at = cinch_deadline_first(at, race->wait_v6);
    if (race->resolved != 0 && untried(race, RACE_V6) + untried(race, RACE_V4) > 0)
        at = cinch_deadline_first(at, race->next_start);
    return at;
}

/* Waits until something happens: an answer, an attempt's end, or the time for the next one. */
static cinch_status wait_for_news(cinch_race *race, cinch_attempt **winner, cinch_error *err)
{
    struct pollfd polled[RACE_FAMILIES * CINCH_ADDRESSES + 1];
    size_t which[RACE_FAMILIES * CINCH_ADDRESSES];
    size_t count = 0;

    for (size_t i = 0; i < race->count; i++) {
        if (race->attempts[i].fd < 0)
            continue;
        which[count] = i;
        polled[count++] = (struct pollfd){.fd = race->attempts[i].fd, .events = POLLOUT};
    }
    polled[count] = (struct pollfd){.fd = -1, .events = POLLIN};
    if (race->lookup != NULL)
        polled[count].fd = cinch_lookup_fd(race->lookup);

    int ready = poll(polled, (nfds_t)count + 1, cinch_deadline_poll(wake_up_at(race)));
    if (ready < 0 && errno != EINTR) {
        int number = errno;

        cinch_fail(err, CINCH_CAUSE_SYSTEM, "waiting for a connection failed");
        cinch_fail_system(err, number);
        return CINCH_FAILED;
    }
    if (ready > 0) {
        *winner = look_at(race, polled, which, count);
        take_answers(race);
    }
    return CINCH_OK;
}

static cinch_status run(cinch_race *race, cinch_attempt **winner, cinch_error *err)
{
    while (*winner == NULL) {
        size_t left = untried(race, RACE_V6) + untried(race, RACE_V4);

        if (cinch_deadline_passed(race->deadline))
            return cinch_race_timed_out(race, err);
        if (left > 0 && may_begin(race) &&
            (race->alive == 0 || cinch_clock_us() >= race->next_start)) {
            *winner = begin_attempt(race);
            continue;
        }
        if (left == 0 && race->alive == 0 && race->lookup == NULL)
            return race->count > 0 ? cinch_race_lost(race, err) : cinch_race_unknown(race, err);
        cinch_status status = wait_for_news(race, winner, err);
        if (status != CINCH_OK)
            return status;
    }
    return CINCH_OK;
}

/* The winner's socket waits again, as sockets do by default: the caller may unwrap it one day. */
static cinch_status keep(cinch_race *race, cinch_attempt *winner, cinch_connected *connected,
                         cinch_error *err)
{
    int on = 1;
    int flags = fcntl(winner->fd, F_GETFL);

    if (flags < 0 || fcntl(winner->fd, F_SETFL, flags & ~O_NONBLOCK) < 0) {
        int number = errno;

        cinch_fail(err, CINCH_CAUSE_SYSTEM, "the new socket cannot be set up");
        cinch_fail_system(err, number);
        return CINCH_FAILED;
    }
    /* Records are written whole; waiting for more to fill a segment only delays them. */
    (void)setsockopt(winner->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connected->fd = winner->fd;
    connected->address = winner->address;
    connected->resolved_us = race->resolved - race->began;
    connected->connected_us = cinch_clock_us() - race->resolved;
    winner->fd = -1;
    race->alive--;
    return CINCH_OK;
}

static cinch_status prepare(cinch_race *race, cinch_error *err)
{
    const cinch_target *target = race->target;
    cinch_address address;

    race->began = cinch_clock_us();
    race->deadline = cinch_deadline_in(target->connect_ms);
    race->last = RACE_V4;
    if (target->host.ip_size == 0) {
        race->lookup = cinch_lookup_start(target->resolver, target->host.text, err);
        return race->lookup != NULL ? CINCH_OK : CINCH_FAILED;
    }
    race->answered[RACE_V6] = race->answered[RACE_V4] = 1;
    cinch_address_of_host(&address, &target->host, target->port);
    cinch_answer_add(&race->answers[target->host.ip_size == 4 ? RACE_V4 : RACE_V6], &address);
    return CINCH_OK;
}

cinch_status cinch_connect(const cinch_target *target, cinch_connected *connected, cinch_error *err)
{
    cinch_attempt *winner = NULL;
    cinch_race *race = cinch_alloc(sizeof *race);

    connected->fd = -1;
    if (race == NULL)
        return cinch_fail_memory(err, "connecting");
    race->target = target;
    cinch_status status = prepare(race, err);
    if (status == CINCH_OK)
        status = run(race, &winner, err);
    if (winner != NULL)
        status = keep(race, winner, connected, err);
    for (size_t i = 0; i < race->count; i++)
        end_attempt(race, &race->attempts[i], 0);
    cinch_lookup_drop(race->lookup);
    cinch_release(race);
    return status;
}
