/* A ClientHello as callbacks see it, and its fingerprint. */
#include "base/memory.h"
#include "context/hosts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LARGEST 4096

/* A message under construction. */
typedef struct maker {
    unsigned char bytes[LARGEST];
    size_t size;
} maker;

static void put(maker *m, size_t count, size_t number)
{
    for (size_t i = count; i-- > 0;)
        m->bytes[m->size++] = (unsigned char)(number >> (8 * i));
}

static void put_list(maker *m, const uint16_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put(m, 2, list[i]);
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* What the published example of JA4 looks like: a Chrome of 2023. */
static const uint16_t suites[] = {0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                  0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035};
static const uint16_t types[] = {0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469,
                                 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012,
                                 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xeaea};
static const uint16_t sigalgs[] = {0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601};
static const uint16_t groups[] = {0x2a2a, 0x001d, 0x0017, 0x0018};
static const uint16_t versions[] = {0xfafa, 0x0304, 0x0303};

static void put_body(maker *m, uint16_t type, const char *alpn, size_t alpn_size)
{
    switch (type) {
    case 0x0010:
        put(m, 2, alpn_size + 2);
        put(m, 2, alpn_size);
        memcpy(m->bytes + m->size, alpn, alpn_size);
        m->size += alpn_size;
        break;
    case 0x000d:
        put(m, 2, sizeof sigalgs + 2);
        put(m, 2, sizeof sigalgs);
        put_list(m, sigalgs, COUNT(sigalgs));
        break;
    case 0x000a:
        put(m, 2, sizeof groups + 2);
        put(m, 2, sizeof groups);
        put_list(m, groups, COUNT(groups));
        break;
    case 0x002b:
        put(m, 2, sizeof versions + 1);
        put(m, 1, sizeof versions);
        put_list(m, versions, COUNT(versions));
        break;
    default:
        put(m, 2, 0);
    }
}

static void set_size(maker *m, size_t at, size_t count)
{
    size_t size = m->size - at - count;

    for (size_t i = 0; i < count; i++)
        m->bytes[at + i] = (unsigned char)(size >> (8 * (count - 1 - i)));
}

static maker make(const uint16_t *list, size_t count, const char *alpn, size_t alpn_size)
{
    maker m = {{0}, 0};

    put(&m, 1, 1);
    put(&m, 3, 0);
    put(&m, 2, 0x0303);
    m.size += 32;
    put(&m, 1, 0);
    put(&m, 2, sizeof suites);
    put_list(&m, suites, COUNT(suites));
    put(&m, 2, 0x0100);
    size_t at = m.size;
    put(&m, 2, 0);
    for (size_t i = 0; i < count; i++) {
        put(&m, 2, list[i]);
        put_body(&m, list[i], alpn, alpn_size);
    }
    set_size(&m, at, 2);
    set_size(&m, 1, 3);
    return m;
}

static cinch_client_hello *view(const maker *m, const char *name)
{
    /* Bytes of the exact size, so that the sanitizer sees an overread. */
    unsigned char *copy = malloc(m->size);

    memcpy(copy, m->bytes, m->size);
    cinch_client_hello *hello = cinch_hello_view_new(copy, m->size, name);
    free(copy);
    return hello;
}

static void test_known(void **state)
{
    static const char alpn[] = "\2h2\10http/1.1";
    maker m = make(types, COUNT(types), alpn, sizeof alpn - 1);
    cinch_client_hello *hello = view(&m, "www.example.com");

    (void)state;
    assert_non_null(hello);
    assert_string_equal(hello->ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_string_equal(hello->server_name, "www.example.com");
    assert_string_equal(hello->alpn[0], "h2");
    assert_string_equal(hello->alpn[1], "http/1.1");
    assert_null(hello->alpn[2]);
    assert_int_equal(hello->suites.count, 15);
    assert_int_equal(hello->suites.numbers[0], 0x1301);
    assert_int_equal(hello->versions.count, 2);
    assert_int_equal(hello->versions.numbers[0], 0x0304);
    assert_int_equal(hello->groups.count, 3);
    assert_int_equal(hello->groups.numbers[2], 0x0018);
    assert_int_equal(hello->sigalgs.count, 8);
    assert_int_equal(hello->extensions.count, 16);
    assert_int_equal(hello->extensions.numbers[0], 0x001b);
    assert_int_equal(hello->extensions.numbers[15], 0x0015);
    cinch_release(hello);
}

/* Without signature algorithms, and with nothing at all. */
static void test_little(void **state)
{
    static const uint16_t few[] = {0x0005, 0x000a, 0x000b, 0x0012, 0x0015, 0x0017, 0x001b,
                                   0x0023, 0x002b, 0x002d, 0x0033, 0x4469, 0xff01};
    maker m = make(few, COUNT(few), "", 0);
    cinch_client_hello *hello = view(&m, "");

    (void)state;
    assert_non_null(hello);
    assert_memory_equal(hello->ja4, "t13i151300_8daaf6152771_", 24);
    assert_null(hello->alpn[0]);
    cinch_release(hello);
    m = make(NULL, 0, "", 0);
    hello = view(&m, "");
    assert_non_null(hello);
    assert_string_equal(hello->ja4, "t12i150000_8daaf6152771_000000000000");
    assert_int_equal(hello->versions.count, 1);
    assert_int_equal(hello->versions.numbers[0], 0x0303);
    cinch_release(hello);
}

/* As in the table of JA4's description. */
static void test_alpn_codes(void **state)
{
    static const struct {
        const char *alpn;
        size_t size;
        const char *code;
    } cases[] = {
        {"\1\xab", 2, "ab"},
        {"\2\xab\xcd", 3, "ad"},
        {"\2\x30\xab", 3, "3b"},
        {"\4\x30\x31\xab\xcd", 5, "3d"},
        {"\4\x30\xab\xcd\x31", 5, "01"},
        {"\1h", 2, "hh"},
        {"\10http/1.1", 9, "h1"},
        {"", 0, "00"},
    };
    static const uint16_t type[] = {0x0010};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        maker m = make(type, 1, cases[i].alpn, cases[i].size);
        cinch_client_hello *hello = view(&m, "");

        assert_non_null(hello);
        assert_memory_equal(hello->ja4 + 8, cases[i].code, 2);
        cinch_release(hello);
    }
}

/* "h2" and a NUL with more behind it is not "h2". */
static void test_nul_in_alpn(void **state)
{
    static const char alpn[] = "\5h2\0x!\2h3";
    static const uint16_t type[] = {0x0010};
    maker m = make(type, 1, alpn, sizeof alpn - 1);
    cinch_client_hello *hello = view(&m, "");

    (void)state;
    assert_non_null(hello);
    assert_string_equal(hello->alpn[0], "h3");
    assert_null(hello->alpn[1]);
    cinch_release(hello);
}

/* Cut anywhere, or with any one byte changed: refused or read, never past the end. */
static void test_damaged(void **state)
{
    static const char alpn[] = "\2h2\10http/1.1";
    const maker whole = make(types, COUNT(types), alpn, sizeof alpn - 1);

    (void)state;
    for (size_t cut = 0; cut < whole.size; cut++) {
        maker m = whole;

        m.size = cut;
        assert_null(view(&m, ""));
    }
    for (size_t at = 0; at < whole.size; at++)
        for (unsigned value = 0; value < 256; value += 15) {
            maker m = whole;

            m.bytes[at] = (unsigned char)value;
            cinch_release(view(&m, ""));
        }
}

static void test_keys(void **state)
{
    static const char *const good[][2] = {
        {"www.Example.COM", "www.example.com"},
        {"example.com.", "example.com"},
        {"*.example.com", "*.example.com"},
        {"*.b\xc3\xbc"
         "cher.test",
         "*.xn--bcher-kva.test"},
        {"localhost", "localhost"},
    };
    char key[CINCH_HOST_TEXT + 2];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(cinch_host_key(key, good[i][0], NULL), CINCH_OK);
        assert_string_equal(key, good[i][1]);
    }
    assert_true(cinch_host_wildcard(key, "a.b.c"));
    assert_string_equal(key, "*.b.c");
    assert_false(cinch_host_wildcard(key, "a.b"));
    assert_false(cinch_host_wildcard(key, "a"));
    assert_false(cinch_host_wildcard(key, ".a.b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),      cmocka_unit_test(test_little),
        cmocka_unit_test(test_alpn_codes), cmocka_unit_test(test_nul_in_alpn),
        cmocka_unit_test(test_damaged),    cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
