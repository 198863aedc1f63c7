/* password.c: getting the password, once, and bounding what its use costs. */
#include "identity/parts.h"

#include "base/fail.h"
#include "base/memory.h"

#include <string.h>

static cinch_status missing(cinch_error *err, const char *name, const char *why)
{
    return cinch_fail(err, CINCH_CAUSE_PASSWORD_MISSING, "the key in %s is encrypted and %s", name,
                      why);
}

static cinch_status ask(cinch_password *password, const char *name, cinch_error *err)
{
    password->answer = cinch_secret_alloc(CINCH_PASSWORD_SIZE);
    if (password->answer == NULL)
        return cinch_fail_memory(err, "asking for a password");
    int length = password->ask(password->answer, CINCH_PASSWORD_SIZE, name, password->arg);

    password->length = -1;
    if (length < 0)
        return missing(err, name, "the program gave no password when asked");
    if (length > CINCH_PASSWORD_SIZE)
        return cinch_fail(err, CINCH_CAUSE_MISUSE,
                          "the password callback says that it wrote %d bytes into a buffer of %d",
                          length, CINCH_PASSWORD_SIZE);
    password->length = length;
    return CINCH_OK;
}

cinch_status cinch_password_get(cinch_password *password, const char *name, const char **text,
                                int *length, cinch_error *err)
{
    if (password->is_fixed) {
        *text = password->fixed;
        *length = password->fixed_length;
        return CINCH_OK;
    }
    if (password->given != NULL) {
        size_t size = strlen(password->given);

        if (size > CINCH_PASSWORD_SIZE)
            return cinch_fail(err, CINCH_CAUSE_MISUSE,
                              "the password is %zu bytes long, and at most %d are possible", size,
                              CINCH_PASSWORD_SIZE);
        *text = password->given;
        *length = (int)size;
        return CINCH_OK;
    }
    if (password->ask == NULL)
        return missing(err, name, "no password was given");
    if (password->answer == NULL) {
        cinch_status status = ask(password, name, err);

        if (status != CINCH_OK)
            return status;
    }
    if (password->length < 0)
        return missing(err, name, "the program gave no password when asked");
    *text = password->answer;
    *length = password->length;
    return CINCH_OK;
}

void cinch_password_fix(cinch_password *password, const char *text, int length)
{
    password->fixed = text;
    password->fixed_length = length;
    password->is_fixed = 1;
}

void cinch_password_done(cinch_password *password)
{
    cinch_secret_free(password->answer, CINCH_PASSWORD_SIZE);
    *password = (cinch_password){0};
}

cinch_status cinch_password_charge(cinch_password *password, uint64_t rounds, const char *name,
                                   cinch_error *err)
{
    if (rounds <= CINCH_PASSWORD_WORK - password->work) {
        password->work += rounds;
        return CINCH_OK;
    }
    cinch_fail(err, CINCH_CAUSE_BAD_KEY, "%s asks for too much work to make a key of the password",
               name);
    cinch_fail_evidence(err, "%llu rounds of key derivation; at most %u are done for one identity",
                        (unsigned long long)rounds, CINCH_PASSWORD_WORK);
    cinch_fail_remedy(err, "write the file again with fewer rounds, for example with "
                           "`openssl pkcs8 -topk8 -iter 600000` or `openssl pkcs12 -export -iter "
                           "600000`");
    return CINCH_FAILED;
}
