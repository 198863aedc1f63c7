/* Pre-shared keys that callbacks choose on both sides, as bindings to other programs need them. */
#include "psk_pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t offer(const char *hint, char *identity, size_t identity_size, unsigned char *key,
                    size_t size, void *arg)
{
    const char *name = arg;

    assert_null(hint);
    assert_int_equal(identity_size, 129);
    assert_int_equal(identity[0], 0);
    assert_true(size >= 16);
    memcpy(identity, name, strlen(name) + 1);
    memcpy(key, psk_right_key, 16);
    return strcmp(name, "none") == 0 ? 0 : strcmp(name, "carol") == 0 ? 16 : 4;
}

static size_t look_up_weak(const char *identity, unsigned char *key, size_t size, void *arg)
{
    (void)arg;
    assert_true(size >= 16);
    memcpy(key, psk_right_key, 16);
    return strcmp(identity, "carol") == 0 ? 16 : 4;
}

static void offer_to(const char *name, cinch_tls_version version, int weak, bool works)
{
    cinch_context *c = cinch_context_client(NULL), *s = cinch_context_server(NULL);
    union {
        const char *text;
        void *arg;
    } chosen = {name};
    pair p = {0};

    if (weak)
        assert_int_equal(cinch_context_insecure_psk_lookup(s, look_up_weak, NULL, 0, NULL),
                         CINCH_OK);
    else
        assert_int_equal(cinch_context_psk_lookup(s, look_up_weak, NULL, 0, NULL), CINCH_OK);
    assert_int_equal(cinch_context_insecure_psk_offer(c, offer, chosen.arg, 0, NULL), CINCH_OK);
    psk_limit(c, version);
    pair_start(&p, c, s, "localhost");
    pair_handshake(&p);
    if (works)
        psk_assert_met(&p, name, 1, 1);
    else
        psk_assert_refused(&p);
    cinch_context_free(c);
    cinch_context_free(s);
}

static void test_offered(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        offer_to("carol", psk_versions[i], 0, true);
        offer_to("carol", psk_versions[i], 1, true);
        offer_to("weak", psk_versions[i], 1, true);
        offer_to("weak", psk_versions[i], 0, false);
        offer_to("a\nb", psk_versions[i], 1, false);
        offer_to("none", psk_versions[i], 1, false);
    }
    cinch_context *s = cinch_context_server(NULL);
    assert_int_equal(cinch_context_insecure_psk_offer(s, offer, NULL, 0, NULL), CINCH_FAILED);
    cinch_context_free(s);
}

/* A client that offers a secret takes no certificate instead, trusted or not, unless it may. */
static void test_offered_to_one_with_a_certificate(void **state)
{
    static char name[] = "carol";

    (void)state;
    for (int fallback = 0; fallback < 2; fallback++) {
        cinch_context *c = pair_client_context(psk_family->root);
        cinch_context *s = pair_server_context(psk_family->good, psk_family->intermediate);
        pair p = {0};

        assert_int_equal(cinch_context_insecure_psk_offer(c, offer, name, fallback, NULL),
                         CINCH_OK);
        pair_start(&p, c, s, "localhost");
        pair_handshake(&p);
        if (fallback)
            psk_assert_met(&p, "", 1, 0);
        else
            psk_assert_refused(&p);
        cinch_context_free(c);
        cinch_context_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_offered_to_one_with_a_certificate),
    };

    return cmocka_run_group_tests(tests, psk_set_up, psk_tear_down);
}
