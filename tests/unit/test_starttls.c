/* The dialogue before TLS without I/O: what ends in TLS, however it is cut, and what must not. */
#include "starttls_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct outcome {
    cinch_status status;
    cinch_error err;
} outcome;

/* Hears what the client says, which must be WANT. */
static void hear(cinch_upgrade *upgrade, const script_part *want, cinch_error *err)
{
    const void *bytes = NULL;
    size_t size = 0;

    assert_int_equal(CINCH_OK, cinch_upgrade_send_bytes(upgrade, &bytes, &size, err));
    assert_int_equal(script_size(want), size);
    assert_memory_equal(want->bytes, bytes, size);
    /* In two pieces, the second of which is taken as it is. */
    assert_int_equal(CINCH_WANT_WRITE, cinch_upgrade_send_consume(upgrade, 0, err));
    if (size > 1)
        assert_int_equal(CINCH_WANT_WRITE, cinch_upgrade_send_consume(upgrade, 1, err));
    assert_int_not_equal(CINCH_WANT_WRITE,
                         cinch_upgrade_send_consume(upgrade, size - (size > 1), err));
}

/* Says SIZE bytes at once, or in pieces of one, or in two that are cut at CUT. */
static cinch_status say(cinch_upgrade *upgrade, const char *bytes, size_t size, size_t cut,
                        int single, cinch_error *err)
{
    cinch_status status = CINCH_WANT_READ;

    for (size_t i = 0; i < size && status == CINCH_WANT_READ;) {
        size_t piece = single ? 1 : i < cut && cut < size ? cut - i : size - i;

        status = cinch_upgrade_receive(upgrade, bytes + i, piece, err);
        i += piece;
        if (i < size && status != CINCH_WANT_READ)
            return status == CINCH_OK || status == CINCH_WANT_WRITE
                       ? cinch_upgrade_receive(upgrade, bytes + i, size - i, err)
                       : status;
    }
    return status;
}

/* How a script is played otherwise than as it is. */
typedef struct manner {
    size_t turn;       /* in this turn of the server's */
    size_t cut;        /* it comes in two pieces */
    int single;        /* in all turns: byte by byte */
    int ends;          /* it ends at the cut */
    const char *added; /* and this comes behind it */
} manner;

static outcome play(const script *s, const manner *m)
{
    outcome result = {.err = CINCH_ERROR_INIT};
    cinch_upgrade *upgrade = cinch_upgrade_new(s->protocol, &script_options, &result.err);

    assert_non_null(upgrade);
    for (size_t turn = 0; s->server[turn].bytes != NULL; turn++) {
        char text[8192];
        size_t size = script_size(&s->server[turn]);
        int here = turn == m->turn;

        memcpy(text, s->server[turn].bytes, size);
        if (here && m->ends)
            size = m->cut;
        if (here && m->added != NULL) {
            memcpy(text + size, m->added, strlen(m->added));
            size += strlen(m->added);
        }
        result.status = cinch_upgrade_state(upgrade, &result.err);
        if (size > 0)
            result.status = say(upgrade, text, size, here ? m->cut : size, m->single, &result.err);
        if (here && m->ends && result.status == CINCH_WANT_READ)
            result.status = cinch_upgrade_end(upgrade, &result.err);
        if (result.status != CINCH_WANT_WRITE || s->client[turn].bytes == NULL)
            break;
        hear(upgrade, &s->client[turn], &result.err);
        result.status = cinch_upgrade_state(upgrade, &result.err);
    }
    /* What failed stays so, and says nothing more. */
    if (cinch_error_is_set(&result.err)) {
        cinch_error again = CINCH_ERROR_INIT;
        const void *bytes = NULL;
        size_t size = 1;

        assert_int_equal(result.status, cinch_upgrade_state(upgrade, &again));
        assert_int_equal(result.err.cause, again.cause);
        cinch_error_clear(&again);
        assert_int_equal(CINCH_OK, cinch_upgrade_send_bytes(upgrade, &bytes, &size, &again));
        assert_int_equal(0, size);
        assert_true(cinch_upgrade_receive(upgrade, "S", 1, &again) >= CINCH_TRUNCATED);
    }
    cinch_upgrade_free(upgrade);
    return result;
}

static void assert_fine(const outcome *o, const script *s)
{
    if (o->status != CINCH_OK || cinch_error_is_set(&o->err)) {
        (void)cinch_error_report(&o->err, stderr);
        fail_msg("%s ends with %s: %s", cinch_starttls_name(s->protocol),
                 cinch_status_name(o->status), o->err.what);
    }
}

static size_t turns(const script *s)
{
    size_t n = 0;

    while (s->server[n].bytes != NULL)
        n++;
    return n;
}

static void all_of_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < script_right_count; i++) {
        outcome o = play(&script_right[i], &(manner){.turn = 9});

        assert_fine(&o, &script_right[i]);
    }
}

