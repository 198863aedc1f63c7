/*
 * The first connection of a process, with nothing set up yet, while each allocation fails once: what
 * is made once per process must not crash, leak into success, or stay broken because of libcinch. Each
 * trial is a process of its own.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "alloc.h"
#include "pair.h"
#include "talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How a trial may end. */
enum {
    COMPLETE = 10,
    FAILED_AND_RECOVERED,
    FAILED_FOR_GOOD,
    WRONG,
    DIED
};

#define LARGEST_PEM 8192

/* Made by a process of its own, so that this one has never used libcrypto. */
typedef struct papers {
    char root[LARGEST_PEM];
    char good[LARGEST_PEM];
    char wrong[LARGEST_PEM];
    char complaint[700];
    size_t allocations;
} papers;

static papers *shared;

static void keep(char out[LARGEST_PEM], char *text)
{
    size_t size = strlen(text) + 1;

    if (size > LARGEST_PEM)
        abort();
    memcpy(out, text, size);
    free(text);
}

static char *site(const pki_family *family, const pki_cert *leaf)
{
    char *key = pki_pem_key(leaf, NULL), *cert = pki_pem_cert(leaf);
    char *more = pki_pem_cert(family->intermediate);
    char *all = pki_pem_concat(key, cert, more, (char *)NULL);

    free(key);
    free(cert);
    free(more);
    return all;
}

/* Runs WHAT in a child and gives its exit code; DIED for a signal. */
static int in_child(int (*what)(size_t n, const char *pem), size_t n, const char *pem)
{
    int status = 0;

    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(what(n, pem));
    if (child < 0 || waitpid(child, &status, 0) != child)
        return DIED;
    return WIFEXITED(status) ? WEXITSTATUS(status) : DIED;
}

static int make_papers(size_t n, const char *pem)
{
    pki_family *family = pki_family_new();

    (void)n;
    (void)pem;
    keep(shared->root, pki_pem_cert(family->root));
    keep(shared->good, site(family, family->good));
    keep(shared->wrong, site(family, family->wrong_name));
    pki_family_free(family);
    return COMPLETE;
}

/* From nothing to a connection with the server that has PEM. */
static bool connect_once(talk *t, const char *pem)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *client = cinch_context_client(&err), *server = cinch_context_server(&err);
    cinch_identity *identity = cinch_identity_pem(pem, strlen(pem), NULL, &err);

    cinch_context_trust_pem(client, shared->root, strlen(shared->root), &err);
    cinch_context_identity(server, identity, &err);
    *t = (talk){.client_context = client, .server_context = server, .host = "localhost", .data = 9};
    talk_check_error(t, "making contexts", cinch_error_is_set(&err) != 0, &err);
    if (!cinch_error_is_set(&err))
        talk_run(t);
    cinch_identity_free(identity);
    cinch_context_free(client);
    cinch_context_free(server);
    return t->complete;
}

static int wrong(const talk *t, size_t n, const char *what)
{
    (void)snprintf(shared->complaint, sizeof shared->complaint, "allocation %zu: %s", n,
                   t->complaint[0] != 0 ? t->complaint : what);
    return WRONG;
}

static int trial(size_t n, const char *pem)
{
    static talk t;
    bool refused = pem == shared->wrong;

    alloc_fail_at(n, false);
    bool complete = connect_once(&t, pem);
    shared->allocations = alloc_count();
    bool failed = alloc_stop();
    if (t.complaint[0] != 0 || (refused && (t.client.opened || t.client.verified)))
        return wrong(&t, n, "it is open, and had to be refused");
    if (!failed)
        return complete != refused ? COMPLETE : wrong(&t, n, "it fails with memory enough");
    complete = connect_once(&t, pem);
    if (t.complaint[0] != 0 || (refused && t.client.opened))
        return wrong(&t, n, "it is open the second time, and had to be refused");
    if (refused)
        return t.client.err.cause == CINCH_CAUSE_WRONG_HOST_NAME ? FAILED_AND_RECOVERED
                                                                 : FAILED_FOR_GOOD;
    return complete ? FAILED_AND_RECOVERED : FAILED_FOR_GOOD;
}

/*
 * A process costs more than a connection, so this goes in steps: prime ones, and other ones for the two
 * certificates. CINCH_FAULT_FULL takes them all.
 */
static void sweep(const char *pem, size_t stride)
{
    size_t runs = 0, for_good = 0;

    if (getenv("CINCH_FAULT_FULL") != NULL)
        stride = 1;
    assert_int_equal(in_child(trial, 0, pem), COMPLETE);
    size_t all = shared->allocations;
    for (size_t n = 1; n < all + stride; n += stride, runs++) {
        int end = in_child(trial, n, pem);

        if (end == WRONG)
            fail_msg("%s", shared->complaint);
        if (end == DIED)
            fail_msg("allocation %zu: the process died", n);
        if (end == FAILED_FOR_GOOD && getenv("CINCH_FAULT_FULL") != NULL)
            printf("    allocation %zu fails for good\n", n);
        for_good += end == FAILED_FOR_GOOD;
    }
    printf("%zu allocations, %zu runs; %zu times libcrypto stayed broken\n", all, runs, for_good);
}

static void test_first_connection(void **state)
{
    (void)state;
    sweep(shared->good, 179);
}

static void test_first_refusal(void **state)
{
    (void)state;
    sweep(shared->wrong, 193);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_connection),
        cmocka_unit_test(test_first_refusal),
    };

    alloc_install();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || in_child(make_papers, 0, NULL) != COMPLETE)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
