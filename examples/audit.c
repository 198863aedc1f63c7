/* audit.c [IDENTITY]: what is weak in a server's context that talks to old equipment? */
#include <cinch/cinch.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_policy *policy = cinch_policy_new("default", &err);
    cinch_policy_ciphers(policy, "ECDHE+AESGCM:ECDHE+AES128", &err);

    cinch_context *ctx = cinch_context_server(&err);
    cinch_context_policy(ctx, policy, &err);
    if (argc > 1)
        cinch_context_identity_file(ctx, argv[1], NULL, &err);

    cinch_audit *audit = cinch_context_audit(ctx, &err);
    for (size_t i = 0; audit != NULL && i < audit->count; i++) {
        const cinch_audit_finding *finding = &audit->findings[i];

        printf("%s: %s\n  because %s (%s)\n  remedy: %s\n", cinch_severity_name(finding->severity),
               finding->what, finding->why, finding->source, finding->remedy);
    }
    cinch_audit_free(audit);
    cinch_context_free(ctx);
    cinch_policy_free(policy);
    return cinch_error_report(&err, stderr);
}
