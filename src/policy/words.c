/* words.c: lists of names as people write them, and what they may have meant. */
#include "policy/parts.h"

#include "base/fail.h"
#include "base/openssl.h"

#include <openssl/err.h>
#include <string.h>

int cinch_word_next(const char **list, const char *separators, char word[CINCH_POLICY_WORD])
{
    const char *start = *list + strspn(*list, separators);
    size_t size = strcspn(start, separators);
    int fits = size < CINCH_POLICY_WORD;

    *list = start + size;
    /* What does not fit is cut, for the error that follows. */
    size_t used = fits ? size : CINCH_POLICY_WORD - 1;
    memcpy(word, start, used);
    word[used] = 0;
    if (size == 0)
        return 0;
    return fits ? 1 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

int cinch_word_same(const char *a, const char *b)
{
    while (*a != 0 && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

/* How many letters have to be put in, taken out or changed to make B of A, without regard to case. */
static size_t distance(const char *a, const char *b)
{
    size_t row[CINCH_POLICY_WORD + 1];
    size_t size = strlen(b);

    for (size_t j = 0; j <= size; j++)
        row[j] = j;
    for (size_t i = 0; a[i] != 0; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < size; j++) {
            size_t best = diagonal + (lower(a[i]) != lower(b[j]));

            diagonal = row[j + 1];
            best = row[j] + 1 < best ? row[j] + 1 : best;
            row[j + 1] = diagonal + 1 < best ? diagonal + 1 : best;
        }
    }
    return row[size];
}

const char *cinch_word_near(const char *word, cinch_word_source source, const void *arg)
{
    const char *best = NULL, *name;
    /* A third of the letters wrong is another word. */
    size_t limit = strlen(word) / 3 < 3 ? strlen(word) / 3 : 3;

    for (size_t i = 0; (name = source(i, arg)) != NULL; i++) {
        size_t far = strlen(name) < CINCH_POLICY_WORD ? distance(word, name) : limit + 1;

        if (far <= limit) {
            best = name;
            if (far == 0)
                break;
            limit = far - 1;
        }
    }
    return best;
}

cinch_status cinch_word_unknown(cinch_error *err, const char *what, const char *word,
                                const char *near)
{
    /* Trying a name needs memory too. */
    if (cinch_openssl_out_of_memory(ERR_peek_error()))
        return cinch_fail_memory(err, "checking a setting");
    ERR_clear_error();
    cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "this OpenSSL knows no %s \"%s\"", what, word);
    cinch_fail_evidence(err, "%s", OpenSSL_version(OPENSSL_VERSION));
    if (near != NULL)
        cinch_fail_remedy(err, "did you mean \"%s\"?", near);
    return CINCH_FAILED;
}

cinch_status cinch_list_check(const char *what, const char *list, cinch_error *err)
{
    if (list == NULL)
        return cinch_fail(err, CINCH_CAUSE_MISUSE, "the list of %s is NULL", what);
    if (list[strspn(list, ": ,;")] == 0)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the list of %s is empty", what);
    if (strlen(list) > CINCH_POLICY_LIST)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "the list of %s is longer than %d bytes",
                          what, CINCH_POLICY_LIST);
    return CINCH_OK;
}

int cinch_policy_word(const char **list, char buf[80])
{
    return cinch_word_next(list, ":", buf) != 0;
}
