/* The engine behind cinch_dial(): names, ports, and the race between addresses. No TLS here. */
#include "net.h"

#include "base/clock.h"
#include "base/fail.h"
#include "stream/deadline.h"
#include "stream/eyeballs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- A resolver that says what the test wants ---- */

typedef struct fake_family {
    const char *addresses[40];
    int error;
    bool held;   /* answers only in fake_done() */
    bool second; /* answers after the other family */
} fake_family;

typedef struct fake {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    fake_family v6, v4;
    bool released;
    int finished;
    int signals_open;
    char asked[CINCH_HOST_TEXT];
    cinch_resolver resolver;
} fake;

static void fake_fill(const fake_family *family, int af, cinch_answer *answer)
{
    answer->error = family->error;
    for (size_t i = 0; family->addresses[i] != NULL; i++) {
        cinch_address address;

        memset(&address, 0, sizeof address);
        address.u.any.sa_family = (sa_family_t)af;
        address.size = af == AF_INET6 ? sizeof address.u.v6 : sizeof address.u.v4;
        assert_int_equal(1, inet_pton(af, family->addresses[i],
                                      af == AF_INET6 ? (void *)&address.u.v6.sin6_addr
                                                     : (void *)&address.u.v4.sin_addr));
        cinch_answer_add(answer, &address);
    }
}