static void in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < script_right_count; i++) {
        const script *s = &script_right[i];
        outcome o = play(s, &(manner){.turn = 9, .single = 1});

        assert_fine(&o, s);
        for (size_t turn = 0; turn < turns(s); turn++)
            for (size_t cut = 1; cut < script_size(&s->server[turn]); cut++) {
                o = play(s, &(manner){.turn = turn, .cut = cut});
                assert_fine(&o, s);
            }
    }
}

static void cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < script_right_count; i++) {
        const script *s = &script_right[i];

        /* A server that does not speak first has said nothing in its second turn. */
        for (size_t turn = 0; turn < turns(s); turn++)
            for (size_t cut = 0; cut < script_size(&s->server[turn]); cut++) {
                outcome o = play(s, &(manner){.turn = turn, .cut = cut, .ends = 1});
                int silent = turn == 1 && script_size(&s->server[0]) == 0;

                assert_int_equal(CINCH_TRUNCATED, o.status);
                assert_int_equal(CINCH_CAUSE_TRUNCATED, o.err.cause);
                assert_non_null(strstr(o.err.what, "before TLS"));
                assert_non_null(strstr(o.err.evidence, cut == 0 && (turn == 0 || silent)
                                                           ? "not said"
                                                           : "in the clear"));
            }
    }
}

/* Behind an answer nothing may come, TLS or not: servers wait for the client then. */
static void injected(void **state)
{
    static const char *const added[] = {"x", "\r\n", " ", "\x16\x03\x01\x02",
                                        "250 fine\r\n* OK\r\n"};

    (void)state;
    for (size_t i = 0; i < script_right_count; i++) {
        const script *s = &script_right[i];

        for (size_t turn = 0; turn < turns(s); turn++)
            for (size_t k = 0; script_size(&s->server[turn]) > 0 && k < 5; k++)
                for (int single = 0; single < 2; single++) {
                    size_t size = script_size(&s->server[turn]);
                    outcome o = play(
                        s,
                        &(manner){.turn = turn, .cut = size, .single = single, .added = added[k]});

                    assert_int_equal(CINCH_FAILED, o.status);
                    assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, o.err.cause);
                    assert_int_equal(CINCH_CATEGORY_PROTOCOL, o.err.category);
                    assert_non_null(strstr(o.err.evidence, "attacker"));
                    assert_non_null(strstr(o.err.evidence, k == 1   ? "\\x0d\\x0a"
                                                           : k == 3 ? "\\x16\\x03\\x01"
                                                                    : "they are:"));
                }
    }
}

/* An answer that begins before it was asked for, and before the first request left. */
static void too_early(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_upgrade *upgrade = cinch_upgrade_new(CINCH_STARTTLS_POSTGRES, NULL, &err);

    (void)state;
    assert_int_equal(CINCH_WANT_WRITE, cinch_upgrade_state(upgrade, &err));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_receive(upgrade, "S", 1, &err));
    assert_int_equal(CINCH_CAUSE_STARTTLS_INJECTION, err.cause);
    assert_non_null(
        strstr(err.what, "1 byte came in the clear from the server before it was asked"));
    cinch_upgrade_free(upgrade);
}

static void late(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_upgrade *upgrade = cinch_upgrade_new(CINCH_STARTTLS_IMAP, NULL, &err);

    (void)state;
    assert_int_equal(CINCH_TIMEOUT, cinch_upgrade_late(upgrade, 250, &err));
    assert_int_equal(CINCH_CAUSE_TIMEOUT, err.cause);
    assert_non_null(strstr(err.what, "250 ms while waiting for the server: its greeting"));
    assert_non_null(strstr(err.remedy, "without STARTTLS"));
    cinch_upgrade_free(upgrade);
}

/* ---- Options ---- */

static void names(void **state)
{
    (void)state;
    for (int i = CINCH_STARTTLS_NONE + 1; i < CINCH_STARTTLS_COUNT; i++) {
        cinch_starttls_protocol protocol = (cinch_starttls_protocol)i;

        assert_non_null(cinch_starttls_name(protocol));
        assert_int_equal(protocol, cinch_starttls_named(cinch_starttls_name(protocol)));
        assert_true(strtol(cinch_starttls_port(protocol), NULL, 10) > 0);
    }
    assert_int_equal(CINCH_STARTTLS_SMTP, cinch_starttls_named("SMTP"));
    assert_int_equal(CINCH_STARTTLS_NONE, cinch_starttls_named("smtps"));
    assert_int_equal(CINCH_STARTTLS_NONE, cinch_starttls_named(NULL));
    assert_null(cinch_starttls_name(CINCH_STARTTLS_NONE));
    assert_null(cinch_starttls_port(CINCH_STARTTLS_COUNT));
}

