/* policy.c [GROUPS]: a hand-picked policy; without an argument, also the names of the others. */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    const char *name;

    for (size_t i = 0; argc == 1 && (name = cinch_policy_list(i)) != NULL; i++)
        printf("%s\n", name);

    cinch_policy *policy = cinch_policy_new("default", &err);
    cinch_policy_versions(policy, CINCH_TLS_1_3, CINCH_TLS_1_3, &err);
    cinch_policy_suites(policy, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384", &err);
    /* "?": where OpenSSL does not know this one, go on without it. */
    cinch_policy_groups(policy, argc > 1 ? argv[1] : "?X25519MLKEM768:X25519", &err);

    cinch_context *ctx = cinch_context_client(&err);
    cinch_context_policy(ctx, policy, &err);
    cinch_policy_free(policy); /* the context has a copy */

    if (!cinch_error_is_set(&err))
        printf("connections can now be made with the hand-picked policy\n");
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