static void fake_look_up(void *arg, int af, const char *name, cinch_answer *answer)
{
    fake *f = arg;
    const fake_family *family = af == AF_INET6 ? &f->v6 : &f->v4;
    sigset_t blocked;

    pthread_mutex_lock(&f->lock);
    (void)snprintf(f->asked, sizeof f->asked, "%s", name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    f->signals_open += !sigismember(&blocked, SIGTERM) + !sigismember(&blocked, SIGALRM);
    while ((family->held && !f->released) || (family->second && f->finished == 0))
        pthread_cond_wait(&f->changed, &f->lock);
    fake_fill(family, af, answer);
    f->finished++;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static void fake_init(fake *f)
{
    memset(f, 0, sizeof *f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    f->resolver = (cinch_resolver){fake_look_up, f};
    f->v6.error = f->v4.error = EAI_NONAME;
}

/* The threads still use the fake when a dial is over: wait for both before it goes. */
static void fake_done(fake *f)
{
    pthread_mutex_lock(&f->lock);
    f->released = true;
    pthread_cond_broadcast(&f->changed);
    while (f->finished < 2)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    assert_int_equal(0, f->signals_open);
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
}

static void family(fake_family *one, const char *a, const char *b, const char *c)
{
    *one = (fake_family){.addresses = {a, b, c}};
}

static cinch_status dial(fake *f, const char *host, uint16_t port, int ms, cinch_connected *out,
                         cinch_error *err)
{
    cinch_target target = {.typed = host,
                           .port = port,
                           .connect_ms = ms,
                           .resolver = f != NULL ? &f->resolver : &cinch_resolver_system};

    cinch_error_clear(err);
    out->fd = -1;
    assert_int_equal(CINCH_OK, cinch_host_parse(&target.host, host, err));
    return cinch_connect(&target, out, err);
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void assert_went_to(const cinch_connected *to, const char *ip, uint16_t port)
{
    char text[CINCH_ADDRESS_TEXT], want[CINCH_ADDRESS_TEXT];

    (void)snprintf(want, sizeof want, strchr(ip, ':') != NULL ? "[%s]:%u" : "%s:%u", ip,
                   (unsigned)port);
    assert_string_equal(want, cinch_address_text(&to->address.u.any, to->address.size, text));
    close(to->fd);
}

/* IPv6 as this test needs it works also without ::1, through IPv4-mapped addresses. */
#define MAPPED "::ffff:"

/* ---- Ports ---- */

static void ports_are_read_strictly(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+443",
                                      "65536",
                                      " 443",
                                      "443 ",
                                      "44 3",
                                      "0x1bb",
                                      "1e3",
                                      "4294967739",
                                      "443a",
                                      "no-such-port",
                                      "https\n",
                                      ".",
                                      "99999",
                                      "655360",
                                      "18446744073709551617"};
    cinch_error err = CINCH_ERROR_INIT;
    uint16_t port = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(CINCH_FAILED, cinch_port_parse(&port, bad[i], 1, &err));
        assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
        assert_int_equal(CINCH_CATEGORY_USAGE, err.category);
        if (bad[i][0] != 0 && bad[i][0] != 'h')
            assert_contains(err.what, bad[i]);
        cinch_error_clear(&err);
    }
    assert_int_equal(CINCH_FAILED, cinch_port_parse(&port, NULL, 0, &err));
    cinch_error_clear(&err);
    assert_int_equal(CINCH_FAILED, cinch_port_parse(&port, "0", 0, &err));
    assert_int_equal(7, port);
    cinch_error_clear(&err);
    assert_int_equal(CINCH_OK, cinch_port_parse(&port, "0", 1, &err));
    assert_int_equal(0, port);
    assert_int_equal(CINCH_OK, cinch_port_parse(&port, "65535", 0, &err));
    assert_int_equal(65535, port);
    assert_int_equal(CINCH_OK, cinch_port_parse(&port, "0443", 0, &err));
    assert_int_equal(443, port);
    assert_int_equal(CINCH_OK, cinch_port_parse(&port, "https", 0, &err));
    assert_int_equal(443, port);
    assert_int_equal(CINCH_OK, cinch_port_parse(&port, "imaps", 0, &err));
    assert_int_equal(993, port);
}

/* ---- Addresses ---- */

static void an_address_needs_no_resolver(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.1", &port);

    (void)state;
    fake_init(&f);
    assert_int_equal(CINCH_OK, dial(&f, "127.0.0.1", port, 10000, &to, &err));
    assert_went_to(&to, "127.0.0.1", port);
    assert_string_equal("", f.asked);
    f.finished = 2;
    fake_done(&f);
    close(listener);
    if (!net_has_ipv6())
        return;
    port = 0;
    listener = net_listening("::1", &port);
    assert_int_equal(CINCH_OK, dial(NULL, "[::1]", port, 10000, &to, &err));
    assert_went_to(&to, "::1", port);
    close(listener);
}

static void the_socket_is_set_up(void **state)
{
    cinch_error err;
    cinch_connected to;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.1", &port);
    int on = 0;
    socklen_t size = sizeof on;

    (void)state;
    assert_int_equal(CINCH_OK, dial(NULL, "127.0.0.1", port, CINCH_FOREVER, &to, &err));
    assert_int_equal(FD_CLOEXEC, fcntl(to.fd, F_GETFD));
    assert_int_equal(0, fcntl(to.fd, F_GETFL) & O_NONBLOCK);
    assert_int_equal(0, getsockopt(to.fd, IPPROTO_TCP, TCP_NODELAY, &on, &size));
    assert_int_not_equal(0, on);
    assert_true(to.resolved_us >= 0 && to.connected_us >= 0);
    close(to.fd);
    close(listener);
}

static void localhost_works(void **state)
{
    cinch_error err;
    cinch_connected to;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.1", &port);

    (void)state;
    assert_int_equal(CINCH_OK, dial(NULL, "localhost", port, 10000, &to, &err));
    assert_went_to(&to, "127.0.0.1", port);
    close(listener);
}

static void a_name_becomes_an_a_label(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;

    (void)state;
    fake_init(&f);
    assert_int_equal(CINCH_FAILED, dial(&f,
                                        "b\xc3\xbc"
                                        "cher.example",
                                        443, 10000, &to, &err));
    fake_done(&f);
    assert_string_equal("xn--bcher-kva.example", f.asked);
    assert_int_equal(CINCH_CAUSE_DNS, err.cause);
    assert_contains(err.what, "xn--bcher-kva.example");
    assert_contains(err.evidence, "\"b\xc3\xbc"
                                  "cher.example\" is looked up as xn--bcher-kva.example");
}

static void dns_errors_differ(void **state)
{
    static const struct {
        int v6, v4;
        const char *what;
    } cases[] = {
        {EAI_NONAME, EAI_NONAME, "there is no host with the name"},
        {EAI_AGAIN, EAI_AGAIN, "no name server answered"},
        {EAI_AGAIN, EAI_NONAME, "there is no host with the name"},
        {EAI_FAIL, EAI_FAIL, "the name server could not answer"},
        {EAI_SYSTEM, EAI_SYSTEM, "could not be looked up"},
        {0, 0, "has no address"},
    };
    cinch_error err;
    cinch_connected to;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fake f;

        fake_init(&f);
        f.v6.error = cases[i].v6;
        f.v4.error = cases[i].v4;
        assert_int_equal(CINCH_FAILED, dial(&f, "host.example", 443, 10000, &to, &err));
        assert_int_equal(CINCH_CAUSE_DNS, err.cause);
        assert_int_equal(CINCH_CATEGORY_NETWORK, err.category);
        assert_contains(err.what, cases[i].what);
        assert_contains(err.what, "host.example");
        assert_int_not_equal(0, err.remedy[0]);
        fake_done(&f);
    }
}

static void memory_is_no_dns_error(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;

    (void)state;
    fake_init(&f);
    f.v6.error = EAI_MEMORY;
    assert_int_equal(CINCH_FAILED, dial(&f, "host.example", 443, 10000, &to, &err));
    assert_int_equal(CINCH_CAUSE_MEMORY, err.cause);
    fake_done(&f);
}

/* ---- Time ---- */

static void resolving_has_a_deadline(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;
    size_t fds = net_open_fds();
    int64_t began = net_ms();

    (void)state;
    fake_init(&f);
    f.v6.held = f.v4.held = true;
    assert_int_equal(CINCH_TIMEOUT, dial(&f, "slow.example", 443, 60, &to, &err));
    assert_in_range(net_ms() - began, 59, 8000);
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
    assert_contains(err.what, "while resolving \"slow.example\"");
    assert_contains(err.evidence, "looking it up: no answer yet");
    /* The answers that come now find nobody; the sanitizers see whether that is all right. */
    fake_done(&f);
    while (net_open_fds() > fds)
        sched_yield();
}

static void connecting_has_a_deadline(void **state)
{
    cinch_error err;
    cinch_connected to;
    net_hole hole;
    uint16_t port = 0;
    char want[64];

    (void)state;
    net_hole_open(&hole, "127.0.0.1", &port);
    size_t fds = net_open_fds();
    int64_t began = net_ms();
    assert_int_equal(CINCH_TIMEOUT, dial(NULL, "127.0.0.1", port, 100, &to, &err));
    assert_in_range(net_ms() - began, 99, 8000);
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
    (void)snprintf(want, sizeof want, "while connecting to 127.0.0.1:%u", port);
    assert_contains(err.what, want);
    (void)snprintf(want, sizeof want, "127.0.0.1:%u no answer yet", port);
    assert_contains(err.evidence, want);
    assert_int_equal(fds, net_open_fds());
    net_hole_close(&hole);
}

static void interruptions_do_not_matter(void **state)
{
    cinch_error err;
    cinch_connected to;
    net_hole hole;
    uint16_t port = 0;

    (void)state;
    net_hole_open(&hole, "127.0.0.1", &port);
    net_interruptions(true);
    int64_t began = net_ms();
    assert_int_equal(CINCH_TIMEOUT, dial(NULL, "127.0.0.1", port, 150, &to, &err));
    net_interruptions(false);
    assert_in_range(net_ms() - began, 149, 8000);
    net_hole_close(&hole);
}

/* ---- The race ---- */

static void ipv6_is_first(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.2", &port);
    int other = net_listening("127.0.0.3", &port);

    (void)state;
    fake_init(&f);
    family(&f.v6, MAPPED "127.0.0.2", NULL, NULL);
    family(&f.v4, "127.0.0.3", NULL, NULL);
    f.v4.held = true; /* and nobody waits for the other answer */
    assert_int_equal(CINCH_OK, dial(&f, "both.example", port, 10000, &to, &err));
    assert_went_to(&to, "127.0.0.2", port);
    assert_int_equal(AF_INET6, to.address.u.any.sa_family);
    fake_done(&f);
    close(listener);
    close(other);
}

static void ipv4_waits_a_moment(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.3", &port);

    (void)state;
    fake_init(&f);
    family(&f.v4, "127.0.0.3", NULL, NULL);
    f.v6.held = true;
    assert_int_equal(CINCH_OK, dial(&f, "half.example", port, 10000, &to, &err));
    assert_went_to(&to, "127.0.0.3", port);
    assert_in_range(to.resolved_us, CINCH_RESOLUTION_DELAY_US, 8000000);
    fake_done(&f);
    close(listener);
}

static void ipv4_does_not_wait_for_a_no(void **state)
{
    cinch_error err;
    fake f;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.3", &port);
    int64_t quickest = INT64_MAX;

    (void)state;
    /* The machine may be busy: one of several is quick enough. */
    for (int i = 0; i < 20 && quickest >= CINCH_RESOLUTION_DELAY_US; i++) {
        cinch_connected to;

        fake_init(&f);
        family(&f.v4, "127.0.0.3", NULL, NULL);
        assert_int_equal(CINCH_OK, dial(&f, "four.example", port, 10000, &to, &err));
        assert_went_to(&to, "127.0.0.3", port);
        if (to.resolved_us < quickest)
            quickest = to.resolved_us;
        fake_done(&f);
    }
    assert_true(quickest < CINCH_RESOLUTION_DELAY_US);
    close(listener);
}

static void a_refusal_starts_the_next_at_once(void **state)
{
    cinch_error err;
    fake f;
    uint16_t port = 0;
    int closed = net_bound("127.0.0.2", &port);
    int listener = net_listening("127.0.0.3", &port);
    int64_t quickest = INT64_MAX;

    (void)state;
    for (int i = 0; i < 20 && quickest >= CINCH_ATTEMPT_DELAY_US; i++) {
        cinch_connected to;

        fake_init(&f);
        family(&f.v6, MAPPED "127.0.0.2", NULL, NULL);
        family(&f.v4, "127.0.0.3", NULL, NULL);
        assert_int_equal(CINCH_OK, dial(&f, "both.example", port, 10000, &to, &err));
        assert_went_to(&to, "127.0.0.3", port);
        if (to.connected_us < quickest)
            quickest = to.connected_us;
        fake_done(&f);
    }
    assert_true(quickest < CINCH_ATTEMPT_DELAY_US);
    close(closed);
    close(listener);
}

static void silence_starts_the_next_later(void **state)
{
    cinch_error err;
    cinch_connected to;
    net_hole hole;
    fake f;
    uint16_t port = 0;

    (void)state;
    net_hole_open(&hole, "127.0.0.2", &port);
    int listener = net_listening("127.0.0.3", &port);
    size_t fds = net_open_fds();
    fake_init(&f);
    family(&f.v6, MAPPED "127.0.0.2", NULL, NULL);
    family(&f.v4, "127.0.0.3", NULL, NULL);
    assert_int_equal(CINCH_OK, dial(&f, "both.example", port, 20000, &to, &err));
    assert_in_range(to.connected_us, CINCH_ATTEMPT_DELAY_US, 15000000);
    assert_went_to(&to, "127.0.0.3", port);
    fake_done(&f);
    while (net_open_fds() > fds)
        sched_yield();
    net_hole_close(&hole);
    close(listener);
}

static void families_take_turns(void **state)
{
    static const char *const order[] = {"127.0.0.11", "127.0.0.21", "127.0.0.12", "127.0.0.13",
                                        NULL};
    cinch_error err = CINCH_ERROR_INIT;
    cinch_connected to;
    uint16_t port = 0;
    int closed = net_bound("0.0.0.0", &port);
    char want[300] = "";
    size_t used = 0;
    bool seen = false;

    (void)state;
    for (size_t i = 0; order[i] != NULL; i++)
        used += (size_t)snprintf(want + used, sizeof want - used, "%s%s:%u connection refused",
                                 i == 0 ? "" : "; ", order[i], port);
    /* Both answers have to come within 50 ms, IPv4 first: on a busy machine they may not. */
    for (int i = 0; i < 20 && !seen; i++) {
        fake f;

        fake_init(&f);
        family(&f.v6, MAPPED "127.0.0.11", MAPPED "127.0.0.12", MAPPED "127.0.0.13");
        family(&f.v4, "127.0.0.21", NULL, NULL);
        f.v6.second = true;
        assert_int_equal(CINCH_FAILED, dial(&f, "many.example", port, 10000, &to, &err));
        fake_done(&f);
        assert_int_equal(CINCH_CAUSE_REFUSED, err.cause);
        assert_int_equal(ECONNREFUSED, err.system_error);
        assert_contains(err.what, "many.example");
        for (size_t j = 0; order[j] != NULL; j++)
            assert_contains(err.evidence, order[j]);
        seen = strcmp(want, err.evidence) == 0;
    }
    assert_string_equal(want, err.evidence);
    close(closed);
}

static void no_more_addresses_than_fit(void **state)
{
    static char names[40][16];
    cinch_error err;
    cinch_connected to;
    fake f;
    uint16_t port = 0;
    int closed = net_bound("0.0.0.0", &port);

    (void)state;
    fake_init(&f);
    f.v4.error = 0;
    for (size_t i = 0; i < 39; i++) {
        (void)snprintf(names[i], sizeof names[i], "127.0.1.%zu", i + 1);
        f.v4.addresses[i] = names[i];
    }
    assert_int_equal(CINCH_FAILED, dial(&f, "huge.example", port, 10000, &to, &err));
    assert_int_equal(CINCH_CAUSE_REFUSED, err.cause);
    fake_done(&f);
    close(closed);
}

static void the_same_address_is_tried_once(void **state)
{
    cinch_error err;
    cinch_connected to;
    fake f;
    uint16_t port = 0;
    int closed = net_bound("127.0.0.1", &port);
    char want[64];

    (void)state;
    fake_init(&f);
    family(&f.v4, "127.0.0.1", "127.0.0.1", "127.0.0.1");
    assert_int_equal(CINCH_FAILED, dial(&f, "twice.example", port, 10000, &to, &err));
    (void)snprintf(want, sizeof want, "127.0.0.1:%u connection refused", port);
    assert_contains(err.evidence, want);
    assert_null(strstr(strstr(err.evidence, want) + 1, want));
    fake_done(&f);
    close(closed);
}

static void no_descriptors_is_a_system_error(void **state)
{
    cinch_error err;
    cinch_connected to;
    struct rlimit before, none;
    uint16_t port = 0;
    int listener = net_listening("127.0.0.1", &port);

    (void)state;
    assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &before));
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
    cinch_status literal = dial(NULL, "127.0.0.1", port, 10000, &to, &err);
    cinch_error first = err;
    cinch_status name = dial(NULL, "localhost", port, 10000, &to, &err);
    assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &before));
    assert_int_equal(CINCH_FAILED, literal);
    assert_int_equal(CINCH_CAUSE_SYSTEM, first.cause);
    assert_contains(first.what, "too many files open");
    assert_int_equal(EMFILE, first.system_error);
    assert_int_equal(CINCH_FAILED, name);
    assert_int_equal(CINCH_CAUSE_SYSTEM, err.cause);
    close(listener);
}

