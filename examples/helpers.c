/* helpers.c: keeps a password as it should be kept, and checks one against it. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

#define ITERATIONS 600000

typedef struct kept {
    unsigned char salt[16];
    unsigned char key[32];
} kept;

static cinch_status keep(const char *password, kept *k, cinch_error *err)
{
    if (cinch_random(k->salt, sizeof k->salt, err) != CINCH_OK)
        return CINCH_FAILED;
    return cinch_pbkdf2(password, strlen(password), k->salt, sizeof k->salt, "SHA256", ITERATIONS,
                        k->key, sizeof k->key, err);
}

static int is_right(const char *password, const kept *k, cinch_error *err)
{
    unsigned char key[32];
    int right = cinch_pbkdf2(password, strlen(password), k->salt, sizeof k->salt, "SHA256",
                             ITERATIONS, key, sizeof key, err) == CINCH_OK &&
                cinch_equal(key, k->key, sizeof key);

    cinch_wipe(key, sizeof key);
    return right;
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    kept k;

    if (argc < 3) {
        fprintf(stderr, "usage: helpers PASSWORD GUESS\n");
        return 2;
    }
    if (keep(argv[1], &k, &err) == CINCH_OK)
        printf("the guess is %s\n", is_right(argv[2], &k, &err) ? "right" : "wrong");
    return cinch_error_report(&err, stderr);
}
