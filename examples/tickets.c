/* tickets.c: a ring of ticket secrets for all contexts of a program; a leak makes it start anew. */
#include <cinch/cinch.h>
#include <stdio.h>

static void show(cinch_tickets *ring, cinch_error *err)
{
    cinch_ticket_key keys[8];
    size_t count = 0;

    if (cinch_tickets_look(ring, keys, 8, &count, err) != CINCH_OK)
        return;
    for (size_t i = 0; i < count; i++)
        printf("%02x%02x..: issues for %lld s, is wiped after %lld s more\n", keys[i].name[0],
               keys[i].name[1], (long long)(keys[i].issue_until - keys[i].use_at),
               (long long)(keys[i].accept_until - keys[i].issue_until));
}

int main(void)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_ticket_windows windows = {.rotation = 600, .lifetime = 1200}; /* shorter than usual */
    cinch_tickets *ring = cinch_tickets_new(&windows, &err);
    cinch_context *ctx = cinch_context_server(&err);

    cinch_context_tickets(ctx, ring, &err);
    show(ring, &err);

    cinch_tickets_rotate(ring, 1, &err); /* not 0: tickets that are out there are worthless now */
    show(ring, &err);

    cinch_context_free(ctx);
    cinch_tickets_free(ring);
    return cinch_error_report(&err, stderr);
}