static void durations_are_readable(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "0 ms"},          {250000, "250 ms"},  {999400, "999 ms"},
                 {1000000, "1 s"},     {1500000, "1.5 s"},  {15000000, "15 s"},
                 {300000000, "300 s"}, {300700000, "300 s"}};
    char buf[CINCH_DURATION_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(cases[i].text, cinch_duration_text(cases[i].us, buf));
}

static void timeouts_have_standards(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_timeouts timeouts;

    (void)state;
    assert_int_equal(CINCH_OK, cinch_timeouts_fill(&timeouts, NULL, &err));
    assert_int_equal(15000, timeouts.connect_ms);
    assert_int_equal(15000, timeouts.handshake_ms);
    assert_int_equal(300000, timeouts.read_ms);
    assert_int_equal(60000, timeouts.write_ms);
    assert_int_equal(
        CINCH_OK, cinch_timeouts_fill(
                      &timeouts, &(cinch_timeouts){.read_ms = CINCH_FOREVER, .write_ms = 1}, &err));
    assert_int_equal(CINCH_FOREVER, timeouts.read_ms);
    assert_int_equal(1, timeouts.write_ms);
    assert_int_equal(15000, timeouts.connect_ms);
    assert_int_equal(CINCH_FAILED,
                     cinch_timeouts_fill(&timeouts, &(cinch_timeouts){.read_ms = -2}, &err));
    assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
    assert_int_equal(CINCH_FOREVER, timeouts.read_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_are_read_strictly),
        cmocka_unit_test(an_address_needs_no_resolver),
        cmocka_unit_test(the_socket_is_set_up),
        cmocka_unit_test(localhost_works),
        cmocka_unit_test(a_name_becomes_an_a_label),
        cmocka_unit_test(dns_errors_differ),
        cmocka_unit_test(memory_is_no_dns_error),
        cmocka_unit_test(resolving_has_a_deadline),
        cmocka_unit_test(connecting_has_a_deadline),
        cmocka_unit_test(interruptions_do_not_matter),
        cmocka_unit_test(ipv6_is_first),
        cmocka_unit_test(ipv4_waits_a_moment),
        cmocka_unit_test(ipv4_does_not_wait_for_a_no),
        cmocka_unit_test(a_refusal_starts_the_next_at_once),
        cmocka_unit_test(silence_starts_the_next_later),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(no_more_addresses_than_fit),
        cmocka_unit_test(the_same_address_is_tried_once),
        cmocka_unit_test(no_descriptors_is_a_system_error),
        cmocka_unit_test(durations_are_readable),
        cmocka_unit_test(timeouts_have_standards),
    };

    return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
