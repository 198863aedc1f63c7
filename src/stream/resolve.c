#include "stream/resolve.h"

#include "base/fail.h"
#include "base/memory.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One family's question; the thread that works on it holds a reference to the lookup. */
typedef struct question {
    cinch_lookup *lookup;
    int family;
    int done;
    cinch_answer answer;
} question;

struct cinch_lookup {
    pthread_mutex_t lock; /* over references, and over done and answer of the questions */
    unsigned references;
    int wake;
    cinch_resolver resolver;
    char name[CINCH_HOST_TEXT];
    question questions[2];
};

void cinch_answer_add(cinch_answer *answer, const cinch_address *address)
{
    for (size_t i = 0; i < answer->count; i++)
        if (cinch_address_same(&answer->list[i], address))
            return;
    if (answer->count < CINCH_ADDRESSES)
        answer->list[answer->count++] = *address;
}

static int ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);

    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

int cinch_answer_local(cinch_answer *answer, const char *name, int family)
{
    cinch_address address = {0};

    if (strcmp(name, "localhost") != 0 && !ends_in(name, ".localhost"))
        return 0;
    address.u.any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address.u.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.size = sizeof address.u.v4;
    } else {
        address.u.v6.sin6_addr = in6addr_loopback;
        address.size = sizeof address.u.v6;
    }
    answer->error = answer->system_error = 0;
    cinch_answer_add(answer, &address);
    return 1;
}

int cinch_resolve_errno(int error)
{
    int number = errno;

    if (error == 0 || error == EAI_MEMORY)
        return 0;
    if (error == EAI_SYSTEM || cinch_system_short(number))
        return number;
    /*
     * glibc says "no answer" when it could open neither /etc/hosts nor a socket, and not always leaves
     * errno behind: whether there are descriptors is found out by taking one.
     */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    number = fd < 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return cinch_system_short(number) ? number : 0;
}

static void ask_system(void *arg, int family, const char *name, cinch_answer *answer)
{
    /*
     * No AI_ADDRCONFIG: it looks away from loopback interfaces, so that "localhost" would not be
     * found on a machine without a network. A family that is of no use fails at connect() at once.
     */
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;

    (void)arg;
    errno = 0;
    answer->error = getaddrinfo(name, NULL, &hints, &list);
    answer->system_error = cinch_resolve_errno(answer->error);
    if (answer->error != 0 && answer->error != EAI_MEMORY &&
        cinch_answer_local(answer, name, family))
        return;
    if (answer->error != 0)
        return;
    for (const struct addrinfo *one = list; one != NULL; one = one->ai_next) {
        cinch_address address = {.size = one->ai_addrlen};

        if (one->ai_family != family || one->ai_addrlen > sizeof address.u)
            continue;
        memcpy(&address.u, one->ai_addr, one->ai_addrlen);
        cinch_answer_add(answer, &address);
    }
    freeaddrinfo(list);
}

const cinch_resolver cinch_resolver_system = {ask_system, NULL};

void cinch_lookup_drop(cinch_lookup *lookup)
{
    if (lookup == NULL)
        return;
    pthread_mutex_lock(&lookup->lock);
    unsigned left = --lookup->references;
    pthread_mutex_unlock(&lookup->lock);
    if (left > 0)
        return;
    close(lookup->wake);
    pthread_mutex_destroy(&lookup->lock);
    cinch_release(lookup);
}

static void finish(question *mine, const cinch_answer *answer)
{
    cinch_lookup *lookup = mine->lookup;
    uint64_t one = 1;

    pthread_mutex_lock(&lookup->lock);
    mine->answer = *answer;
    mine->done = 1;
    pthread_mutex_unlock(&lookup->lock);
    /* An eventfd takes this unless it is full, and then it is readable already. */
    while (write(lookup->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
    cinch_lookup_drop(lookup);
}

static void *work(void *arg)
{
    question *mine = arg;
    const cinch_resolver *resolver = &mine->lookup->resolver;
    cinch_answer answer = {0};

    resolver->look_up(resolver->arg, mine->family, mine->lookup->name, &answer);
    finish(mine, &answer);
    return NULL;
}

/* A question that cannot be asked is one that was answered with an error. */
static void ask(cinch_lookup *lookup, question *mine)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    pthread_mutex_lock(&lookup->lock);
    lookup->references++;
    pthread_mutex_unlock(&lookup->lock);

    int number = pthread_attr_init(&attributes);
    if (number == 0) {
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        /* The program's signal handlers must not run in a thread that it knows nothing of. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        number = pthread_create(&thread, &attributes, work, mine);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
    }
    if (number != 0) {
        cinch_answer answer = {.error = EAI_SYSTEM, .system_error = number};
        finish(mine, &answer);
    }
}

cinch_lookup *cinch_lookup_start(const cinch_resolver *resolver, const char *name, cinch_error *err)
{
    static const int families[2] = {AF_INET6, AF_INET};
    cinch_lookup *lookup = cinch_alloc(sizeof *lookup);

    if (lookup == NULL) {
        cinch_fail_memory(err, "resolving a name");
        return NULL;
    }
    lookup->references = 1;
    lookup->resolver = *resolver;
    (void)snprintf(lookup->name, sizeof lookup->name, "%s", name);
    lookup->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (lookup->wake < 0) {
        int number = errno;

        cinch_release(lookup);
        cinch_fail(err, CINCH_CAUSE_SYSTEM, "no descriptor could be had for resolving \"%s\"",
                   name);
        cinch_system_fail(err, number);
        return NULL;
    }
    pthread_mutex_init(&lookup->lock, NULL);
    for (size_t i = 0; i < 2; i++) {
        lookup->questions[i].lookup = lookup;
        lookup->questions[i].family = families[i];
    }
    for (size_t i = 0; i < 2; i++)
        ask(lookup, &lookup->questions[i]);
    return lookup;
}

int cinch_lookup_fd(const cinch_lookup *lookup)
{
    return lookup->wake;
}

void cinch_lookup_seen(cinch_lookup *lookup)
{
    uint64_t count;

    while (read(lookup->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

int cinch_lookup_take(cinch_lookup *lookup, int family, cinch_answer *answer)
{
    const question *one = &lookup->questions[family == AF_INET6 ? 0 : 1];

    pthread_mutex_lock(&lookup->lock);
    int done = one->done;
    if (done)
        *answer = one->answer;
    pthread_mutex_unlock(&lookup->lock);
    return done;
}
