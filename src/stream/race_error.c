/* race_error.c: says why no address of a host could be connected to. */
#include "stream/race.h"

#include "base/clock.h"
#include "base/fail.h"
#include "stream/deadline.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

static const char *target_text(const cinch_target *target, char *buf, size_t size)
{
    return cinch_address_host_port(&target->host, target->port, buf, size);
}

static const char *answer_text(const cinch_answer *answer, char *buf, size_t size)
{
    if (answer->error == EAI_SYSTEM)
        return cinch_system_text(answer->system_error, buf, size);
    if (answer->error != 0)
        return gai_strerror(answer->error);
    return "no addresses";
}

/* What the name server said. Once there was an address to try, only what is still missing matters. */
static void list_answers(const cinch_race *race, cinch_error *err)
{
    static const char *const names[RACE_FAMILIES] = {"IPv6", "IPv4"};
    char texts[RACE_FAMILIES][128];
    const char *said[RACE_FAMILIES];

    for (int i = 0; i < RACE_FAMILIES; i++)
        said[i] = race->answered[i] ? answer_text(&race->answers[i], texts[i], sizeof texts[i])
                                    : "no answer yet";
    if (race->count == 0 && strcmp(said[RACE_V6], said[RACE_V4]) == 0) {
        cinch_fail_evidence(err, "looking it up: %s\n", said[RACE_V6]);
        return;
    }
    for (int i = 0; i < RACE_FAMILIES; i++)
        if (race->count == 0 || !race->answered[i])
            cinch_fail_evidence(err, "looking it up, %s: %s\n", names[i], said[i]);
}

/* What the user typed became something else on its way to the name server: show that. */
static void tell_name(const cinch_race *race, cinch_error *err)
{
    const cinch_target *target = race->target;

    if (target->host.ip_size == 0 && strcmp(target->typed, target->host.text) != 0)
        cinch_fail_evidence(err, "\"%s\" is looked up as %s\n", target->typed, target->host.text);
}

static void list_attempts(const cinch_race *race, cinch_error *err)
{
    char address[CINCH_ADDRESS_TEXT], why[128];

    for (size_t i = 0; i < race->count; i++) {
        const cinch_attempt *attempt = &race->attempts[i];

        cinch_address_text(&attempt->address.u.any, attempt->address.size, address);
        cinch_fail_evidence(err, "%s%s %s", i == 0 ? "" : "; ", address,
                            attempt->fd >= 0 ? "no answer yet"
                                             : cinch_system_text(attempt->error, why, sizeof why));
    }
}

static void cut_last_line_end(cinch_error *err)
{
    size_t length = err != NULL ? strlen(err->evidence) : 0;

    if (length > 0 && err->evidence[length - 1] == '\n')
        err->evidence[length - 1] = 0;
}

static void list_all(const cinch_race *race, cinch_error *err)
{
    tell_name(race, err);
    if (race->target->host.ip_size == 0)
        list_answers(race, err);
    list_attempts(race, err);
    cut_last_line_end(err);
}

cinch_status cinch_race_timed_out(const cinch_race *race, cinch_error *err)
{
    char where[CINCH_HOST_TEXT + 16], how_long[CINCH_DURATION_TEXT];
    cinch_status status;

    cinch_duration_text(cinch_clock_us() - race->began, how_long);
    target_text(race->target, where, sizeof where);
    if (race->count == 0) {
        status = cinch_fail(err, CINCH_CAUSE_TIMEOUT, "timed out while resolving \"%s\", after %s",
                            race->target->host.text, how_long);
        cinch_fail_remedy(err, "check this machine's DNS settings and the way to its name server; "
                               "raise the limit if it is only slow");
    } else {
        status = cinch_fail(err, CINCH_CAUSE_TIMEOUT, "timed out while connecting to %s, after %s",
                            where, how_long);
    }
    list_all(race, err);
    return status;
}

/*
 * How much an attempt's error tells about what to do, the least first. A machine that has no IPv6
 * fails half of its attempts with "unreachable", and that is never the reason.
 */
static int weight(int error)
{
    switch (error) {
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return 0;
    case ETIMEDOUT:
        return 1;
    default:
        return 2;
    case ECONNREFUSED:
        return 3;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return 4;
    }
}

cinch_status cinch_race_lost(const cinch_race *race, cinch_error *err)
{
    static const cinch_cause causes[] = {CINCH_CAUSE_UNREACHABLE, CINCH_CAUSE_UNREACHABLE,
                                         CINCH_CAUSE_NETWORK, CINCH_CAUSE_REFUSED,
                                         CINCH_CAUSE_SYSTEM};
    char where[CINCH_HOST_TEXT + 16], why[128];
    int error = race->attempts[0].error;

    for (size_t i = 1; i < race->count; i++)
        if (weight(race->attempts[i].error) > weight(error))
            error = race->attempts[i].error;
    cinch_fail(err, causes[weight(error)], "could not connect to %s: %s",
               target_text(race->target, where, sizeof where),
               cinch_system_text(error, why, sizeof why));
    list_all(race, err);
    cinch_system_fail(err, error);
    return CINCH_FAILED;
}

static int answered_with(const cinch_race *race, int error)
{
    return race->answers[RACE_V6].error == error || race->answers[RACE_V4].error == error;
}

/* errno of the family whose question could not be asked for want of a descriptor; 0 for none. */
static int shortage(const cinch_race *race)
{
    for (int i = 0; i < RACE_FAMILIES; i++)
        if (race->answers[i].error != 0 && cinch_system_short(race->answers[i].system_error))
            return race->answers[i].system_error;
    return 0;
}

cinch_status cinch_race_unknown(const cinch_race *race, cinch_error *err)
{
    const char *name = race->target->host.text;
    char why[128];
    int number = shortage(race);

    if (answered_with(race, EAI_MEMORY))
        return cinch_fail_memory(err, "resolving a name");
    /* No name server is to blame, whatever the resolver made of it. */
    if (number != 0) {
        cinch_fail(err, CINCH_CAUSE_SYSTEM, "the name \"%s\" could not be looked up: %s", name,
                   cinch_system_text(number, why, sizeof why));
        cinch_system_fail(err, number);
        return CINCH_FAILED;
    }
    /* One family's certain answer says more than the other's lack of one. */
    if (answered_with(race, EAI_NONAME)) {
        cinch_fail(err, CINCH_CAUSE_DNS, "there is no host with the name \"%s\"", name);
    } else if (answered_with(race, EAI_AGAIN)) {
        cinch_fail(err, CINCH_CAUSE_DNS, "no name server answered the question for \"%s\"", name);
        cinch_fail_remedy(err, "check this machine's network and DNS settings (/etc/resolv.conf), "
                               "or try again later");
    } else if (answered_with(race, EAI_SYSTEM)) {
        cinch_fail(err, CINCH_CAUSE_DNS, "the name \"%s\" could not be looked up", name);
        cinch_fail_system(err, race->answers[RACE_V4].system_error != 0
                                   ? race->answers[RACE_V4].system_error
                                   : race->answers[RACE_V6].system_error);
    } else if (answered_with(race, EAI_FAIL)) {
        cinch_fail(err, CINCH_CAUSE_DNS, "the name server could not answer the question for \"%s\"",
                   name);
    } else {
        cinch_fail(err, CINCH_CAUSE_DNS, "the name \"%s\" has no address", name);
    }
    list_all(race, err);
    return CINCH_FAILED;
}
