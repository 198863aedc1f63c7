/* bench_plan.c: what is measured. */
#include "bench.h"

#include <stdlib.h>

static const bench_key keys[] = {
    {"rsa2048", "RSA 2048", CA_KEY_RSA2048}, {"rsa3072", "RSA 3072", CA_KEY_RSA3072},
    {"p256", "ECDSA P-256", CA_KEY_P256},    {"p384", "ECDSA P-384", CA_KEY_P384},
    {"ed25519", "Ed25519", CA_KEY_ED25519},
};

/* The first of a version and kind of key is the one for handshakes, as in the default policy. */
static const bench_suite suites[] = {
    {"ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CINCH_TLS_1_2,
     CA_KEY_RSA2048, false},
    {"ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CINCH_TLS_1_2,
     CA_KEY_RSA2048, false},
    {"ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CINCH_TLS_1_2,
     CA_KEY_RSA2048, false},
    {"ECDHE-RSA-AES256-SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", CINCH_TLS_1_2, CA_KEY_RSA2048,
     true},
    {"ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CINCH_TLS_1_2,
     CA_KEY_P256, false},
    {"ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CINCH_TLS_1_2,
     CA_KEY_P256, false},
    {"ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     CINCH_TLS_1_2, CA_KEY_P256, false},
    {"TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", CINCH_TLS_1_3, CA_KEY_P256, false},
    {"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", CINCH_TLS_1_3, CA_KEY_P256, false},
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", CINCH_TLS_1_3, CA_KEY_P256,
     false},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))
#define SUITE_COUNT (sizeof(suites) / sizeof(suites[0]))

_Static_assert(KEY_COUNT <= BENCH_KEY_MOST, "room for every key");
_Static_assert(SUITE_COUNT <= BENCH_SUITE_MOST, "room for every suite");

const bench_suite *bench_suites(size_t *count)
{
    *count = SUITE_COUNT;
    return suites;
}

const bench_key *bench_keys(size_t *count)
{
    *count = KEY_COUNT;
    return keys;
}

const char *bench_version_text(int version)
{
    return version == CINCH_TLS_1_2 ? "TLS 1.2" : "TLS 1.3";
}

static bool is_rsa(ca_key kind)
{
    return kind == CA_KEY_RSA2048 || kind == CA_KEY_RSA3072;
}

static const bench_key *key_of(ca_key kind)
{
    const bench_key *key = keys;

    while (key->kind != kind)
        key++;
    return key;
}

static const bench_suite *suite_for(int version, ca_key kind)
{
    const bench_suite *suite = suites;

    while (suite->version != version ||
           (version == CINCH_TLS_1_2 && is_rsa(suite->key) != is_rsa(kind)))
        suite++;
    return suite;
}

static bool wants_suite(const bench_settings *settings, const bench_suite *suite)
{
    if (settings->version != 0 && settings->version != suite->version)
        return false;
    for (size_t i = 0; i < settings->suite_count; i++) {
        if (settings->suites[i] == suite)
            return true;
    }
    return settings->suite_count == 0;
}

static bool wants_key(const bench_settings *settings, const bench_key *key)
{
    for (size_t i = 0; i < settings->key_count; i++) {
        if (settings->keys[i] == key)
            return true;
    }
    return settings->key_count == 0;
}

static void add(const bench_settings *settings, bench_case *cases, size_t *count, bench_case one)
{
    one.runs = cli_alloc((size_t)settings->rounds * sizeof(*one.runs));
    cases[(*count)++] = one;
}

static void add_handshakes(const bench_settings *settings, int version, bench_case *cases,
                           size_t *count)
{
    if (settings->version != 0 && settings->version != version)
        return;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        bench_case one = {.suite = suite_for(version, keys[i].kind), .key = &keys[i]};

        if (!wants_key(settings, &keys[i]))
            continue;
        one.kind = BENCH_FULL;
        add(settings, cases, count, one);
        one.kind = BENCH_RESUMED;
        add(settings, cases, count, one);
    }
}

bench_case *bench_plan(const bench_settings *settings, size_t *count)
{
    bench_case *cases = cli_alloc((SUITE_COUNT + 4 * KEY_COUNT) * sizeof(*cases));

    *count = 0;
    for (size_t i = 0; settings->bulk && i < SUITE_COUNT; i++) {
        if (wants_suite(settings, &suites[i]))
            add(settings, cases, count,
                (bench_case){.suite = &suites[i], .key = key_of(suites[i].key)});
    }
    if (settings->handshakes) {
        add_handshakes(settings, CINCH_TLS_1_2, cases, count);
        add_handshakes(settings, CINCH_TLS_1_3, cases, count);
    }
    return cases;
}

void bench_plan_free(bench_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(cases[i].runs);
    free(cases);
}
