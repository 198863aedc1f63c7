#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <cinch/version.h>

static void version_is_the_project_version(void **state)
{
    (void)state;
    assert_string_equal(cinch_version(), CINCH_TEST_VERSION);
    assert_string_equal(CINCH_VERSION_STRING, CINCH_TEST_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_the_project_version),
    };

    return cmocka_run_group_tests_name("version", tests, NULL, NULL);
}