static void bad_option(cinch_starttls_protocol protocol, const cinch_starttls_options *options,
                       cinch_cause cause)
{
    cinch_error err = CINCH_ERROR_INIT;

    assert_null(cinch_upgrade_new(protocol, options, &err));
    assert_int_equal(cause, err.cause);
}

static void bad_options(void **state)
{
    char longest[300];

    (void)state;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    for (const char *const *name =
             (const char *const[]){"", "a b", "a\r\nQUIT", "a\n", longest, NULL};
         *name != NULL; name++)
        bad_option(CINCH_STARTTLS_SMTP, &(cinch_starttls_options){.client_name = *name},
                   CINCH_CAUSE_BAD_SETTING);
    for (const char *const *name = (const char *const[]){"", "a'/>", "<a", "a&b", longest, NULL};
         *name != NULL; name++)
        bad_option(CINCH_STARTTLS_XMPP, &(cinch_starttls_options){.domain = *name},
                   CINCH_CAUSE_BAD_SETTING);
    bad_option(CINCH_STARTTLS_XMPP, NULL, CINCH_CAUSE_BAD_SETTING);
    bad_option(CINCH_STARTTLS_NONE, NULL, CINCH_CAUSE_BAD_SETTING);
    bad_option(CINCH_STARTTLS_COUNT, NULL, CINCH_CAUSE_BAD_SETTING);
    bad_option(CINCH_STARTTLS_MYSQL, &(cinch_starttls_options){.greeting_size = 1},
               CINCH_CAUSE_MISUSE);
}

/* The login needs the greeting, and the flags that were asked for. */
static void mysql_greeting(void **state)
{
    unsigned char greeting[64];
    size_t used = 0;
    const script *s = &script_right[script_right_count - 1];
    cinch_starttls_options options = {.greeting = greeting,
                                      .greeting_size = sizeof greeting,
                                      .greeting_used = &used,
                                      .mysql_flags = 8 | 1u << 29};
    const void *bytes = NULL;
    size_t size = 0;

    (void)state;
    assert_int_equal(CINCH_STARTTLS_MYSQL, s->protocol);
    for (int fits = 1; fits >= 0; fits--) {
        cinch_error err = CINCH_ERROR_INIT;
        cinch_upgrade *upgrade = cinch_upgrade_new(s->protocol, &options, &err);

        assert_int_equal(
            fits ? CINCH_WANT_WRITE : CINCH_FAILED,
            cinch_upgrade_receive(upgrade, s->server[0].bytes, s->server[0].size, &err));
        assert_int_equal(fits ? 37 : 0, used);
        if (fits) {
            assert_memory_equal(s->server[0].bytes + 4, greeting, used);
            assert_int_equal(CINCH_OK, cinch_upgrade_send_bytes(upgrade, &bytes, &size, &err));
            /* The flag that the server does not have is not asked for. */
            assert_memory_equal("\x09\x8a\x08\x00", (const char *)bytes + 4, 4);
        } else {
            assert_int_equal(CINCH_CAUSE_BAD_SETTING, err.cause);
        }
        cinch_upgrade_free(upgrade);
        options.greeting_size = 36;
    }
}

static void null_and_misuse(void **state)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_upgrade *upgrade = cinch_upgrade_new(CINCH_STARTTLS_POP3, NULL, &err);

    (void)state;
    assert_int_equal(CINCH_FAILED, cinch_upgrade_send_consume(upgrade, 1, &err));
    assert_int_equal(CINCH_CAUSE_MISUSE, err.cause);
    assert_int_equal(CINCH_FAILED, cinch_upgrade_state(upgrade, &err));
    cinch_error_clear(&err);
    assert_int_equal(CINCH_FAILED, cinch_upgrade_receive(upgrade, NULL, 1, &err));
    cinch_error_clear(&err);
    assert_int_equal(CINCH_FAILED, cinch_upgrade_send_bytes(upgrade, NULL, NULL, &err));
    cinch_upgrade_free(upgrade);
    cinch_upgrade_free(NULL);
    assert_int_equal(CINCH_FAILED, cinch_upgrade_state(NULL, NULL));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_receive(NULL, "x", 1, NULL));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_send_consume(NULL, 0, NULL));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_send_bytes(NULL, NULL, NULL, NULL));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_end(NULL, NULL));
    assert_int_equal(CINCH_FAILED, cinch_upgrade_late(NULL, 0, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it),      cmocka_unit_test(in_pieces),
        cmocka_unit_test(cut_anywhere),   cmocka_unit_test(injected),
        cmocka_unit_test(too_early),      cmocka_unit_test(late),
        cmocka_unit_test(names),          cmocka_unit_test(bad_options),
        cmocka_unit_test(mysql_greeting), cmocka_unit_test(null_and_misuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
